"""A process says what it is to an account that others share, at once where somebody waits for it."""

from __future__ import annotations

import os

import pytest

from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger
from tests.engine.scripted import refusal, scene

pytestmark = pytest.mark.anyio
ACCOUNT = "scripted:default"


async def the_member(ledger):
    """Return the only process that sends."""
    (member,) = await ledger.members(ACCOUNT)
    return member


async def test_it_is_there_while_the_client_is_open():
    """An entry is renewed before it is over, and taken back at the end."""
    ledger = SharedLedger()
    async with scene(ledger=ledger, max_concurrency=7) as s:
        for _ in range(4):
            await s.clock.advance(100)
            assert (await the_member(ledger)).max_slots == 7
        assert ":" in (await the_member(ledger)).label
    assert await ledger.members(ACCOUNT) == []


async def test_a_refused_key_is_said_at_once_and_taken_back_when_it_works():
    """Others must know whether there is anybody left with a good key."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:
        s.host.at_submit.append(refusal("AuthError", 401))
        s.begin(s.pika.generate("a cat"))
        await s.clock.advance(0.5)
        refused = await the_member(ledger)
        assert refused.refused_until > ledger.now()
        assert "AuthError" in refused.refused_why
        await s.clock.advance(2)
        await s.after(30, s.pika.generate("a dog"))
        assert (await the_member(ledger)).refused_until == 0.0


async def test_every_client_shows_who_works():
    """The one that records alone as well: how many send, what has waited longest, and who looks up."""
    options = {"ledger": SharedLedger(), "clock": FakeClock()}
    async with scene(**options, max_concurrency=1) as one, scene(**options, work=False) as shop:
        await one.engine.attendance.works(7)
        wait = one.begin(one.pika.generate("a cat"))
        await one.clock.advance(1)
        await shop.pika.enqueue("a cow")
        await one.clock.advance(12)
        for stats in (one.stats, shop.stats):
            assert (stats.workers, stats.places) == (1, 7)
            assert stats.oldest_queued > 0
        assert one.stats.poller.endswith(f":{os.getpid()}")
        await one.clock.advance(120)
        assert wait.result()


async def test_a_process_that_records_alone_does_not_count():
    """It sends nothing, so its cap and its missing key concern nobody."""
    ledger = SharedLedger()
    async with scene(ledger=ledger, work=False):
        assert await ledger.members(ACCOUNT) == []
