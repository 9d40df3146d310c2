"""The two moves that come before a POST: the claim, and the mark at the fence. Pure."""

from __future__ import annotations

from pika_async._ledger.attempts import changed, moved, replaced
from pika_async._ledger.events import Claim, Sending
from pika_async._ledger.evolve import evolve
from pika_async._ledger.pacing import obstacle
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, Replayable, Usage
from pika_async._ledger.standing import may_send


def claimable(job: JobRecord, attempt: Attempt, now: float) -> bool:
    """Return whether the attempt may be claimed, slots, pace and caps aside."""
    return attempt.state is AttemptState.QUEUED and attempt.not_before <= now and may_send(job, attempt)


def claim(job: JobRecord, event: Claim, now: float, usage: Usage) -> JobRecord:
    """Take a slot for a queued attempt, and fix all its times from now on."""
    attempt = job.attempt(event.attempt)
    if attempt is None or not claimable(job, attempt, now) or obstacle(event, usage, now) is not None:
        return job
    times = event.times
    claimed = changed(
        attempt,
        state=AttemptState.SUBMITTING,
        slot=True,
        owner=event.owner,
        claimed_at=now,
        lease_until=now + times.lease,
        resolve_after=now + times.lease + times.resolve,
        slot_until=now + times.claim_to_byte + times.acceptance + times.longest_render + times.slack,
        price=event.price,
        address=event.address,
    )
    return evolve(job, attempts=replaced(job, claimed))


def pass_the_fence(job: JobRecord, event: Sending) -> JobRecord:
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
