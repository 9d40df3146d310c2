"""How one attempt of a job is changed or added; a changed attempt has a new version. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pika_async._ledger.events import NextAttempt
from pika_async._ledger.evolve import evolve
from pika_async._ledger.records import Attempt, JobRecord


def changed(attempt: Attempt, **changes: Any) -> Attempt:
    """Return *attempt* with *changes*, as its next version."""
    return evolve(attempt, version=attempt.version + 1, **changes)


def replaced(job: JobRecord, attempt: Attempt) -> tuple[Attempt, ...]:
    """Return the attempts of *job* with *attempt* in its place."""
    return tuple(attempt if a.id == attempt.id else a for a in job.attempts)


def moved(job: JobRecord, attempt_id: str, guard: Callable[[Attempt], bool], **changes: Any) -> JobRecord:
    """Return *job* with *changes* of one attempt; the very same job where *guard* refuses it."""
    attempt = job.attempt(attempt_id)
    if attempt is None or not guard(attempt):
        return job
    return evolve(job, attempts=replaced(job, changed(attempt, **changes)))


def queued(job: JobRecord, next_: NextAttempt) -> JobRecord:
    """Return *job* with one more attempt, which waits to be sent."""
    attempt = Attempt(
        id=next_.id,
        job_id=job.id,
        number=job.newest.number + 1,
        account=next_.account,
        not_before=next_.not_before,
    )
    return evolve(job, attempts=(*job.attempts, attempt))
