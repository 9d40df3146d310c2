"""Everything that the first draft of the table got wrong."""

from pika_async._ledger.events import (
    Abandon,
    LeaseOver,
    SlotOver,
    Unknown,
)
from pika_async._ledger.machine import step
from pika_async._ledger.records import AttemptState, JobState
from pika_async.results import Task
from tests.ledger.records import (
    OWNER,
    after,
    attempt,
    claim,
    job,
    nothing,
    pending,
    refused,
    resubmit,
    sending,
    states,
    succeeded,
    told,
)

S = AttemptState
UNANSWERED = [S.SUBMITTING, S.SENDING, S.AMBIGUOUS, S.UNRESOLVED]


def test_the_same_row_is_never_queued_again_after_a_429() -> None:
    """First draft: two POSTs of one row."""
    record = after(job(), claim(), refused(following=2))
    assert record.attempts[0].state is S.REFUSED
    assert after(record, claim(1)) is record


def test_a_sweep_leaves_a_way_for_the_owners_late_acceptance() -> None:
    """First draft: swept to ambiguous and unresolved, the answer in hand had nowhere to go."""
    record = after(job(), claim(), sending(), LeaseOver(attempt="j-1"), nothing(sent_at=None))
    assert states(record) == "unresolved"
    assert states(after(record, told(1, pending()))) == "running"


def test_abandon_as_final() -> None:
    """First draft: an abandoned job could not be won any more."""
    record = after(job(attempt(state=S.UNRESOLVED)), Abandon(), told(1, pending()), told(1, succeeded()))
    assert (record.state, record.winner) == (JobState.SUCCEEDED, "j-1")


def test_unresolved_does_not_hold_its_slot_for_ever() -> None:
    """First draft: a capacity of one starved."""
    record = after(job(attempt(state=S.UNRESOLVED, slot=True)), SlotOver(attempt="j-1"))
    assert not record.newest.slot


def test_evidence_between_resubmit_and_claim_stops_the_claim() -> None:
    """First draft: the resubmitted row was sent although the first had just been found."""
    record = after(job(attempt(state=S.UNRESOLVED)), resubmit(2), told(1, pending(), "echo"))
    assert after(record, claim(2)) is record


def test_the_second_of_two_successes_is_shown() -> None:
    """First draft: it was invisible."""
    record = after(job(attempt(state=S.UNRESOLVED)), resubmit(2), claim(2))
    record = after(record, told(2, succeeded("t2")), told(1, succeeded("t1"), "echo"))
    assert (record.winner, states(record), record.extras) == (
        "j-2",
        "succeeded succeeded",
        (succeeded("t1"),),
    )


def test_two_resubmits_on_one_word() -> None:
    """First draft: the second made another row."""
    record = after(job(attempt(state=S.UNRESOLVED)), resubmit(2))
    assert after(record, resubmit(3)) is record


def test_a_late_refusal_does_not_retry_beside_a_resubmitted_attempt() -> None:
    """First draft: the refused first row made a third one."""
    record = after(job(attempt(state=S.UNRESOLVED)), resubmit(2), claim(2), refused(1, following=3))
    assert states(record) == "refused submitting"


def test_a_callback_naming_a_wrong_task_gives_no_result_to_a_wrong_job() -> None:
    """First draft: another job's video was delivered."""
    mine = job(attempt(state=S.RUNNING, task=Task("mine"), bound_by="answer"))
    assert after(mine, told(1, succeeded("theirs"), "callback")) is mine
    won = after(mine, told(1, succeeded("mine")))
    assert after(won, told(1, succeeded("theirs"), "callback")) is won


def test_the_grace_counts_from_the_claim() -> None:
    """First draft: counted from entering ambiguous, which each sweep and crash moved."""
    record = step(job(), claim(), 1000.0)
    ambiguous = step(record, Unknown(attempt="j-1", owner=OWNER), 1470.0)
    assert ambiguous.newest.resolve_after == record.newest.resolve_after == 1480.0


def test_a_lease_ends_at_any_time_for_anyone() -> None:
    """First draft: recovery only at start-up; here the lease alone moves a row, whoever asks and when."""
    record = after(job(), claim(), sending())
    assert states(step(record, LeaseOver(attempt="j-1"), 1e6)) == "ambiguous"
