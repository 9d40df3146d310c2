"""Laws of the moment before a byte leaves."""

from __future__ import annotations

from benchmarks.model.book import KEY, NOW, WITHIN
from benchmarks.model.laws.cases import LIVE, S
from pika_async._ledger.records import Attempt, JobRecord, JobState


def no_post_after_a_siblings_evidence(job: JobRecord) -> bool:
    """No byte leaves while a sibling runs or has succeeded."""
    return not any(a.state in LIVE for a in job.attempts)


def no_post_after_a_cancel(job: JobRecord) -> bool:
    """No byte leaves once the job is cancelled or has ended."""
    return job.state is JobState.OPEN and not job.cancel_requested


def a_replay_leaves_within_t(job: JobRecord, attempt: Attempt) -> bool:
    """The same bytes leave again only within T of the claim, and not once anything else may follow."""
    in_time = attempt.claimed_at is not None and attempt.claimed_at + WITHIN >= NOW
    wanted = job.state is JobState.OPEN and not job.cancel_requested and not attempt.superseded
    alive = any(a.state in LIVE or a.state is S.QUEUED for a in job.attempts)
    return in_time and wanted and not alive and attempt.state in {S.SENDING, S.AMBIGUOUS}


def a_replay_leaves_under_its_first_key(attempt: Attempt, key: str) -> bool:
    """The same bytes leave again only under the credential of the first time."""
    return key == KEY and (attempt.replay is None or attempt.replay.key == key)


OF_FENCES = (no_post_after_a_siblings_evidence, no_post_after_a_cancel)
