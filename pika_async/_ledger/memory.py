"""A ledger that lives as long as the process: the library's default."""

from __future__ import annotations

from collections.abc import Sequence

from pika_async._ledger.machine import (
    OPEN,
    Attempt,
    Evidence,
    Event,
    JobRecord,
    Unbind,
    Usage,
    outranks,
    step,
)
from pika_async.errors import LedgerError


class MemoryLedger:
    """Keeps open jobs, and finished ones only while an idempotency key points at them."""

    def __init__(self) -> None:
        self._jobs: dict[str, JobRecord] = {}
        self._by_key: dict[str, str] = {}
        self._by_task: dict[tuple[str, str], tuple[str, str]] = {}
        self._slots: dict[str, int] = {}
        self._submits = 0

    async def open(self) -> None:
        """Do nothing: memory is always there."""

    async def aclose(self) -> None:
        """Do nothing: the jobs end with the process."""

    async def create(self, job: JobRecord) -> JobRecord:
        """Keep *job*, or give the one that already holds its key."""
        if job.key is not None:
            held_by = self._by_key.get(job.key)
            if held_by is not None and not self._jobs[held_by].frees_its_key:
                return self._jobs[held_by]
            self._by_key[job.key] = job.id
        for attempt in job.attempts:
            self._count(None, attempt)
        self._jobs[job.id] = job
        return job

    async def get(self, job_id: str) -> JobRecord | None:
        """Read one job."""
        return self._jobs.get(job_id)

    async def apply(self, job_id: str, event: Event, now: float) -> JobRecord:
        """Let the machine decide on *event* and keep the outcome."""
        before = self._jobs.get(job_id)
        if before is None:
            raise LedgerError(f"The ledger does not know job {job_id}; check the id and the ledger.")
        if isinstance(event, Evidence) and not self._may_bind(before, event, now):
            return before
        after = self._step(before, event, now)
        if after is not before:
            self._keep(before, after)
        return after

    async def usage(self, account: str) -> Usage:
        """Count the slots that *account* holds, and all submits ever claimed here."""
        return Usage(slots=self._slots.get(account, 0), submits=self._submits)

    async def unfinished(self) -> Sequence[JobRecord]:
        """Read every job that has an attempt still open."""
        return [job for job in self._jobs.values() if any(a.state in OPEN for a in job.attempts)]

    def _step(self, job: JobRecord, event: Event, now: float) -> JobRecord:
        slots = self._slots.get(job.newest.account, 0)
        return step(job, event, now, Usage(slots=slots, submits=self._submits))

    def _may_bind(self, job: JobRecord, event: Evidence, now: float) -> bool:
        attempt = job.attempt(event.attempt)
        if attempt is None:
            return False
        holder = self._by_task.get((attempt.account, event.snapshot.task.id))
        if holder is None or holder == (job.id, attempt.id):
            return True
        other = self._jobs.get(holder[0])
        held = other.attempt(holder[1]) if other is not None else None
        if other is None or held is None:
            return True
        if not outranks(event.source, held.bound_by):
            return False
        self._keep(other, step(other, Unbind(attempt=held.id), now))
        return True

    def _keep(self, before: JobRecord, after: JobRecord) -> None:
        known = {attempt.id: attempt for attempt in before.attempts}
        for attempt in after.attempts:
            old = known.get(attempt.id)
            if old is not attempt:
                self._count(old, attempt)
        if after.settled and after.key is None:
            self._forget(after)
        else:
            self._jobs[after.id] = after

    def _count(self, old: Attempt | None, new: Attempt) -> None:
        account = new.account
        self._slots[account] = (
            self._slots.get(account, 0) + new.slot - (old.slot if old is not None else False)
        )
        if new.claimed_at is not None and (old is None or old.claimed_at is None):
            self._submits += 1
        if old is not None and old.task is not None and (new.task is None or new.task.id != old.task.id):
            self._by_task.pop((account, old.task.id), None)
        if new.task is not None:
            self._by_task[account, new.task.id] = (new.job_id, new.id)

    def _forget(self, job: JobRecord) -> None:
        self._jobs.pop(job.id, None)
        for attempt in job.attempts:
            if attempt.task is not None:
                self._by_task.pop((attempt.account, attempt.task.id), None)
