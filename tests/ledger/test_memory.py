"""What memory does of its own: it forgets."""

import pytest

from pika_async._ledger.events import Cancel
from pika_async._ledger.memory import MemoryLedger, inbox
from pika_async._ledger.memory import ledger as kept
from tests.ledger.records import claim, job, pending, refused, succeeded, told

pytestmark = pytest.mark.anyio

NOW = 2000.0


async def test_settled_jobs_lose_their_requests():
    """A client that runs for weeks stays small; what became of a job stays known for a while."""
    ledger = MemoryLedger()
    for name, key in (("a", None), ("b", "k")):
        await ledger.create(job(name=name, key=key))
        await ledger.apply(name, claim(1, name))
        await ledger.apply(name, told(1, pending(name), job_id=name))
        await ledger.apply(name, told(1, succeeded(name), job_id=name))
    assert (await ledger.get("a")).winner == "a-1"
    assert (await ledger.get("a")).request is None
    assert (await ledger.get("b")).request is not None


async def test_a_key_that_moved_on_leaves_no_more_than_other_ends(clock, monkeypatch):
    """Retrying an empty balance for weeks leaves one job with the key, and few that were refused."""
    monkeypatch.setattr(kept, "_ENDED_REMEMBERED", 1)
    ledger = MemoryLedger()
    await ledger.open(clock)
    for name in "abc":
        clock.now += 100
        await ledger.create(job(name=name, key="k"))
        await ledger.apply(name, claim(1, name))
        await ledger.apply(name, refused(1, job_id=name))
    assert [(j.id, j.key) for j in await ledger.jobs()] == [("c", "k"), ("b", None)]
    assert (await ledger.create(job(name="d", key="k"))).after.id == "d"


async def test_only_so_many_ends_are_remembered(monkeypatch):
    """The oldest go first; jobs with a key stay."""
    monkeypatch.setattr(kept, "_ENDED_REMEMBERED", 2)
    ledger = MemoryLedger()
    await ledger.create(job(name="keyed", key="k"), Cancel())
    for name in "abc":
        await ledger.create(job(name=name), Cancel())
    assert [ledger.known(name) is not None for name in ("keyed", "a", "b", "c")] == [True, False, True, True]


async def test_callbacks_that_nobody_takes_are_bounded(monkeypatch):
    """The oldest go first."""
    monkeypatch.setattr(inbox, "_REMEMBERED", 2)
    ledger = MemoryLedger()
    for name in ("a", "b", "c"):
        await ledger.inbox_put(name, b"", {})
    assert [received.attempt_id for received in await ledger.inbox_pending()] == ["b", "c"]


async def test_old_callbacks_are_no_longer_known(monkeypatch):
    """The oldest go first."""
    monkeypatch.setattr(inbox, "_REMEMBERED", 2)
    ledger = MemoryLedger()
    for name in ("a", "b", "c"):
        assert await ledger.inbox_put(name, b"", {})
    assert not await ledger.inbox_put("c", b"", {})
    assert await ledger.inbox_put("a", b"", {})
