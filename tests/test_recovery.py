"""Taking over what dead processes left: awaited for a list, or iterated one by one."""

from __future__ import annotations

import pytest

from pika_async import Job
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger
from tests.engine.scripted import scene

pytestmark = pytest.mark.anyio


@pytest.fixture
async def left(anyio_backend):
    """Return a ledger with three running jobs of a client that is gone, and how to open another."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as s:
        s.host.render_time = 100
        for number in range(3):
            await s.pika.submit(f"cat {number}")
    return lambda: scene(ledger=ledger, clock=clock, hosts=s.hosts)


async def test_awaiting_takes_over_everything(left):
    """None is left half way."""
    async with left() as s:
        jobs = await s.pika.recover()
        assert [type(job) for job in jobs] == [Job] * 3
        await s.clock.advance(200)
        assert all(job.results for job in jobs)


async def test_iterating_takes_over_one_by_one(left):
    """As in the first release."""
    async with left() as s:
        assert len([job async for job in s.pika.recover()]) == 3


async def test_what_this_client_has_is_not_taken_over_again(left):
    """Neither its own orders, nor what it recovered before."""
    async with left() as s:
        await s.pika.submit("a dog")
        assert len(await s.pika.recover()) == 3
        assert await s.pika.recover() == []


async def test_nothing_is_taken_over_before_it_is_asked_for(left):
    """Making the iterator does nothing."""
    async with left() as s:
        recovered = s.pika.recover()
        assert len(await recovered) == 3
