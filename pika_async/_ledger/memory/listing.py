"""Finding many jobs: pages, and searches. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import islice

from pika_async._ledger.records import AttemptState, JobRecord
from pika_async._ledger.standing import OPEN, settled


def open_jobs(
    jobs: Mapping[str, JobRecord],
    states: Collection[AttemptState],
    account: str | None,
    after: str | None,
    limit: int,
) -> Sequence[JobRecord]:
    """Return a page of *jobs*, by id in the order of arrival: those with an attempt in one of *states*."""
    ids = list(jobs)
    later = ids if after is None or after not in jobs else ids[ids.index(after) + 1 :]
    found = (
        job
        for job in map(jobs.__getitem__, later)
        if any(a.state in states and account in {None, a.account} for a in job.attempts)
    )
    return list(islice(found, limit))


def beginning_with(jobs: Iterable[JobRecord], text: str) -> JobRecord | None:
    """Return the job whose id alone starts with *text*."""
    found = [job for job in jobs if text and job.id.startswith(text)]
    return found[0] if len(found) == 1 else None


def newest(
    jobs: Iterable[JobRecord], state: str | None, limit: int, before: str | None
) -> Sequence[JobRecord]:
    """Return a page of *jobs*, newest first, without those of which only a key is left."""
    every = sorted((job for job in jobs if not is_pruned(job)), key=_arrival, reverse=True)
    ids = [job.id for job in every]
    older = every[ids.index(before) + 1 :] if before in ids else every
    return [job for job in older if state is None or _is_in(job, state)][:limit]


def is_pruned(job: JobRecord) -> bool:
    """Return whether only what keeps a key from being bought again is left."""
    return job.key is not None and job.request is None and settled(job)


def _arrival(job: JobRecord) -> tuple[float, str]:
    return job.created_at, job.id


def _is_in(job: JobRecord, state: str) -> bool:
    return job.state == state or any(a.state == state and a.state in OPEN for a in job.attempts)
