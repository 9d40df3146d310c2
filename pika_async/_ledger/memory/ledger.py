"""The ledger in memory, as the engine sees it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from itertools import chain, zip_longest

from pika_async._crossing import process_bound
from pika_async._ledger.change import Change, refused_by
from pika_async._ledger.events import Event, Evidence
from pika_async._ledger.evolve import evolve
from pika_async._ledger.faults import task_taken, unknown_job
from pika_async._ledger.forgetting import forgotten
from pika_async._ledger.machine import account_of, settle
from pika_async._ledger.memory import listing
from pika_async._ledger.memory.accounts import Accounts
from pika_async._ledger.memory.inbox import Inbox
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, Member, Move, Received, Usage
from pika_async._ledger.sent import sent_bytes
from pika_async._ledger.standing import OPEN, frees_its_key, settled

_ENDED_REMEMBERED = 1_000
"""Settled jobs without a key that stay readable, without their requests."""


@process_bound("it ends with its process: use Pika(ledger=path) in both, and the file is shared")
class MemoryLedger:
    """Keeps open jobs, those that an idempotency key points at, and the last thousand that ended."""

    shared = False
    remembers = False

    def __init__(self) -> None:
        self.id = os.urandom(8).hex()
        self.now: Callable[[], float] = time.time
        self._secret = os.urandom(32)
        self._jobs: dict[str, JobRecord] = {}
        self._ended: dict[str, JobRecord] = {}
        self._by_key: dict[str, str] = {}
        self._by_task: dict[tuple[str, str], str] = {}
        self._sent: dict[str, bytes] = {}
        self._accounts = Accounts()
        self._inbox = Inbox()

    async def open(self, wall: Callable[[], float] = time.time) -> None:
        """Take over the clock: memory is always there."""
        self.now = wall

    async def aclose(self) -> None:
        """Do nothing: the jobs end with the process."""

    async def create(self, job: JobRecord, first: Event | None = None) -> Change:
        """Keep *job* and decide on its *first* event, or return the one that has its id or holds its key."""
        known = self.known(job.id)
        if known is None and job.key is not None:
            holder = self._jobs.get(self._by_key.get(job.key, ""))
            known = None if holder is None or frees_its_key(holder) else holder
        if known is not None:
            return Change(before=known, after=known, moved=False, at=self.now())
        for attempt in job.attempts:
            if attempt.task is not None and (attempt.account, attempt.task.id) in self._by_task:
                raise task_taken(attempt.account, self._by_task[attempt.account, attempt.task.id])
        if job.key is not None:
            if (holder := self._jobs.get(self._by_key.get(job.key, ""))) is not None:
                # It is refused for good. It stays, because more may be learned of it.
                self._keep(holder, evolve(holder, key=None, version=holder.version + 1))
            self._by_key[job.key] = job.id
        for attempt in job.attempts:
            self._count(None, attempt)
        self._jobs[job.id] = job
        if first is None:
            return Change(before=None, after=job, at=self.now())
        return evolve(self._decided(job, first), before=None, moved=True)

    async def get(self, job_id: str) -> JobRecord | None:
        """Read one job."""
        return self.known(job_id)

    def known(self, job_id: str) -> JobRecord | None:
        """Read one job."""
        return self._jobs.get(job_id) or self._ended.get(job_id)

    async def apply(self, job_id: str, event: Event) -> Change:
        """Let the machine decide on *event* and keep the outcome."""
        before = self.known(job_id)
        if before is None:
            raise unknown_job(job_id)
        return self._decided(before, event)

    def _decided(self, before: JobRecord, event: Event) -> Change:
        now = self.now()
        account = account_of(before, event)
        holder = None
        if isinstance(event, Evidence):
            holder = self._jobs.get(self._by_task.get((account, event.snapshot.task.id), ""))
        usage = self._accounts.usage(account)
        after, freed = settle(before, event, now, usage, holder)
        if holder is not None and freed is not None:
            self._keep(holder, freed)
        if after is before:
            obstacle = refused_by(before, event, usage, now)
            return Change(
                before=before, after=after, event=event, moved=False, at=now, obstacle=obstacle, usage=usage
            )
        self._keep(before, after)
        for attempt_id, data in sent_bytes(before, after, event).items():
            if data is None:
                self._sent.pop(attempt_id, None)
            else:
                self._sent[attempt_id] = data
        usage = self._accounts.pace(account, event, now)
        return Change(before=before, after=after, event=event, at=now, usage=usage)

    async def sent(self, attempt_id: str) -> bytes | None:
        """Read the bytes that an attempt was sent with, while they are kept."""
        return self._sent.get(attempt_id)

    async def open_jobs(
        self,
        states: Collection[AttemptState] = OPEN,
        *,
        account: str | None = None,
        after: str | None = None,
        limit: int = 500,
    ) -> Sequence[JobRecord]:
        """Read a page of the jobs that have an attempt in one of *states*."""
        return listing.open_jobs(self._jobs, states, account, after, limit)

    async def usage(self, account: str) -> Usage:
        """Read what *account* uses, and all submits ever claimed here."""
        return self._accounts.usage(account)

    async def present(self, account: str, member: Member, seconds: float) -> Usage:
        """Say that a process sends for *account*, for *seconds* from now on."""
        return self._accounts.present(account, member, seconds, self.now())

    async def members(self, account: str) -> Sequence[Member]:
        """Read the processes that send for *account* and are alive."""
        return self._accounts.members(account, self.now())

    async def lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take or keep the lease *name*, unless another owner has it."""
        return self._accounts.lease(name, owner, seconds, self.now())

    async def learned(self, account: str, state: str | None = None) -> str | None:
        """Read what pollers learned of *account*; with *state*, keep that first."""
        return self._accounts.learned(account, state)

    async def news(self) -> Collection[str] | None:
        """Return nothing: no other process writes here."""
        return ()

    def tells(self, call: Callable[[], None]) -> None:
        """Call nothing: there is no news."""

    async def find(self, text: str) -> JobRecord | None:
        """Read the job with that id, or attempt's id, or unique start of an id."""
        exact = self.known(text) or self.known(text.partition("-")[0])
        if exact is not None and (exact.id == text or exact.attempt(text) is not None):
            return exact
        return listing.beginning_with(self._every(), text)

    async def jobs(
        self, state: str | None = None, limit: int = 100, before: str | None = None
    ) -> Sequence[JobRecord]:
        """Read the jobs still kept, newest first."""
        return listing.newest(self._every(), state, limit, before)

    async def history(self, job_id: str) -> Sequence[Move]:  # noqa: ARG002
        """Return nothing: memory keeps no history."""
        return ()

    async def forget(self, job_id: str, *, media_only: bool = False) -> bool:
        """Forget the prompt and media of a job that has ended."""
        job = self.known(job_id)
        if job is None or not settled(job):
            return False
        kept = self._jobs if job_id in self._jobs else self._ended
        kept[job_id] = forgotten(job, media_only=media_only)
        return True

    async def prune(self, older_than: float) -> int:
        """Forget settled jobs; of those with a key all but the request stays."""
        self._accounts.forget_links(self.now())
        ended = [job.id for job in self._ended.values() if job.created_at < older_than]
        for job_id in ended:
            del self._ended[job_id]
        keyed = [job for job in self._jobs.values() if settled(job) and job.created_at < older_than]
        keyed = [job for job in keyed if not listing.is_pruned(job)]
        for job in keyed:
            if frees_its_key(job):
                self._forget(job)
            else:
                self._jobs[job.id] = evolve(job, request=None, files=None)
        return len(ended) + len(keyed)

    async def secret(self) -> bytes:
        """Return this process's secret."""
        return self._secret

    async def inbox_put(self, attempt_id: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Keep a callback; False for a repeat, or when the attempt has had too many."""
        return self._inbox.put(attempt_id, body, headers, self.now())

    async def inbox_pending(self, limit: int = 100, after: int = 0) -> Sequence[Received]:
        """Read the callbacks nobody has dealt with, oldest first."""
        return self._inbox.pending(limit, after)

    async def inbox_done(self, received_id: int) -> None:
        """Mark a callback as dealt with."""
        self._inbox.done(received_id)

    def _every(self) -> Iterator[JobRecord]:
        return chain(self._jobs.values(), self._ended.values())

    def _keep(self, before: JobRecord, after: JobRecord) -> None:
        # Attempts keep their places, and new ones come last. A task may go from one to another.
        changed = [(o, n) for o, n in zip_longest(before.attempts, after.attempts) if n is not o]
        for old, _ in changed:
            if old is not None and old.task is not None:
                self._by_task.pop((old.account, old.task.id), None)
        for old, new in changed:
            self._count(old, new)
        if not settled(after) or after.key is not None:
            self._ended.pop(after.id, None)
            self._jobs[after.id] = after
            return
        self._forget(after)
        self._ended[after.id] = evolve(after, request=None)
        if len(self._ended) > _ENDED_REMEMBERED:
            del self._ended[next(iter(self._ended))]

    def _count(self, old: Attempt | None, new: Attempt) -> None:
        self._accounts.count(old, new)
        if new.task is not None:
            self._by_task[new.account, new.task.id] = new.job_id

    def _forget(self, job: JobRecord) -> None:
        self._jobs.pop(job.id, None)
        if job.key is not None and self._by_key.get(job.key) == job.id:
            del self._by_key[job.key]
        for attempt in job.attempts:
            if attempt.task is not None:
                self._by_task.pop((attempt.account, attempt.task.id), None)
