"""The one door through which the engine changes a job."""

from __future__ import annotations

import pytest
from attrs import evolve

from pika_async._engine.effects import Ended, Forget, Look, Queue, SlotTaken
from pika_async._ledger.events import Cancel, Claim, Evidence
from pika_async._ledger.records import AttemptState, JobState
from pika_async.errors import ConfigError
from pika_async.results import Pending, Task
from tests.engine.ledgers import SharedLedger, WatchedLedger
from tests.engine.scripted import scene

pytestmark = pytest.mark.anyio


async def held(s):
    """Order a video whose answer waits; return its flight."""
    s.host.hold()
    s.begin(s.pika.submit("a cat"))
    await s.clock.advance(1)
    (flight,) = s.engine.desk.flights.values()
    return flight


async def test_an_unrecorded_job_is_created_with_its_first_event():
    """One transaction for the order and its claim."""
    ledger = WatchedLedger()
    async with scene(ledger=ledger) as s:
        flight = await held(s)
        assert ledger.order == ["Claim", "Sending"]
        assert flight.recorded
        assert flight.record.newest.owner == ledger.job.newest.owner


async def test_effects_are_carried_out_after_each_other():
    """First what the desk does itself, then what the parts do, in the order of their registration."""
    async with scene() as s:
        desk, seen = s.engine.desk, []
        desk.carries_out(Ended, lambda flight, _: seen.append(("first", flight.ended)))
        desk.carries_out(Ended, lambda flight, _: seen.append(("second", flight.ended)))
        await s.after(30, s.pika.generate("a cat"))
        assert seen == [("first", True), ("second", True)]


async def test_an_older_record_changes_nothing():
    """News may arrive late."""
    async with scene(ledger=SharedLedger()) as s:
        job = await s.pika.submit("a cat")
        flight, record = job._flight, job._flight.record
        older = evolve(record, attempts=(evolve(record.newest, version=0, state=AttemptState.QUEUED),))
        s.engine.desk.seen(flight, older)
        assert flight.record is record


async def test_a_newer_record_has_the_same_effects_as_our_own():
    """Another process ended the job: whoever waits here is told."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:
        job = await s.pika.submit("a cat")
        wait = s.begin(job.wait())
        await s.clock.advance(0)
        done = s.host.tasks["t1"]["done_at"] = 0.0
        assert done == 0.0
        found = await s.engine.desk.accounts["scripted:default"].ask(
            lambda: s.pika._options.loaded[0].provider.build_poll((Task("t1"),)),
            lambda response: s.pika._options.loaded[0].provider.read_poll(response, (Task("t1"),)),
        )
        event = Evidence(attempt=job._flight.record.newest.id, snapshot=found["t1"], source="answer")
        change = await ledger.apply(job.id, event)
        s.engine.desk.seen(job._flight, change.after)
        await s.clock.advance(0)
        assert wait.result().id == "t1"


async def test_a_job_that_is_not_in_flight_is_taken_up_before_it_is_changed():
    """So that its look-ups begin and its slots are counted."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:
        flight = await held(s)
        s.engine.desk.flights.clear()
        event = Evidence(attempt=flight.record.newest.id, snapshot=Pending(task=Task("t9")), source="echo")
        record = await s.engine.desk.tell_of(flight.id, event)
        assert record.newest.task.id == "t9"
        assert flight.id in s.engine.desk.flights


async def test_a_claim_needs_the_ledger(monkeypatch):
    """It is never made from memory."""
    from pika_async.errors import LedgerError

    async with scene() as s:
        job = await s.pika.submit("a cat")

        async def fails(*_):
            raise LedgerError("The disk is full.")

        monkeypatch.setattr(s.engine.desk.ledger, "apply", fails)
        with pytest.raises(LedgerError):
            await s.engine.desk.tell(job._flight, Claim(attempt="x", owner="w"))
        change = await s.engine.desk.tell(job._flight, Cancel())
        assert change.after.cancel_requested
        assert s.engine.desk.outbox.holds(job.id)
        monkeypatch.undo()


async def test_an_account_that_is_not_open_is_named():
    """Its adapter is not here."""
    async with scene() as s:
        job = await s.pika.submit("a cat")
        record = job._flight.record
        other = evolve(record, attempts=(evolve(record.newest, account="other:default"),))
        with pytest.raises(ConfigError, match="other"):
            s.engine.desk.account_of(other)


async def test_what_has_ended_is_let_go():
    """Nothing more can be learned about it; who ordered it may not have looked yet."""
    async with scene() as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        wait.cancel()
        await s.clock.advance(60)
        assert not s.engine.desk.flights
        (flight,) = s.engine.desk.ended.values()
        assert flight.record.state is JobState.SUCCEEDED


def test_every_effect_is_a_plain_value():
    """Equal when they say the same."""
    assert SlotTaken("a") == SlotTaken("a")
    assert Forget() == Forget()
    assert {Look, Queue} == {Queue, Look}
