"""Processes share the slots of an account: the least cap, turns, and a pause that needs all of them."""

from __future__ import annotations

import pytest
from attrs import evolve

from pika_async._ledger.records import Member, Usage
from pika_async._ledger.sharing import shared, slots_for, turned
from tests.ledger.records import ACCOUNT, claim, job, refunded, told

pytestmark = pytest.mark.anyio
NOW = 2000.0


def member(owner="a", max_slots=4, **fields):
    """Make a process that sends."""
    return Member(owner=owner, max_slots=max_slots, **fields)


async def present(ledger, *members, seconds=30.0):
    """Let these processes say that they are there, and return what the account uses then."""
    for one in members:
        usage = await ledger.present(ACCOUNT, one, seconds)
    return usage


async def test_the_least_cap_of_all_who_are_there_holds(ledger, clock):
    """A claim of whoever was started with a higher cap is refused at the least; who leaves counts no more."""
    usage = await present(ledger, member("a", 5), member("b", 1))
    assert (usage.members, usage.max_slots) == (2, 1)
    for name in ("one", "two"):
        await ledger.create(job(name=name))
    assert (await ledger.apply("one", claim(1, "one", max_slots=5))).moved
    refused = await ledger.apply("two", claim(1, "two", max_slots=5))
    assert (refused.moved, refused.obstacle.reason) == (False, "slots")
    assert (await present(ledger, member("b", 1), seconds=0.0)).max_slots == 5
    assert (await ledger.apply("two", claim(1, "two", max_slots=5))).moved
    clock.now += 31
    assert (await present(ledger, member("c", 9))).max_slots == 9
    assert [m.owner for m in await ledger.members(ACCOUNT)] == ["c"]


async def test_a_slot_goes_to_whoever_has_waited_longest(ledger, clock):
    """Whoever frees a slot does not get it while another waits, and after its turn waits behind that one."""
    waits = {"waits_until": clock.now + 6}
    names = [f"j{n}" for n in range(5)]
    for name in names:
        await ledger.create(job(name=name))
    owners = {owner: evolve_claim(owner) for owner in ("a", "b", "c")}
    await present(ledger, member("a"), member("b"), member("c"))
    assert (await ledger.apply("j0", owners["a"]("j0"))).moved
    assert (await present(ledger, member("b", **waits))).waiting == ("b",)
    assert (await present(ledger, member("a", **waits))).waiting == ("b", "a")
    await ledger.apply("j0", told(1, refunded(), job_id="j0"))
    assert not (await ledger.apply("j1", owners["a"]("j1"))).moved
    assert not (await ledger.apply("j1", owners["c"]("j1"))).moved
    granted = await ledger.apply("j1", owners["b"]("j1"))
    assert (granted.moved, granted.usage.waiting) == (True, ("a", "b"))
    clock.now += 7
    assert (await present(ledger, member("c", waits_until=clock.now + 6))).waiting == ("c",)


def evolve_claim(owner):
    """Return what makes claims of one owner on an account of one slot."""
    return lambda name: evolve(claim(1, name, max_slots=1), owner=owner)


async def test_the_account_is_paused_when_every_key_is_refused(ledger, clock):
    """One process with a bad key pauses nothing; the last one does, until the first of them tries again."""
    refused = {"refused_until": clock.now + 30, "refused_why": "Invalid key\0"}
    await present(ledger, member("a"), member("b"))
    await ledger.create(job())
    assert (await present(ledger, member("a", **refused))).paused_until == 0.0
    usage = await present(ledger, member("b", **{**refused, "refused_until": clock.now + 40}))
    assert usage.paused_until == clock.now + 30
    assert usage.paused_why.startswith("no process has a key that the provider takes: Invalid key")
    held = await ledger.apply("j", claim(asked_at=clock.now - 5))
    assert (held.moved, held.obstacle.reason) == (False, "paused")
    assert (await present(ledger, member("c"))).paused_why is None, "whose key may be taken"
    assert (await ledger.apply("j", claim(asked_at=clock.now - 5))).moved


async def test_who_fell_silent_holds_no_pause_back(ledger, clock):
    """A process that died with a good key sends nothing, so it does not count."""
    refused = {"refused_until": clock.now + 60, "refused_why": "Invalid key"}
    await present(ledger, member("a"), member("b", **refused))
    clock.now += 31
    assert (await present(ledger, member("b", **refused))).paused_until == NOW + 60


def test_turns_of_one_are_no_turns():
    """A process that waits alone leaves no slot for others."""
    usage = shared(Usage(), [member("a", until=9.0, waits_until=9.0)], 1.0)
    assert (usage.waiting, slots_for("a", None, usage), turned(usage, "a") is usage) == (("a",), 4, True)
