"""What follows once it is proven that an attempt bought nothing: a new one, or the end of the job. Pure."""

from __future__ import annotations

from pika_async._ledger.attempts import changed, queued, replaced
from pika_async._ledger.events import LeaseOver, NextAttempt, PassedOver, Refused
from pika_async._ledger.evidence import closed
from pika_async._ledger.evolve import evolve
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState, Refusal
from pika_async._ledger.standing import CLAIMED, UNANSWERED, makes_way, may_send

_SILENT = Refusal(
    error="ProviderUnavailable", message="Nothing was sent: the process that was to send it fell silent."
)


def refuse(job: JobRecord, event: Refused) -> JobRecord:
    """Take the owner's word that nothing was bought."""
    attempt = job.attempt(event.attempt)
    if attempt is None or attempt.state not in UNANSWERED:
        return job
    if attempt.task is not None or attempt.owner != event.owner:
        return job
    return _without_it(job, attempt, event.refusal, event.next)


def pass_over(job: JobRecord, event: PassedOver) -> JobRecord:
    """Go on to the next provider with an order that no process has claimed."""
    attempt = job.attempt(event.attempt)
    if attempt is None or attempt.state is not AttemptState.QUEUED or not may_send(job, attempt):
        return job
    return _without_it(job, attempt, event.refusal, event.next)


def lease_over(job: JobRecord, event: LeaseOver, now: float) -> JobRecord:
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
    return queued(after, next_) if next_ is not None and may_go_on else closed(after)
