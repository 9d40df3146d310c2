"""A ledger that lives as long as the process: the library's default."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import islice, zip_longest

from pika_async._crossing import process_bound
from pika_async._ledger.change import Change, refused_by
from pika_async._ledger.events import Event, Evidence
from pika_async._ledger.evolve import evolve
from pika_async._ledger.faults import task_taken, unknown_job
from pika_async._ledger.forgetting import forgotten, is_over
from pika_async._ledger.machine import account_of, settle
from pika_async._ledger.pacing import paced
from pika_async._ledger.records import (
    CALLBACKS_PER_ATTEMPT,
    Attempt,
    AttemptState,
    JobRecord,
    Member,
    Move,
    Received,
    Usage,
)
from pika_async._ledger.sent import sent_bytes
from pika_async._ledger.sharing import shared
from pika_async._ledger.spending import added, total
from pika_async._ledger.standing import OPEN, frees_its_key, settled

_CALLBACKS_REMEMBERED = 10_000
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
        self._accounts: dict[str, Usage] = {}
        self._sent: dict[str, bytes] = {}
        self._submits = 0
        self._spent: Mapping[str, int] = {}
        self._leases: dict[str, tuple[str, float]] = {}
        self._members: dict[str, dict[str, Member]] = {}
        self._learned: dict[str, str] = {}
        self._had: dict[str, set[bytes]] = {}
        self._received = 0
        self._pending: dict[int, Received] = {}

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
        before = self._jobs.get(job_id) or self._ended.get(job_id)
        if before is None:
            raise unknown_job(job_id)
        return self._decided(before, event)

    def _decided(self, before: JobRecord, event: Event) -> Change:
        now = self.now()
        account = account_of(before, event)
        holder = None
        if isinstance(event, Evidence):
            holder = self._jobs.get(self._by_task.get((account, event.snapshot.task.id), ""))
        usage = self._usage(account)
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
        kept = self._usage(account)
        if (usage := paced(kept, event, now)) is not kept:
            self._accounts[account] = usage
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
        ids = list(self._jobs)
        later = ids[ids.index(after) + 1 :] if after in self._jobs else ids
        jobs = (self._jobs[job_id] for job_id in later)
        found = (
            job
            for job in jobs
            if any(a.state in states and account in {None, a.account} for a in job.attempts)
        )
        return list(islice(found, limit))

    async def usage(self, account: str) -> Usage:
        """Read what *account* uses, and all submits ever claimed here."""
        return self._usage(account)

    def _usage(self, account: str) -> Usage:
        usage = self._accounts.get(account)
        if usage is None:
            return Usage(submits=self._submits, spent=self._spent)
        if usage.submits == self._submits and usage.spent == self._spent:
            return usage
        return evolve(usage, submits=self._submits, spent=self._spent)

    async def present(self, account: str, member: Member, seconds: float) -> Usage:
        """Say that a process sends for *account*, for *seconds* from now on."""
        now = self.now()
        members = self._members.setdefault(account, {})
        members[member.owner] = evolve(member, until=now + seconds)
        self._members[account] = {m.owner: m for m in members.values() if m.until > now}
        self._accounts[account] = shared(self._usage(account), self._members[account].values(), now)
        return self._accounts[account]

    async def members(self, account: str) -> Sequence[Member]:
        """Read the processes that send for *account* and are alive."""
        return [m for m in self._members.get(account, {}).values() if m.until > self.now()]

    async def lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take or keep the lease *name*, unless another owner has it."""
        holder, until = self._leases.get(name, (owner, 0.0))
        if holder != owner and until > self.now():
            return False
        self._leases[name] = owner, self.now() + seconds
        return True

    async def learned(self, account: str, state: str | None = None) -> str | None:
        """Read what pollers learned of *account*; with *state*, keep that first."""
        if state is not None:
            self._learned[account] = state
        return self._learned.get(account)

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
        every = (*self._jobs.values(), *self._ended.values())
        found = [job for job in every if text and job.id.startswith(text)]
        return found[0] if len(found) == 1 else None

    async def jobs(
        self, state: str | None = None, limit: int = 100, before: str | None = None
    ) -> Sequence[JobRecord]:
        """Read the jobs still kept, newest first."""
        kept = (job for job in self._jobs.values() if not _is_pruned(job))
        every = sorted((*kept, *self._ended.values()), key=_arrival, reverse=True)
        ids = [job.id for job in every]
        older = every[ids.index(before) + 1 :] if before in ids else every
        return [job for job in older if state is None or _is_in(job, state)][:limit]

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
        for name in [name for name, state in self._learned.items() if is_over(name, state, self.now())]:
            del self._learned[name]
        ended = [job.id for job in self._ended.values() if job.created_at < older_than]
        for job_id in ended:
            del self._ended[job_id]
        keyed = [job for job in self._jobs.values() if settled(job) and job.created_at < older_than]
        keyed = [job for job in keyed if not _is_pruned(job)]
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
            received_at=self.now(),
            headers=headers,
            body=body,
        )
        if len(self._pending) > _CALLBACKS_REMEMBERED:
            del self._pending[next(iter(self._pending))]
        return True

    async def inbox_pending(self, limit: int = 100, after: int = 0) -> Sequence[Received]:
        """Read the callbacks nobody has dealt with, oldest first."""
        newer = (received for received in self._pending.values() if received.id > after)
        return list(islice(newer, limit))

    async def inbox_done(self, received_id: int) -> None:
        """Mark a callback as dealt with."""
        self._pending.pop(received_id, None)

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
        held = old is not None and old.slot
        if new.claimed_at is not None and (old is None or old.claimed_at is None):
            self._submits += 1
        if new.price is not None and (money := added(old, new)) is not None:
            self._spent = total(self._spent, money)
        if new.slot is not held:
            usage = self._accounts.get(new.account) or Usage()
            slots = usage.slots + new.slot - held
            self._accounts[new.account] = evolve(usage, slots=slots, submits=self._submits)
        if new.task is not None:
            self._by_task[new.account, new.task.id] = new.job_id

    def _forget(self, job: JobRecord) -> None:
        self._jobs.pop(job.id, None)
        if job.key is not None and self._by_key.get(job.key) == job.id:
            del self._by_key[job.key]
        for attempt in job.attempts:
            if attempt.task is not None:
                self._by_task.pop((attempt.account, attempt.task.id), None)


def _is_pruned(job: JobRecord) -> bool:
    """Return whether only what keeps a key from being bought again is left."""
    return job.key is not None and job.request is None and settled(job)


def _arrival(job: JobRecord) -> tuple[float, str]:
    return job.created_at, job.id


def _is_in(job: JobRecord, state: str) -> bool:
    return job.state == state or any(a.state == state and a.state in OPEN for a in job.attempts)
