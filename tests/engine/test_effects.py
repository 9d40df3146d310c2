"""What a change calls for: values in one written order, pure and total."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async._engine.effects import (
    Accepted,
    Answered,
    Ended,
    Forget,
    Look,
    Moved,
    Progress,
    Question,
    Queue,
    SlotFreed,
    SlotTaken,
    Stop,
    Trouble,
    effects,
)
from pika_async._ledger.change import Change
from pika_async._ledger.events import (
    Abandon,
    Cancel,
    Evidence,
    LeaseOver,
    Lost,
    Mismatch,
    NothingFound,
    Refused,
    SlotOver,
    Unknown,
)
from pika_async._ledger.machine import settle
from pika_async._ledger.records import AttemptState, Refusal, Usage
from pika_async._ledger.standing import is_watched, settled
from pika_async.errors import AuthError, JobUnresolved, SubmitRefused, SubmitUnknown
from pika_async.results import Succeeded
from tests.ledger.records import OWNER, attempt, claim, failed, job, next_attempt, pending, sending, succeeded

ME, OTHER = OWNER, "somebody"
LATE = 1e9
SENDING = sending()
REFUSAL = Refusal(error="SubmitRefused", message="no")


def changed(record, *events, owner=ME):
    """Return what the last of *events* called for."""
    for event in events:
        before, now = record, LATE if isinstance(event, LeaseOver | NothingFound | SlotOver) else 1000.0
        record, _ = settle(before, event, now, Usage(), None)
    return effects(Change(before=before, after=record, event=event, moved=record is not before), owner)


def kinds(found):
    """Return the kinds of effects, in their order, without what only the log hears."""
    return [type(effect) for effect in found if not isinstance(effect, Moved)]


def refused(error, **more):
    """Make the event of a refused first attempt."""
    return Refused(attempt="j-1", owner=ME, refusal=REFUSAL, error=error, **more)


def told(snapshot, source="answer", **more):
    """Make evidence about the first attempt."""
    return Evidence(attempt="j-1", snapshot=snapshot, source=source, **more)


CLAIM = claim()
UNKNOWN = Unknown(attempt="j-1", owner=ME, error=SubmitUnknown("lost"))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ((CLAIM,), [SlotTaken]),
        ((CLAIM, told(pending())), [Answered, Look, Progress, Accepted]),
        ((CLAIM, told(pending()), told(succeeded())), [Stop, Ended, Forget, SlotFreed]),
        ((CLAIM, told(succeeded())), [Answered, Ended, Forget, SlotFreed]),
        ((CLAIM, told(pending()), told(failed())), [Stop, Ended, Forget, SlotFreed]),
        ((CLAIM, refused(SubmitRefused("no"))), [Answered, Ended, Forget, SlotFreed]),
        (
            (CLAIM, refused(SubmitRefused("no"), next=next_attempt(2))),
            [Answered, Queue, SlotFreed],
        ),
        (
            (CLAIM, refused(AuthError("no"), next=next_attempt(2), later=True)),
            [Answered, Trouble, SlotFreed],
        ),
        ((CLAIM, UNKNOWN), [Answered, Trouble, Question]),
        ((CLAIM, SENDING), []),
        ((CLAIM, SENDING, LeaseOver(attempt="j-1")), [Answered, Question]),
        ((CLAIM, LeaseOver(attempt="j-1", next=next_attempt(2))), [Answered, Queue, SlotFreed]),
        ((CLAIM, LeaseOver(attempt="j-1")), [Answered, Ended, Forget, SlotFreed]),
        ((CLAIM, UNKNOWN, NothingFound(attempt="j-1")), [Trouble, Question]),
        ((CLAIM, told(pending()), Lost(attempt="j-1")), [Trouble, Question]),
        ((CLAIM, told(pending()), Mismatch(attempt="j-1", task="t")), [Stop, Question]),
        ((CLAIM, UNKNOWN, SlotOver(attempt="j-1")), [Question, SlotFreed]),
        ((Cancel(),), [Ended, Forget]),
    ],
    ids=lambda value: value[-1].__class__.__name__ if isinstance(value, tuple) else "",
)
def test_what_each_move_calls_for(events, expected):
    """Look-ups first, then what those who wait are told, then what is kept an eye on, freed slots last."""
    assert kinds(changed(job(), *events)) == expected


def test_the_error_of_a_refusal_is_the_one_that_was_raised():
    """Its cause and its class stay as they were."""
    error = SubmitRefused("no")
    (ended,) = [e for e in changed(job(), CLAIM, refused(error)) if isinstance(e, Ended)]
    assert ended.outcome is error


def test_what_only_a_person_can_settle_is_told_once():
    """A move that leaves the doubt as it is tells nobody again."""
    lost = (CLAIM, UNKNOWN, NothingFound(attempt="j-1"))
    (trouble,) = [e for e in changed(job(), *lost) if isinstance(e, Trouble)]
    assert isinstance(trouble.error, JobUnresolved)
    assert Trouble not in kinds(changed(job(), *lost, Abandon()))


def test_a_doubted_answer_marks_its_look():
    """One answer has called the task done without a link."""
    (look,) = [e for e in changed(job(), CLAIM, told(pending(), doubted=True)) if isinstance(e, Look)]
    assert look.doubted


def test_a_job_that_is_read_counts_no_slot_and_queues_nothing():
    """Its slots are in the ledger's count already; whether it is sent is its reader's decision."""
    running = job(attempt(state=AttemptState.RUNNING, slot=True, task=pending().task))
    assert kinds(effects(Change(before=None, after=running), ME)) == [Look, Accepted]
    assert kinds(effects(Change(before=None, after=job()), ME)) == []


def test_a_new_job_that_was_claimed_takes_its_slot():
    """Recorded and claimed in one transaction."""
    claimed, _ = settle(job(), CLAIM, 1000.0, Usage(), None)
    assert kinds(effects(Change(before=None, after=claimed, event=CLAIM), ME)) == [SlotTaken]


def test_what_another_process_sends_is_a_question_here():
    """And none in its own."""
    claimed, _ = settle(job(), CLAIM, 1000.0, Usage(), None)
    change = Change(before=job(), after=claimed)
    assert Question in kinds(effects(change, OTHER))
    assert Question not in kinds(effects(change, ME))


EVENTS = [
    CLAIM,
    UNKNOWN,
    told(pending()),
    told(pending("t2"), "echo"),
    told(succeeded()),
    told(failed()),
    told(pending(), "callback"),
    refused(SubmitRefused("no")),
    refused(SubmitRefused("no"), next=next_attempt(2)),
    SENDING,
    LeaseOver(attempt="j-1"),
    LeaseOver(attempt="j-1", next=next_attempt(2)),
    NothingFound(attempt="j-1"),
    Lost(attempt="j-1"),
    Mismatch(attempt="j-1", task="t"),
    SlotOver(attempt="j-1"),
    Cancel(),
    Abandon(),
    claim(2),
]


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_whatever_happens(events):
    """Slots add up, a job ends once, and following every step leads where reading the end leads."""
    record, slots, ends, watched = job(), 0, 0, set()
    for event in events:
        before, now = record, LATE if isinstance(event, LeaseOver | NothingFound | SlotOver) else 1000.0
        record, _ = settle(before, event, now, Usage(), None)
        found = effects(Change(before=before, after=record, event=event, moved=record is not before), ME)
        slots += kinds(found).count(SlotTaken) - kinds(found).count(SlotFreed)
        ends += kinds(found).count(Ended)
        for effect in found:
            match effect:
                case Look(attempt=a):
                    watched.add(a.id)
                case Stop(attempt=a):
                    watched.discard(a.id)
                case Ended(outcome=Succeeded()):
                    assert record.winner
        assert (Forget in kinds(found)) is settled(record)
    assert slots == sum(a.slot for a in record.attempts)
    assert ends <= 1
    assert watched == {a.id for a in record.attempts if is_watched(a)}
    read = effects(Change(before=None, after=record), ME)
    assert {e.attempt.id for e in read if isinstance(e, Look)} == watched
