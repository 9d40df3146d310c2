"""What a change calls for: values in one written order, pure and total."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
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
    Requeued,
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
    NextAttempt,
    NothingFound,
    Refused,
    SlotOver,
    Unknown,
)
from pika_async._ledger.machine import settle
from pika_async._ledger.records import AttemptState, JobState, Refusal, Usage
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
    (look,) = [e for e in changed(job(), CLAIM, told(pending())) if isinstance(e, Look)]
    assert not look.doubted


def test_what_is_accepted_already_is_not_accepted_again():
    """Each later answer is progress alone."""
    assert kinds(changed(job(), CLAIM, told(pending()), told(pending()))) == [Progress]


def test_a_refusal_of_a_cancelled_job_ends_it_as_cancelled():
    """Who gave it up is told so, and not that somebody refused it."""
    error = SubmitRefused("no")
    (ended,) = [e for e in changed(job(), CLAIM, Cancel(), refused(error)) if isinstance(e, Ended)]
    assert ended.outcome is not error
    assert "cancelled" in str(ended.outcome)


@pytest.mark.parametrize("event", [refused(SubmitRefused("no")), UNKNOWN], ids=lambda e: type(e).__name__)
def test_an_event_that_moved_nothing_troubles_nobody(event):
    """Its attempt was moved by somebody else, who told it."""
    doubtful = job(attempt(state=AttemptState.AMBIGUOUS))
    assert kinds(effects(Change(before=doubtful, after=doubtful, event=event, moved=False), ME)) == [Question]


def test_a_lost_answer_troubles_nobody_while_another_attempt_is_under_way():
    """The video may still come by itself."""
    running = attempt(2, state=AttemptState.RUNNING, task=pending("t2").task)
    before = job(attempt(state=AttemptState.SUBMITTING), running)
    after = job(attempt(state=AttemptState.AMBIGUOUS, version=1), running)
    found = kinds(effects(Change(before=before, after=after, event=UNKNOWN), ME))
    assert found == [Answered, Question]


@pytest.mark.parametrize(
    ("state", "told"), [(AttemptState.AMBIGUOUS, []), (AttemptState.UNRESOLVED, [JobUnresolved])]
)
def test_a_refusal_that_was_heard_late_is_no_word_about_what_was_sent_since(state, told):
    """Another process sent the next attempt, and its answer was lost: nobody is told that it is free."""
    first = attempt(state=AttemptState.REFUSED, version=1)
    before, after = job(first, attempt(2)), job(first, attempt(2, state=state, version=3))
    event = refused(SubmitRefused("no", charged="no"), next=next_attempt(2))
    found = effects(Change(before=before, after=after, event=event), ME)
    assert [type(effect.error) for effect in found if isinstance(effect, Trouble)] == told


def test_what_another_process_queued_is_sent_by_it():
    """Here it is only seen. Nor is an order queued again whose first claim was not granted."""
    queued = job(attempt(state=AttemptState.REFUSED, version=1), attempt(2))
    assert Queue not in kinds(effects(Change(before=job(), after=queued), ME))
    assert Queue not in kinds(effects(Change(before=None, after=job(), event=CLAIM), ME))


def test_what_another_process_queued_is_sent_by_who_waits_for_it_here():
    """That process may be dead. What was left because of the key or the balance waits for a word."""
    queued = job(attempt(state=AttemptState.REFUSED, version=1), attempt(2))
    assert Requeued in kinds(effects(Change(before=job(), after=queued), ME))
    assert Requeued not in kinds(effects(Change(before=None, after=queued), ME))
    for error in ("AuthError", "InsufficientBalance"):
        refusal = Refusal(error=error, message="No.")
        left = job(attempt(state=AttemptState.REFUSED, version=1, outcome=refusal), attempt(2))
        assert Requeued not in kinds(effects(Change(before=job(), after=left), ME))


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
    refused(SubmitRefused("no"), next=NextAttempt(id="j-2", account="b:x")),
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
    """Each slot is taken and freed once at most, a job ends once, and steps lead where reading leads."""
    record, slots, ends, watched = job(), Counter(), 0, set()
    for event in events:
        before, now = record, LATE if isinstance(event, LeaseOver | NothingFound | SlotOver) else 1000.0
        record, _ = settle(before, event, now, Usage(), None)
        found = effects(Change(before=before, after=record, event=event, moved=record is not before), ME)
        ends += kinds(found).count(Ended)
        for effect in found:
            match effect:
                case SlotTaken(account=account):
                    slots[account] += 1
                case SlotFreed(account=account):
                    slots[account] -= 1
                case Look(attempt=a):
                    watched.add(a.id)
                case Stop(attempt=a):
                    watched.discard(a.id)
                case Ended(outcome=Succeeded()):
                    assert record.winner
        assert (Forget in kinds(found)) is settled(record)
        assert +slots == Counter(a.account for a in record.attempts if a.slot)
    assert ends <= 1
    assert watched == {a.id for a in record.attempts if is_watched(a)}
    read = effects(Change(before=None, after=record), ME)
    assert {e.attempt.id for e in read if isinstance(e, Look)} == watched


STEPS = [
    {Moved, Answered, Look, Stop, Queue, Requeued},
    {Ended, Progress},
    {Trouble, Accepted},
    {Forget, Question},
]


def order_of(effect):
    """Return the place of an effect in the written order."""
    if isinstance(effect, Moved) and effect.attempt is None:
        return 1
    return next((n for n, kinds in enumerate(STEPS) if type(effect) in kinds), len(STEPS))


OUTCOMES = [None, REFUSAL, succeeded(), failed()]
attempts = st.builds(
    lambda number, state, version, slot, task, outcome: attempt(
        number, state=state, version=version, slot=slot, task=task, outcome=outcome, account=f"a{number}:x"
    ),
    st.integers(1, 3),
    st.sampled_from(AttemptState),
    st.integers(0, 3),
    st.booleans(),
    st.sampled_from([None, pending().task]),
    st.sampled_from(OUTCOMES),
)
records = st.builds(
    lambda found, state, winner: job(*found, state=state, winner=winner),
    st.lists(attempts, min_size=1, max_size=3, unique_by=lambda a: a.number),
    st.sampled_from(JobState),
    st.sampled_from([None, "j-1", "j-9"]),
)
changes = st.builds(
    lambda before, after, event, moved: Change(before=before, after=after, event=event, moved=moved),
    st.none() | records,
    records,
    st.sampled_from([None, *EVENTS]),
    st.booleans(),
)


@settings(max_examples=60)
@given(changes, st.sampled_from([ME, OTHER]))
def test_any_change_has_effects_in_the_written_order(change, owner):
    """Whatever another version or a damaged row says: nothing is raised, and slots come last."""
    places = [order_of(effect) for effect in effects(change, owner)]
    assert places == sorted(places)
    assert len([p for p in places if p == 3]) <= 1
