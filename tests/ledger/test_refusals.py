"""What follows when an attempt provably bought nothing."""

import pytest

from pika_async._ledger.events import Cancel, LeaseOver
from pika_async._ledger.machine import step
from pika_async._ledger.records import AttemptState, JobState
from pika_async.results import Task
from tests.ledger.records import REFUSAL, after, attempt, claim, job, next_attempt, refused, sending, states

S = AttemptState
UNANSWERED = [S.SUBMITTING, S.SENDING, S.AMBIGUOUS, S.UNRESOLVED]


@pytest.mark.parametrize("state", UNANSWERED)
def test_a_refusal_frees_the_slot_and_makes_a_new_row(state) -> None:
    """The refused row never returns to the queue, a new one may."""
    record = after(job(attempt(state=state, slot=True)), refused(following=2))
    assert states(record) == "refused queued"
    assert (record.attempts[0].slot, record.attempts[0].outcome, record.newest.number) == (False, REFUSAL, 2)


@pytest.mark.parametrize(
    "record",
    [
        job(attempt(state=S.QUEUED)),
        job(attempt(state=S.RUNNING, task=Task("t"))),
        job(attempt(state=S.UNRESOLVED, task=Task("t"))),
        job(attempt(state=S.SUBMITTING, owner="another")),
        job(attempt(2, state=S.SUBMITTING)),
    ],
    ids=["unsent", "running", "has a task", "another owner", "unknown attempt"],
)
def test_a_refusal_says_nothing_about_other_rows(record) -> None:
    """Only the owner refuses, and only what has no task."""
    assert after(record, refused(following=3)) is record


@pytest.mark.parametrize(
    ("record", "expected", "state"),
    [
        (job(attempt(state=S.UNRESOLVED, superseded=True), attempt(2)), "refused queued", JobState.OPEN),
        (job(attempt(state=S.UNRESOLVED, superseded=True)), "refused", JobState.FAILED),
        (job(attempt(state=S.UNRESOLVED, abandoned=True)), "refused", JobState.FAILED),
        (job(attempt(state=S.SUBMITTING), cancel_requested=True), "refused", JobState.CANCELLED),
        (job(attempt(state=S.SUBMITTING), state=JobState.SUCCEEDED), "refused", JobState.SUCCEEDED),
    ],
    ids=["not newest", "superseded", "abandoned", "cancelled", "job closed"],
)
def test_a_refusal_that_may_not_go_on(record, expected, state) -> None:
    """A new row only if this one is newest, not superseded or abandoned, and the job open."""
    record = after(record, refused(following=3))
    assert (states(record), record.state) == (expected, state)


def test_a_refusal_beside_a_sibling_that_came_to_life_makes_no_row() -> None:
    """Job rule 6: an earlier attempt that runs after all is the one live attempt."""
    record = job(attempt(state=S.RUNNING, task=Task("t")), attempt(2, state=S.SUBMITTING))
    assert states(after(record, refused(2, following=3))) == "running refused"


def test_the_last_refusal_fails_the_job() -> None:
    """Job rule 2: without a next attempt, nothing is open any more."""
    record = after(job(), claim(), refused())
    assert (record.state, record.version) == (JobState.FAILED, 1)


def test_what_never_passed_the_fence_is_queued_again_when_its_lease_is_over() -> None:
    """No byte has left, and the late owner's mark fails: refused, and a new row takes its place."""
    record = step(job(), claim(), 1000.0)
    over = record.newest.lease_until + 0.1
    lease = LeaseOver(attempt="j-1", next=next_attempt(2))
    assert step(record, lease, record.newest.lease_until) is record
    swept = step(record, lease, over)
    assert (states(swept), swept.attempts[0].slot) == ("refused queued", False)
    assert after(swept, sending()) is swept
    assert after(swept, refused(following=3)) is swept
    alone = step(record, LeaseOver(attempt="j-1"), over)
    assert (states(alone), alone.state) == ("refused", JobState.FAILED)
    cancelled = step(after(record, Cancel()), lease, over)
    assert (states(cancelled), cancelled.state) == ("refused", JobState.CANCELLED)


def test_a_lease_that_is_over_has_no_other_effect_on_what_may_have_left() -> None:
    """Ambiguous, with its slot, and nothing queued."""
    record = step(step(job(), claim(), 1000.0), sending(), 1000.0)
    assert step(record, LeaseOver(attempt="j-1"), record.newest.lease_until) is record
    lease = LeaseOver(attempt="j-1", next=next_attempt(2))
    swept = step(record, lease, record.newest.lease_until + 0.1)
    assert (states(swept), swept.newest.slot) == ("ambiguous", True)
