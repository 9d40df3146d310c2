"""The pay-once table as one pure, total function. No clock, no storage, no randomness.

The main rule: time leads to a look-up, or to a replay of the same bytes within T, never to a new purchase.
The moves are those of docs/pay-once.md; what `Evidence` does is in `evidence`, and what may
be sent again in `replays`.
"""

from __future__ import annotations

from collections.abc import Callable

from pika_async._ledger.attempts import changed, moved, replaced
from pika_async._ledger.events import (
    Abandon,
    Cancel,
    Claim,
    Event,
    Evidence,
    LeaseOver,
    Lost,
    Mismatch,
    NextAttempt,
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
from pika_async._ledger.pacing import obstacle
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState, Refusal, Replayable, Usage
from pika_async._ledger.replays import put_away, replay, replay_over
from pika_async._ledger.standing import (
    CLAIMED,
    LOST,
    OPEN,
    UNANSWERED,
    UNSENT,
    doubted,
    makes_way,
    may_resubmit,
    may_send,
)

_WATCHED = frozenset({AttemptState.RUNNING, AttemptState.UNRESOLVED})
_SILENT = Refusal(
    error="ProviderUnavailable", message="Nothing was sent: the process that was to send it fell silent."
)


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
            return _claim(job, event, now, usage)
        case Sending():
            return _pass_the_fence(job, event)
        case Replaying():
            return replay(job, event, now)
        case ReplayOver():
            return replay_over(job, event, now)
        case Refused():
            return _refuse(job, event)
        case PassedOver():
            return _pass_over(job, event)
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
            return _lease_over(job, event, now)
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


def claimable(job: JobRecord, attempt: Attempt, now: float) -> bool:
    """Return whether the attempt may be claimed, slots, pace and caps aside."""
    return attempt.state is AttemptState.QUEUED and attempt.not_before <= now and may_send(job, attempt)


def _claim(job: JobRecord, claim: Claim, now: float, usage: Usage) -> JobRecord:
    attempt = job.attempt(claim.attempt)
    if attempt is None or not claimable(job, attempt, now) or obstacle(claim, usage, now) is not None:
        return job
    times = claim.times
    claimed = changed(
        attempt,
        state=AttemptState.SUBMITTING,
        slot=True,
        owner=claim.owner,
        claimed_at=now,
        lease_until=now + times.lease,
        resolve_after=now + times.lease + times.resolve,
        slot_until=now + times.claim_to_byte + times.acceptance + times.longest_render + times.slack,
        price=claim.price,
        address=claim.address,
    )
    return evolve(job, attempts=replaced(job, claimed))


def _pass_the_fence(job: JobRecord, event: Sending) -> JobRecord:
    """Mark that the first byte may leave, if the row is still what its owner claimed."""
    attempt = job.attempt(event.attempt)
    replay = None
    if event.sent is not None and attempt is not None and attempt.claimed_at is not None:
        replay = Replayable(until=attempt.claimed_at + event.sent.within, key=event.sent.key)
    return moved(
        job,
        event.attempt,
        lambda a: (
            a.state is AttemptState.SUBMITTING
            and a.owner == event.owner
            and event.version in {None, a.version}
            and may_send(job, a)
        ),
        state=AttemptState.SENDING,
        replay=replay,
    )


def _refuse(job: JobRecord, event: Refused) -> JobRecord:
    attempt = job.attempt(event.attempt)
    if attempt is None or attempt.state not in UNANSWERED:
        return job
    if attempt.task is not None or attempt.owner != event.owner:
        return job
    return _without_it(job, attempt, event.refusal, event.next)


def _pass_over(job: JobRecord, event: PassedOver) -> JobRecord:
    """Go on to the next provider with an order that no process has claimed."""
    attempt = job.attempt(event.attempt)
    if attempt is None or attempt.state is not AttemptState.QUEUED or not may_send(job, attempt):
        return job
    return _without_it(job, attempt, event.refusal, event.next)


def _lease_over(job: JobRecord, event: LeaseOver, now: float) -> JobRecord:
    """Give up on an owner that stopped responding: what it had not begun to send can never leave any more."""
    attempt = job.attempt(event.attempt)
    if attempt is None or attempt.state not in CLAIMED or now <= attempt.lease_until:
        return job
    if attempt.state is AttemptState.SENDING:
        return evolve(job, attempts=replaced(job, changed(attempt, state=AttemptState.AMBIGUOUS)))
    return _without_it(job, attempt, _SILENT, event.next)


def _without_it(job: JobRecord, attempt: Attempt, refusal: Refusal, next_: NextAttempt | None) -> JobRecord:
    """Refuse *attempt*, of which nothing was bought, and go on to *next_* where the job allows it."""
    refused = changed(attempt, state=AttemptState.REFUSED, slot=False, outcome=refusal)
    after = evolve(job, attempts=replaced(job, refused))
    may_go_on = (
        attempt.id == job.newest.id
        and not attempt.superseded
        and not attempt.abandoned
        and job.state is JobState.OPEN
        and not job.cancel_requested
        # Job rule 6: an earlier sibling may have come to life by evidence.
        and all(makes_way(a) for a in after.attempts)
    )
    return _queue(after, next_) if next_ is not None and may_go_on else closed(after)


def _queue(job: JobRecord, next_: NextAttempt) -> JobRecord:
    attempt = Attempt(
        id=next_.id,
        job_id=job.id,
        number=job.newest.number + 1,
        account=next_.account,
        not_before=next_.not_before,
    )
    return evolve(job, attempts=(*job.attempts, attempt))


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
    return _queue(evolve(job, attempts=attempts), event.next)


def _abandon(job: JobRecord, named: str | None) -> JobRecord:
    ids = {a.id for a in doubted(job, named)}
    if not ids:
        return job
    attempts = tuple(changed(a, abandoned=True) if a.id in ids else a for a in job.attempts)
    return closed(evolve(job, attempts=attempts))
