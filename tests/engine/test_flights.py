"""Which jobs are in flight, which account each belongs to, and how long one that ended is kept."""

from __future__ import annotations

import pytest
from attrs import evolve

from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import JobState
from pika_async.errors import ConfigError
from tests.engine.ledgers import SharedLedger
from tests.engine.scripted import scene

pytestmark = pytest.mark.anyio


async def test_an_account_that_is_not_open_is_named():
    """Its adapter is not here."""
    async with scene() as s:
        job = await s.pika.submit("a cat")
        record = job._flight.record
        other = evolve(record, attempts=(evolve(record.newest, account="other:default"),))
        with pytest.raises(ConfigError, match="other"):
            s.engine.desk.flights.account_of(other)


async def test_what_has_ended_is_let_go():
    """Nothing more can be learned about it; who ordered it may not have looked yet."""
    async with scene() as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        wait.cancel()
        await s.clock.advance(60)
        assert not s.engine.desk.flights
        (flight,) = s.engine.desk.flights.ended.values()
        assert flight.record.state is JobState.SUCCEEDED


@pytest.mark.parametrize(
    ("ledger", "held", "wanted", "kept"),
    [
        (MemoryLedger, False, True, True),
        (MemoryLedger, True, True, True),
        (SharedLedger, False, True, True),
        (SharedLedger, True, True, False),
        (MemoryLedger, False, False, False),
    ],
)
async def test_an_ended_job_is_kept_until_its_end_is_told(ledger, held, wanted, kept):
    """Unless nobody asked, or its token is held and the ledger knows the rest."""
    async with scene(ledger=ledger()) as s:
        desk = s.engine.desk
        job = await s.pika.submit("a cat")
        flight = job._flight
        flight.held, flight.wanted = held, wanted
        await s.clock.advance(30)
        assert flight.ended
        assert (flight.id in desk.flights.ended) is kept
        desk.flights.told(flight)
        assert flight.told
        assert not desk.flights.ended


async def test_a_job_that_goes_on_is_not_told():
    """The closing client still says that it may be paid."""
    async with scene() as s:
        job = await s.pika.submit("a cat")
        s.engine.desk.flights.told(job._flight)
        assert not job._flight.told
