"""The ledger of the model: the shipped `settle`, its answers remembered, and equal records kept once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from pika_async._ledger import machine
from pika_async._ledger.events import Event, Evidence
from pika_async._ledger.evolve import evolve
from pika_async._ledger.records import Attempt, JobRecord, Refusal, Usage
from pika_async._ledger.times import Times
from pika_async.results import Task

NOW = 100_000.0
"""The model's clock stands still; rows grow older instead."""
WITHIN = 600.0
"""T: seconds within which the same bytes may be sent again."""
KEY, OTHER_KEY = "key", "other key"
"""Fingerprints of the credentials that processes have."""
TIMES = Times(resolve=WITHIN)
AGES = (
    0.0,
    TIMES.lease + 1.0,
    TIMES.lease + TIMES.resolve + 1.0,
    TIMES.claim_to_byte + TIMES.acceptance + TIMES.longest_render + TIMES.slack + 1.0,
)
"""One age for each class: within the lease L, after L, after E, after the end of the slot."""
REFUSAL = Refusal(error="SubmitRefused", message="no")

Jobs: TypeAlias = tuple[int, ...]


class Book:
    """Records by number, and what became of each event told to each of them."""

    def __init__(self, caps: int | None = None) -> None:
        self.records: list[JobRecord] = []
        self.caps = caps
        self._numbers: dict[tuple[Any, ...], int] = {}
        self._settled: dict[tuple[Jobs, int, str], Jobs] = {}
        self._changed: dict[tuple[Jobs, str], Jobs] = {}

    def number(self, job: JobRecord) -> int:
        """Return the number of *job*, versions aside: that no process decides on an old one is assumed."""
        key = _key(job)
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.records)
            attempts = tuple(evolve(a, version=0) for a in job.attempts)
            self.records.append(evolve(job, attempts=attempts, version=0))
        return number

    def job(self, number: int) -> JobRecord:
        """Return a record."""
        return self.records[number]

    def tell(self, jobs: Jobs, place: int, name: str, event: Callable[[], Event]) -> Jobs:
        """Return the jobs after an event told to the job at *place*; *name* says which event it is."""
        key = jobs, place, name
        after = self._settled.get(key)
        if after is None:
            after = self._settled[key] = self._told(jobs, place, event())
        return after

    def moves(self, jobs: Jobs, place: int, event: Event) -> bool:
        """Return whether an event is granted, also one that leaves no other trace than a version."""
        job = self.records[jobs[place]]
        return machine.settle(job, event, NOW, Usage(), None)[0] is not job

    def change(self, jobs: Jobs, name: str, change: Callable[[JobRecord], JobRecord]) -> Jobs:
        """Return the jobs after what no event does: time that passes, a process that dies."""
        key = jobs, name
        after = self._changed.get(key)
        if after is None:
            after = tuple(self.number(change(self.records[number])) for number in jobs)
            self._changed[key] = after
        return after

    def _told(self, jobs: Jobs, place: int, event: Event) -> Jobs:
        records = [self.records[number] for number in jobs]
        before = records[place]
        holder = _holder(records, event) if isinstance(event, Evidence) else None
        after, freed = machine.settle(before, event, NOW, _usage(records), holder)
        if holder is not None and freed is not None:
            records[records.index(holder)] = freed
        records[place] = after
        return tuple(self.number(record) for record in records)


def _holder(records: list[JobRecord], event: Evidence) -> JobRecord | None:
    task = event.snapshot.task.id
    return next((j for j in records for a in j.attempts if a.task is not None and a.task.id == task), None)


def _usage(records: list[JobRecord]) -> Usage:
    attempts = [a for job in records for a in job.attempts]
    return Usage(slots=sum(a.slot for a in attempts), submits=sum(a.claimed_at is not None for a in attempts))


def _key(job: JobRecord) -> tuple[Any, ...]:
    extras = tuple((type(extra).__name__, extra.task.id) for extra in job.extras)
    attempts = tuple(_attempt_key(attempt) for attempt in job.attempts)
    return job.id, job.state, job.cancel_requested, job.winner, extras, attempts


def _attempt_key(a: Attempt) -> tuple[Any, ...]:
    return (
        a.id,
        a.state,
        a.slot,
        a.superseded,
        a.abandoned,
        a.owner,
        a.claimed_at,
        a.lease_until,
        a.resolve_after,
        a.slot_until,
        a.negatives,
        a.task.id if isinstance(a.task, Task) else None,
        a.bound_by,
        type(a.outcome).__name__,
        a.replay,
    )


def age_of(attempt: Attempt) -> int:
    """Return the class of the time since the attempt's claim."""
    return 0 if attempt.claimed_at is None else AGES.index(NOW - attempt.claimed_at)


def older(attempt: Attempt) -> Attempt:
    """Return the attempt in the next class of time."""
    assert attempt.claimed_at is not None
    age = age_of(attempt)
    past = AGES[age + 1] - AGES[age]
    return evolve(
        attempt,
        claimed_at=attempt.claimed_at - past,
        lease_until=attempt.lease_until - past,
        resolve_after=attempt.resolve_after - past,
        slot_until=attempt.slot_until - past,
        replay=None if attempt.replay is None else evolve(attempt.replay, until=attempt.replay.until - past),
    )
