"""Laws of one event: a job before and after it."""

from __future__ import annotations

from benchmarks.model.book import NOW
from benchmarks.model.laws.cases import LIVE, S, Told, was
from pika_async._ledger.events import (
    Abandon,
    Cancel,
    Claim,
    Evidence,
    LeaseOver,
    NothingFound,
    Refused,
    Resubmit,
    SlotOver,
)
from pika_async._ledger.records import JobState
from pika_async._ledger.standing import FINAL, LOST, OPEN

_UNDER_WAY = OPEN - LOST


def no_attempt_without_a_reason(told: Told) -> bool:
    """A second attempt exists only after a proven refusal or a word, and beside no sibling that lives."""
    for old, _ in told.entered(S.QUEUED):
        if old is not None or not isinstance(told.event, Refused | Resubmit | LeaseOver):
            return False
        if not isinstance(told.event, Resubmit) and told.after.attempts[-2].state is not S.REFUSED:
            return False
        if any(a.state in LIVE for a in told.after.attempts):
            return False
    return True


def nothing_is_queued_again(told: Told) -> bool:
    """An attempt never returns to queued."""
    return all(old is None for old, _ in told.entered(S.QUEUED))


def final_never_moves_back(told: Told) -> bool:
    """A final attempt or job stays as it is, and so does its task."""
    was = told.before.state, told.before.winner
    if was[0] is not JobState.OPEN and was != (told.after.state, told.after.winner):
        return False
    return all(
        (old.state, old.task) == (new.state, new.task)
        for old, new in told.rows()
        if old is not None and old.state in FINAL
    )


def the_first_success_wins(told: Told) -> bool:
    """The job succeeds with its first committed success; any other paid success is an extra."""
    for _, new in told.entered(S.SUCCEEDED):
        if told.before.state is JobState.OPEN:
            if (told.after.state, told.after.winner) != (JobState.SUCCEEDED, new.id):
                return False
        elif new.task is None or new.task.id not in {e.task.id for e in told.after.extras}:
            return False
    return True


def no_claim_beside_a_sibling(told: Told) -> bool:
    """A claim is granted only while every sibling is over, or superseded by a person's word."""
    claimed = told.claimed()
    over, doubtful = {S.REFUSED, S.FAILED, S.CANCELLED}, OPEN - {S.QUEUED, S.RUNNING}
    return claimed is None or all(
        a.id == claimed.id or a.state in over or (a.state in doubtful and a.superseded)
        for a in told.before.attempts
    )


def a_claim_keeps_to_the_slots(told: Told) -> bool:
    """A claim takes a slot for its owner, and never exceeds the cap."""
    claimed, caps = told.claimed(), told.setting.caps
    if claimed is None:
        return True
    is_its = isinstance(told.event, Claim) and claimed.owner == told.event.owner
    return is_its and claimed.slot and (caps is None or told.slots <= caps)


def nothing_follows_a_cancel(told: Told) -> bool:
    """After a cancel nothing is claimed, and no attempt is made that may be sent."""
    quiet = told.before.cancel_requested or told.before.state is not JobState.OPEN
    return not quiet or (told.claimed() is None and not list(told.entered(S.QUEUED)))


def adoption_needs_no_slot(told: Told) -> bool:
    """Proof of a task binds it or shows it, however many slots are taken."""
    event = told.event
    if not isinstance(event, Evidence) or event.source == "callback":
        return True
    known = {a.task.id for a in told.after.attempts if a.task is not None}
    return event.snapshot.task.id in known | {e.task.id for e in told.after.extras}


def time_only_looks(told: Told) -> bool:
    """Time, leases and look-ups never end an attempt, nor make one, but for what is provably unsent."""
    if isinstance(told.event, Refused | Resubmit | Evidence | Cancel):
        return True
    if isinstance(told.event, LeaseOver) and any(
        was(old, S.SUBMITTING) for old, _ in told.entered(S.REFUSED)
    ):
        return True
    ends = {S.QUEUED, S.REFUSED, S.CANCELLED, *FINAL}
    return all(
        old is not None and (old.state is new.state or new.state not in ends) for old, new in told.rows()
    )


def each_time_has_come(told: Told) -> bool:
    """A lease, E and the end of a slot count only once they have passed, and E takes two looks after it."""
    for old, new in told.rows():
        match told.event:
            case LeaseOver() if old is not None and old.state is not new.state:
                if old.lease_until >= NOW:
                    return False
            case SlotOver() if old is not None and old.slot and not new.slot:
                if old.slot_until >= NOW:
                    return False
            case NothingFound(sent_at=sent_at) if old is not None and old.state is not new.state:
                looked = sent_at is None or (sent_at > old.resolve_after and old.negatives >= 1)
                if old.resolve_after >= NOW or not looked:
                    return False
    return True


def echo_before_the_result(told: Told) -> bool:
    """Where look-ups echo our token, no job ends well before one has."""
    if not told.setting.echoes or told.after.winner is None:
        return True
    won = told.after.attempt(told.after.winner)
    return won is not None and won.bound_by == "echo"


def a_bare_callback_waits(told: Told) -> bool:
    """A callback without an echo binds only what is ambiguous or unresolved, or a row that is missing."""
    if not isinstance(told.event, Evidence) or told.event.source != "callback":
        return True
    return all(
        old is None or old.task is not None or new.task is None or old.state in {S.AMBIGUOUS, S.UNRESOLVED}
        for old, new in told.rows()
    )


def a_task_leaves_for_more_proof(told: Told) -> bool:
    """Another attempt takes a task over only with more proof than binds it here."""
    ranks = {None: 0, "callback": 1, "answer": 2, "echo": 3}
    return told.proof is None or not any(
        old is not None
        and old.task is not None
        and new.task is None
        and ranks[told.proof] <= ranks[old.bound_by]
        for old, new in told.rows()
    )


def trouble_cancels_nothing(told: Told) -> bool:
    """Only a cancel ends a job as cancelled; an attempt is cancelled by it or by a sibling's evidence."""
    if told.after.state is JobState.CANCELLED and not told.after.cancel_requested:
        return False
    return isinstance(told.event, Cancel | Evidence) or not list(told.entered(S.CANCELLED))


def an_end_leaves_nothing_under_way(told: Told) -> bool:
    """A job fails, or is cancelled, only where no attempt of it runs or may still be sent."""
    was_open = told.before.state is JobState.OPEN
    lost = told.after.state in {JobState.FAILED, JobState.CANCELLED}
    return not (was_open and lost) or not any(a.state in _UNDER_WAY for a in told.after.attempts)


def a_word_is_kept(told: Told) -> bool:
    """A cancel is remembered; superseded and abandoned stay, and only a person's word sets them."""
    if isinstance(told.event, Cancel) and not told.after.cancel_requested:
        return told.before.state is not JobState.OPEN
    for old, new in told.rows():
        before = (False, False) if old is None else (old.superseded, old.abandoned)
        if before != (new.superseded, new.abandoned):
            allowed = (isinstance(told.event, Resubmit) and new.superseded and not before[0]) or (
                isinstance(told.event, Abandon) and new.abandoned and not before[1]
            )
            if not allowed:
                return False
    return True


OF_EVENTS = (
    no_attempt_without_a_reason,
    nothing_is_queued_again,
    final_never_moves_back,
    the_first_success_wins,
    no_claim_beside_a_sibling,
    a_claim_keeps_to_the_slots,
    nothing_follows_a_cancel,
    adoption_needs_no_slot,
    time_only_looks,
    each_time_has_come,
    echo_before_the_result,
    a_bare_callback_waits,
    a_task_leaves_for_more_proof,
    trouble_cancels_nothing,
    an_end_leaves_nothing_under_way,
    a_word_is_kept,
)
