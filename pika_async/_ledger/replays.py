"""What of an attempt may be sent again: the same bytes, within T, by one process at a time. Pure.

The rule is that of docs/pay-once.md; what was sent is kept only as long as it may be sent again.
"""

from __future__ import annotations

from pika_async._ledger.attempts import moved, replaced
from pika_async._ledger.events import Replaying, ReplayOver
from pika_async._ledger.evolve import evolve
from pika_async._ledger.records import Attempt, AttemptState, JobRecord
from pika_async._ledger.standing import REPLAYABLE, may_send


def replay(job: JobRecord, event: Replaying, now: float) -> JobRecord:
    """Grant one more sending of the same bytes; the attempt stays as open as it was."""
    attempt = job.attempt(event.attempt)
    if attempt is None or not _may_replay(job, attempt, event, now):
        return job
    if attempt.owner == event.owner and event.key is None:
        return moved(job, event.attempt, lambda _: True)
    return moved(job, event.attempt, lambda _: True, owner=event.owner, lease_until=now + event.lease)


def _may_replay(job: JobRecord, attempt: Attempt, event: Replaying, now: float) -> bool:
    if attempt.superseded or attempt.claimed_at is None or now > attempt.claimed_at + event.within:
        return False
    mine = attempt.state in REPLAYABLE and attempt.owner == event.owner and event.key is None
    return (mine or _may_take_over(attempt, event, now)) and may_send(job, attempt)


def _may_take_over(attempt: Attempt, event: Replaying, now: float) -> bool:
    """Return whether the kept bytes may be sent: under the first key, and by one process at a time."""
    replay = attempt.replay
    return (
        attempt.state is AttemptState.AMBIGUOUS
        and replay is not None
        and replay.kept
        and replay.key == event.key
        and now <= replay.until
        and (attempt.owner == event.owner or now > attempt.lease_until)
    )


def replay_over(job: JobRecord, event: ReplayOver, now: float) -> JobRecord:
    """Forget the bytes: the provider was asked and told nothing, or nobody asked it in time."""
    attempt = job.attempt(event.attempt)
    if attempt is None or (replay := attempt.replay) is None or not replay.kept:
        return job
    if event.owner is not None and event.owner == attempt.owner and attempt.state is AttemptState.AMBIGUOUS:
        return moved(job, event.attempt, lambda _: True, replay=None)
    return moved(job, event.attempt, lambda _: now > replay.until, replay=evolve(replay, kept=False))


def put_away(job: JobRecord) -> JobRecord:
    """Keep no bytes of what is settled, or waits for a person."""
    for attempt in job.attempts:
        replay = attempt.replay
        if replay is None or attempt.state in REPLAYABLE:
            continue
        lost = attempt.state is AttemptState.UNRESOLVED
        left = evolve(replay, kept=False) if lost else None
        if left != replay:
            job = evolve(job, attempts=replaced(job, evolve(attempt, replay=left)))
    return job
