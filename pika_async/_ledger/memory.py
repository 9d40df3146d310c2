"""A ledger that lives as long as the process: the library's default."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from itertools import islice

from pika_async._crossing import process_bound
from pika_async._ledger.events import Event, Evidence
from pika_async._ledger.faults import task_taken, unknown_job
from pika_async._ledger.machine import account_of, settle
from pika_async._ledger.records import (
    CALLBACKS_PER_ATTEMPT,
    OPEN,
    Attempt,
    AttemptState,
    JobRecord,
    Move,
    Received,
    Usage,
)

_CALLBACKS_REMEMBERED = 10_000


@process_bound("it ends with its process: use Pika(ledger=path) in both, and the file is shared")
class MemoryLedger:
    """Keeps open jobs, and finished ones only while an idempotency key points at them."""

    durable = False

    def __init__(self) -> None:
        self.id = os.urandom(8).hex()
        self._secret = os.urandom(32)
        self._jobs: dict[str, JobRecord] = {}
        self._by_key: dict[str, str] = {}
        self._by_task: dict[tuple[str, str], str] = {}
        self._slots: dict[str, int] = {}
        self._submits = 0
        self._had: dict[str, set[bytes]] = {}
        self._received = 0
        self._pending: dict[int, Received] = {}

    async def open(self) -> None:
        """Do nothing: memory is always there."""

    async def aclose(self) -> None:
        """Do nothing: the jobs end with the process."""

    async def create(self, job: JobRecord) -> JobRecord:
        """Keep *job*, or give the one that already has its id or holds its key."""
        if job.id in self._jobs:
            return self._jobs[job.id]
        if job.key is not None:
            holder = self._jobs.get(self._by_key.get(job.key, ""))
            if holder is not None and not holder.frees_its_key:
                return holder
        for attempt in job.attempts:
            if attempt.task is not None and (attempt.account, attempt.task.id) in self._by_task:
                raise task_taken(attempt.account, self._by_task[attempt.account, attempt.task.id])
        if job.key is not None:
            # The one that gave it up is refused for good.
            self._jobs.pop(self._by_key.get(job.key, ""), None)
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
            raise unknown_job(job_id)
        account = account_of(before, event)
        holder = None
        if isinstance(event, Evidence):
            holder = self._jobs.get(self._by_task.get((account, event.snapshot.task.id), ""))
        usage = Usage(slots=self._slots.get(account, 0), submits=self._submits)
        after, freed = settle(before, event, now, usage, holder)
        if holder is not None and freed is not None:
            self._keep(holder, freed)
        if after is not before:
            self._keep(before, after)
        return after

    async def usage(self, account: str) -> Usage:
        """Count the slots that *account* holds, and all submits ever claimed here."""
        return Usage(slots=self._slots.get(account, 0), submits=self._submits)

    async def unfinished(self, states: Collection[AttemptState] = OPEN) -> Sequence[JobRecord]:
        """Read every job that has an attempt in one of *states*."""
        return [job for job in self._jobs.values() if any(a.state in states for a in job.attempts)]

    async def version(self) -> int:
        """Return 0: no other process writes here."""
        return 0

    async def find(self, text: str) -> JobRecord | None:
        """Read the job with that id, or attempt's id, or unique start of an id."""
        exact = self._jobs.get(text) or self._jobs.get(text.partition("-")[0])
        if exact is not None and (exact.id == text or exact.attempt(text) is not None):
            return exact
        found = [job for job in self._jobs.values() if text and job.id.startswith(text)]
        return found[0] if len(found) == 1 else None

    async def jobs(
        self, state: str | None = None, limit: int = 100, before: str | None = None
    ) -> Sequence[JobRecord]:
        """Read the jobs still kept, newest first."""
        ids = list(self._jobs)
        newest_first = reversed(ids[: ids.index(before)] if before in self._jobs else ids)
        found = (self._jobs[job_id] for job_id in newest_first)
        return [job for job in found if state is None or _is_in(job, state)][:limit]

    async def history(self, job_id: str) -> Sequence[Move]:  # noqa: ARG002
        """Return nothing: memory keeps no history."""
        return ()

    async def prune(self, older_than: float) -> int:
        """Forget settled jobs, with their keys."""
        old = [job for job in self._jobs.values() if job.settled and job.created_at < older_than]
        for job in old:
            self._forget(job)
        return len(old)

    async def secret(self) -> bytes:
        """Return this process's secret."""
        return self._secret

    async def inbox_put(self, attempt_id: str, body: bytes, headers: Mapping[str, str], now: float) -> bool:
        """Keep a callback; False for a repeat, or when the attempt has had too many."""
        had = self._had.setdefault(attempt_id, set())
        if len(self._had) > _CALLBACKS_REMEMBERED:
            del self._had[next(iter(self._had))]
        if body in had or len(had) >= CALLBACKS_PER_ATTEMPT:
            return False
        had.add(body)
        self._received += 1
        self._pending[self._received] = Received(
            id=self._received,
            attempt_id=attempt_id,
            received_at=now,
            headers=headers,
            body=body,
        )
        return True

    async def inbox_pending(self, limit: int = 100, after: int = 0) -> Sequence[Received]:
        """Read the callbacks nobody has dealt with, oldest first."""
        newer = (received for received in self._pending.values() if received.id > after)
        return list(islice(newer, limit))

    async def inbox_done(self, received_id: int) -> None:
        """Mark a callback as dealt with."""
        self._pending.pop(received_id, None)

    def _keep(self, before: JobRecord, after: JobRecord) -> None:
        known = {attempt.id: attempt for attempt in before.attempts}
        for attempt in before.attempts:
            if attempt.task is not None:
                self._by_task.pop((attempt.account, attempt.task.id), None)
        for attempt in after.attempts:
            self._count(known.get(attempt.id), attempt)
        self._jobs[after.id] = after
        if after.settled and after.key is None:
            self._forget(after)

    def _count(self, old: Attempt | None, new: Attempt) -> None:
        held = old is not None and old.slot
        if new.slot is not held:
            self._slots[new.account] = self._slots.get(new.account, 0) + new.slot - held
        if new.claimed_at is not None and (old is None or old.claimed_at is None):
            self._submits += 1
        if new.task is not None:
            self._by_task[new.account, new.task.id] = new.job_id

    def _forget(self, job: JobRecord) -> None:
        self._jobs.pop(job.id, None)
        if job.key is not None and self._by_key.get(job.key) == job.id:
            del self._by_key[job.key]
        for attempt in job.attempts:
            if attempt.task is not None:
                self._by_task.pop((attempt.account, attempt.task.id), None)


def _is_in(job: JobRecord, state: str) -> bool:
    return job.state == state or any(a.state == state and a.state in OPEN for a in job.attempts)
