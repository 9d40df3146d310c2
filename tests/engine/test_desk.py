"""The one door through which the engine changes a job."""

from __future__ import annotations

import pytest
from attrs import evolve

from pika_async._engine.effects import Ended, Forget, Look, Moved, Queue, SlotTaken
from pika_async._ledger.change import Change
from pika_async._ledger.events import Abandon, Cancel, Claim, Evidence, NextAttempt, Resubmit, Unknown
from pika_async._ledger.records import AttemptState, JobState
from pika_async._token import JobToken
from pika_async.errors import LedgerError
from pika_async.results import Pending, Task
from tests.engine.ledgers import FailingLedger, SharedLedger, WatchedLedger
from tests.engine.scripted import scene
from tests.ledger.records import attempt, pending, succeeded
from tests.ledger.records import job as job_of

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


@pytest.mark.parametrize("sending", [True, False])
async def test_who_sends_or_holds_what_was_learned_knows_more_than_a_record(sending):
    """What it knows is told against what is recorded then; news alone changes nothing."""
    async with scene(ledger=SharedLedger()) as s:
        job = await s.pika.submit("a cat")
        flight, record, desk = job._flight, job._flight.record, s.engine.desk
        if sending:
            flight.sending = True
        else:
            desk.outbox.put(job.id, Cancel(), LedgerError("full"))
        newer = evolve(record, version=record.version + 1)
        desk.seen(flight, newer)
        assert flight.record is record
        flight.sending = False
        desk.outbox._waiting.clear()
        desk.seen(flight, newer)
        assert flight.record is newer


@pytest.mark.parametrize(
    "word", [Abandon(attempt="x"), Resubmit(next=NextAttempt(id="y", account="scripted:default"))]
)
async def test_a_persons_word_needs_the_ledger(word):
    """It is not given to memory: nobody would know whether it counts."""
    async with scene(ledger=FailingLedger((Abandon, Resubmit), committed=False)) as s:
        job = await s.pika.submit("a cat")
        with pytest.raises(LedgerError):
            await s.engine.desk.tell(job._flight, word)
        assert not s.engine.desk.outbox.holds(job.id)


async def test_events_keep_their_order_while_earlier_ones_wait():
    """The ledger would decide on the later one first."""
    ledger = WatchedLedger()
    async with scene(ledger=ledger) as s:
        job = await s.pika.submit("a cat")
        desk, order = s.engine.desk, list(ledger.order)
        desk.outbox.put(job.id, Cancel(), LedgerError("full"))
        later = Evidence(attempt=job._flight.record.newest.id, snapshot=pending("t1"), source="echo")
        await desk.tell(job._flight, later)
        assert ledger.order == order
        await s.clock.advance(1)
        assert ledger.order == [*order, "Cancel", "Evidence"]


async def test_what_moved_nothing_has_no_effects():
    """Nobody is told anything again."""
    async with scene() as s:
        job = await s.pika.submit("a cat")
        seen = []
        job._flight.listeners = [seen.append]
        record = job._flight.record
        event = Evidence(attempt=record.newest.id, snapshot=pending("t1"), source="answer")
        s.engine.desk.follow(job._flight, Change(before=record, after=record, event=event, moved=False))
        assert not seen


async def test_what_another_process_moved_is_taken_over_though_our_event_moved_nothing():
    """It found the task while our POST was on its way; the lost answer adds nothing."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:
        flight = await held(s)
        found = Evidence(attempt=flight.record.newest.id, snapshot=pending("t9"), source="echo")
        await ledger.apply(flight.id, found)
        lost = Unknown(attempt=flight.record.newest.id, owner=s.engine.desk.owner)
        assert not (await s.engine.desk.tell(flight, lost)).moved
        assert flight.record.newest.state is AttemptState.RUNNING
        assert s.stats.polled == 1


async def test_what_a_ledger_says_is_compared_with_what_is_known_here():
    """Another process may have moved the job before: each effect is carried out once."""
    async with scene(ledger=SharedLedger()) as s:
        job = await s.pika.submit("a cat")
        flight, seen = job._flight, []
        s.engine.desk.carries_out(Moved, lambda _, moved: seen.append(moved.state))
        running = flight.record
        done = evolve(running.newest, state=AttemptState.SUCCEEDED, version=9, outcome=succeeded("t1"))
        after = evolve(running, attempts=(done,), state=JobState.SUCCEEDED, winner=done.id, version=9)
        flight.record = after  # it was told here already
        s.engine.desk.follow(flight, Change(before=running, after=after, event=Cancel()))
        assert not seen


async def test_a_job_of_long_ago_does_not_pass_for_a_new_one():
    """Its render has run since its claim."""
    async with scene() as s:
        desk, now = s.engine.desk, s.engine.desk.ledger.now()
        running = attempt(state=AttemptState.RUNNING, task=Task("t9"), claimed_at=now - 70.0)
        record = job_of(evolve(running, account="scripted:default"))
        flight = desk.take_up(record)
        assert flight.posted_at == pytest.approx(s.clock.now() - 70.0, abs=1e-3)
        assert desk.take_up(record) is flight


async def test_what_the_outbox_delivered_is_followed_even_where_nothing_moved():
    """This process went on from memory: the ledger's record may say something else."""
    async with scene() as s:
        job = await s.pika.submit("a cat")
        flight, seen = job._flight, []
        flight.listeners = [seen.append]
        event = Evidence(attempt=flight.record.newest.id, snapshot=pending("t1"), source="answer")
        s.engine.desk._delivered(
            job.id, Change(before=flight.record, after=flight.record, event=event, moved=False)
        )
        assert seen == [flight]


async def test_an_adopted_task_is_recorded_as_a_doubt():
    """Neither a slot nor a task before the provider vouched for what the token names."""
    ledger = WatchedLedger()
    async with scene(ledger=ledger) as s:
        token = JobToken(job_id="0pf3k2", provider="scripted", label="default", task=Task("t9"))
        flight = s.engine.orders.known.by_token(token)
        await s.engine.desk.tell(flight, Cancel())
        first = ledger.last["0pf3k2"].newest
        assert (first.state, first.task, first.slot) == (AttemptState.AMBIGUOUS, None, False)


def test_every_effect_is_a_plain_value():
    """Equal when they say the same."""
    assert SlotTaken("a") == SlotTaken("a")
    assert Forget() == Forget()
    assert {Look, Queue} == {Queue, Look}
