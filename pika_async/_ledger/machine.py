"""The pay-once table as one pure, total function. No clock, no storage, no randomness.

The main rule: time leads to a look-up, or to a replay of the same bytes within T, never to a new purchase.
The moves are those of docs/pay-once.md. Those before a POST are in `claims`, what follows a proven refusal
in `refusals`, what `Evidence` does in `evidence`, and what may be sent again in `replays`.
"""

from __future__ import annotations

from collections.abc import Callable

from pika_async._ledger.attempts import changed, moved, queued, replaced
from pika_async._ledger.claims import claim, pass_the_fence
from pika_async._ledger.events import (
    Abandon,
    Cancel,
    Claim,
    Event,
    Evidence,
    LeaseOver,
    Lost,
    Mismatch,
    NothingFound,
    PassedOver,
    Refused,
    Replaying,
    ReplayOver,
    Restored,
    Resubmit,
    Sending,
    SlotOver,
    Unbind,
    Unknown,
)
from pika_async._ledger.evidence import closed, contested, displaces, learn
from pika_async._ledger.evolve import evolve
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState, Usage
from pika_async._ledger.refusals import lease_over, pass_over, refuse
from pika_async._ledger.replays import put_away, replay, replay_over
from pika_async._ledger.standing import CLAIMED, LOST, OPEN, UNSENT, doubted, may_resubmit

_WATCHED = frozenset({AttemptState.RUNNING, AttemptState.UNRESOLVED})


def settle(
    job: JobRecord, event: Event, now: float, usage: Usage, holder: JobRecord | None
) -> tuple[JobRecord, JobRecord | None]:
    """Return *job*, and *holder* if it changes too, after *event*.

    *holder* is the job with an attempt, other than the event's, that is bound to the event's task on the
    same account; it may be *job* itself. A task is bound to one attempt only.
    """
    held = None if holder is None else _held(holder, event)
    if not isinstance(event, Evidence) or holder is None or held is None:
        return step(job, event, now, usage), None
    if not displaces(event, held):
        return _counted(job, contested(job, event)), None
    freed = step(holder, Unbind(attempt=held.id), now)
    if holder.id == job.id:
        return step(freed, event, now), None
    return step(job, event, now), freed


def account_of(job: JobRecord, event: Event) -> str:
    """Return the account whose slots and tasks *event* is about."""
    match event:
        case Evidence(account=str(account)):
            return account
        case Cancel() | Abandon() | Resubmit():
            return job.newest.account
        case _:
            attempt = job.attempt(event.attempt)
            return job.newest.account if attempt is None else attempt.account


def _held(holder: JobRecord, event: Event) -> Attempt | None:
    if not isinstance(event, Evidence):
        return None
    task = event.snapshot.task.id
    return next(
        (a for a in holder.attempts if a.task is not None and a.task.id == task and a.id != event.attempt),
        None,
    )


def step(job: JobRecord, event: Event, now: float, usage: Usage = Usage()) -> JobRecord:  # noqa: B008
    """Return what *event* makes of *job*; the very same object when its guard does not hold."""
    return _counted(job, put_away(_decided(job, event, now, usage)))


def _counted(before: JobRecord, after: JobRecord) -> JobRecord:
    same = (
        before.state is after.state
        and before.extras is after.extras
        and before.cancel_requested is after.cancel_requested
    )
    return after if same else evolve(after, version=before.version + 1)


def _decided(job: JobRecord, event: Event, now: float, usage: Usage) -> JobRecord:
    match event:
        case Claim():
            return claim(job, event, now, usage)
        case Sending():
            return pass_the_fence(job, event)
        case Replaying():
            return replay(job, event, now)
        case ReplayOver():
            return replay_over(job, event, now)
        case Refused():
            return refuse(job, event)
        case PassedOver():
            return pass_over(job, event)
        case Evidence():
            return learn(job, event)
        case Unknown(attempt=id_, owner=owner):
            return moved(
                job,
                id_,
                lambda a: a.state in CLAIMED and a.owner == owner,
                state=AttemptState.AMBIGUOUS,
                replay=None,  # its owner knows an answer after which nothing is sent again
            )
        case LeaseOver():
            return lease_over(job, event, now)
        case NothingFound():
            return _nothing_found(job, event, now)
        case Lost(attempt=id_):
            return moved(job, id_, lambda a: a.state is AttemptState.RUNNING, state=AttemptState.UNRESOLVED)
        case Unbind(attempt=id_):
            return _unbound(job, id_, lambda a: a.state in OPEN)
        case Mismatch(attempt=id_, task=task):
            return _unbound(
                job, id_, lambda a: a.state in _WATCHED and a.task is not None and a.task.id == task
            )
        case Cancel():
            return _cancel(job)
        case Resubmit():
            return _resubmit(job, event)
        case Abandon(attempt=named):
            return _abandon(job, named)
        case SlotOver(attempt=id_):
            return moved(
                job,
                id_,
                lambda a: a.slot and a.state in LOST and now > a.slot_until,
                slot=False,
            )
    restored: Restored = event
    return moved(job, restored.attempt, lambda a: a.state in UNSENT, state=AttemptState.AMBIGUOUS)


def _unbound(job: JobRecord, attempt_id: str, guard: Callable[[Attempt], bool]) -> JobRecord:
    """Take a task away that was bound without proof; whatever was sent keeps its slot."""
    return moved(
        job,
        attempt_id,
        lambda a: a.bound_by in {"callback", "answer"} and guard(a),
        state=AttemptState.AMBIGUOUS,
        task=None,
        bound_by=None,
    )


def _nothing_found(job: JobRecord, event: NothingFound, now: float) -> JobRecord:
    attempt = job.attempt(event.attempt)
    if attempt is None or attempt.state is not AttemptState.AMBIGUOUS or now <= attempt.resolve_after:
        return job
    if event.sent_at is None:
        return evolve(job, attempts=replaced(job, changed(attempt, state=AttemptState.UNRESOLVED)))
    if event.sent_at <= attempt.resolve_after:
        return job
    negatives = attempt.negatives + 1
    state = AttemptState.UNRESOLVED if negatives >= 2 else AttemptState.AMBIGUOUS
    return evolve(job, attempts=replaced(job, changed(attempt, state=state, negatives=negatives)))


def _cancel(job: JobRecord) -> JobRecord:
    if job.state is not JobState.OPEN or job.cancel_requested:
        return job
    attempts = tuple(
        changed(a, state=AttemptState.CANCELLED) if a.state is AttemptState.QUEUED else a
        for a in job.attempts
    )
    return closed(evolve(job, attempts=attempts, cancel_requested=True))


def _resubmit(job: JobRecord, event: Resubmit) -> JobRecord:
    if not may_resubmit(job, event.attempt):
        return job
    # The word is about the video: whatever else is in doubt must not block the new attempt's claim.
    attempts = tuple(
        changed(a, superseded=True) if a.state is AttemptState.UNRESOLVED and not a.superseded else a
        for a in job.attempts
    )
    return queued(evolve(job, attempts=attempts), event.next)


def _abandon(job: JobRecord, named: str | None) -> JobRecord:
    ids = {a.id for a in doubted(job, named)}
    if not ids:
        return job
    attempts = tuple(changed(a, abandoned=True) if a.id in ids else a for a in job.attempts)
    return closed(evolve(job, attempts=attempts))
