"""One transaction of a SQLite ledger: what is read and decided in it, for many callers at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable

from pika_async._ledger.change import Change, described, refused_by
from pika_async._ledger.events import Event, Evidence
from pika_async._ledger.evidence import binds
from pika_async._ledger.evolve import evolve
from pika_async._ledger.faults import task_taken, unknown_job
from pika_async._ledger.machine import account_of, settle
from pika_async._ledger.pacing import paced
from pika_async._ledger.records import Attempt, JobRecord, Member, Usage
from pika_async._ledger.sent import sent_bytes
from pika_async._ledger.sharing import shared
from pika_async._ledger.spending import added
from pika_async._ledger.sqlite.accounts import put_member, read_members
from pika_async._ledger.sqlite.known import Known
from pika_async._ledger.sqlite.rows import indexable, marks
from pika_async._ledger.sqlite.writes import Writes
from pika_async._ledger.standing import frees_its_key, settled

_AT_ONCE = 500


class Batch:
    """Decides for many callers in one transaction; writes nothing before `flush`.

    A *careful* batch serves one caller and looks before it writes. The others rely on the constraints of the
    tables: when one fails, everything is rolled back and done again carefully, one by one.
    """

    def __init__(
        self, connection: sqlite3.Connection, known: Known, wall: Callable[[], float], *, careful: bool
    ) -> None:
        self.connection = connection
        self.changed: dict[str, None] = {}
        """The ids of jobs that this transaction changes."""
        self.now = wall
        self._known = known
        self._careful = careful
        self._writes = Writes()
        self._accounts: set[str] = set()
        self._units: set[str] = set()
        self._keys: dict[str, str | None] = {}
        self._ended: set[str] = set()

    @property
    def data_version(self) -> int:
        """Return a number that other connections' commits change."""
        return self._known.data_version

    def create(self, job: JobRecord, first: Event | None = None) -> Change:
        """Keep a new job and decide on its first event, or return the job with its id or key."""
        now = self.now()
        known = self.get(job.id) if self._careful else self._known.get(job.id)
        holder = None
        if known is None and job.key is not None:
            holder = self._holder_of_key(job.key)
            known = None if holder is None or frees_its_key(holder) else holder
        if known is not None:
            return Change(before=known, after=known, moved=False, at=now)
        for attempt in job.attempts:
            if attempt.task is not None and (other := self._holder_of_task(attempt.account, attempt.task.id)):
                raise task_taken(attempt.account, other.id)
        if holder is not None:
            freed = evolve(holder, key=None, version=holder.version + 1)
            self._change(holder, freed, now, f"its key went to {job.id}")
            self.flush()
        if first is None:
            self._add(job, job, now, "")
            return Change(before=None, after=job, at=now)
        if self._careful or any(a.slot or a.claimed_at is not None for a in job.attempts):
            self._add(job, job, now, "")
            change = self._decided(job, first, now)
        else:
            return self._decided(job, first, now, new=True)
        return evolve(change, before=None, moved=True)

    def get(self, job_id: str) -> JobRecord | None:
        """Read one job."""
        self.load([job_id])
        return self._known.get(job_id)

    def apply(self, job_id: str, event: Event) -> Change:
        """Let the machine decide."""
        before = self.get(job_id)
        if before is None:
            raise unknown_job(job_id)
        return self._decided(before, event, self.now())

    def usage(self, account: str) -> Usage:
        """Return what an account uses."""
        return self._known.usage(self.connection, account)

    def present(self, account: str, member: Member, seconds: float) -> Usage:
        """Note what a process says of itself, and what follows for its account."""
        now = self.now()
        put_member(self.connection, account, evolve(member, until=now + seconds), now)
        kept = self.usage(account)
        usage = shared(kept, read_members(self.connection, account, now), now)
        if usage != kept:
            self._known.set_usage(account, usage)
            self._accounts.add(account)
        return usage

    def load(self, job_ids: Collection[str]) -> None:
        """Read all of these jobs that are not known yet, in two statements."""
        self._known.load(self.connection, job_ids)

    def load_keys(self, keys: Collection[str]) -> None:
        """Look up who holds these keys, in one statement for many."""
        wanted = list(dict.fromkeys(keys))
        for start in range(0, len(wanted), _AT_ONCE):
            some = wanted[start : start + _AT_ONCE]
            query = f"SELECT key, id FROM jobs WHERE key IN ({marks(some)})"  # noqa: S608
            self._keys.update(dict.fromkeys(some))
            self._keys.update(self.connection.execute(query, some).fetchall())
        self.load([holder for holder in self._keys.values() if holder is not None])

    def select(self, query: str, *values: object) -> list[JobRecord]:
        """Read the jobs whose ids *query* returns, in its order, but for those that cannot be read."""
        self.flush()
        return self.readable([job_id for (job_id,) in self.connection.execute(query, values)])

    def readable(self, job_ids: Collection[str]) -> list[JobRecord]:
        """Read these jobs, but for those that cannot be read."""
        self.load(job_ids)
        known = self._known.jobs
        return [known[job_id][1] for job_id in job_ids if job_id in known]

    def flush(self) -> None:
        """Write what was decided."""
        self._writes.flush(
            self.connection,
            [self._known.account(account) for account in self._accounts],
            [self._known.spending(unit) for unit in self._units],
        )
        self._accounts.clear()
        self._units.clear()

    def forget(self, job_ids: Iterable[str] | None = None) -> None:
        """Keep these jobs, or else those that have ended, in memory no longer."""
        for job_id in self._ended if job_ids is None else job_ids:
            self._known.jobs.pop(job_id, None)

    def _decided(self, before: JobRecord, event: Event, now: float, *, new: bool = False) -> Change:
        account = account_of(before, event)
        holder = None
        if self._careful and isinstance(event, Evidence):
            holder = self._holder_of_task(account, event.snapshot.task.id)
        usage = self.usage(account)
        after, freed = settle(before, event, now, usage, holder)
        if holder is None and isinstance(event, Evidence) and not binds(after, event):
            # No constraint speaks up for a task that is only shown, or dropped.
            holder = self._holder_of_task(account, event.snapshot.task.id)
            after, freed = settle(before, event, now, usage, holder)
        if holder is not None and freed is not None:
            self._change(holder, freed, now, f"its task belongs to {before.id}")
            self.flush()
        if new:
            self._add(before, after, now, described(event))
        told = None if new else before
        if after is before:
            obstacle = refused_by(before, event, usage, now)
            return Change(
                before=told, after=after, event=event, moved=new, at=now, obstacle=obstacle, usage=usage
            )
        if not new:
            self._change(before, after, now, described(event))
        self._writes.keep_sent(sent_bytes(before, after, event))
        kept = self.usage(account)
        if (usage := paced(kept, event, now)) is not kept:
            self._known.set_usage(account, usage)
            self._accounts.add(account)
        return Change(before=told, after=after, event=event, at=now, usage=usage)

    def _holder_of_key(self, key: str) -> JobRecord | None:
        if key not in self._keys:
            self.load_keys([key])
        holder = self._keys[key]
        return None if holder is None else self.get(holder)

    def _holder_of_task(self, account: str, task_id: str) -> JobRecord | None:
        query = "SELECT jobs.id FROM job_attempts JOIN jobs ON seq = job WHERE account = ? AND task_id = ?"
        return next(iter(self.select(query, account, indexable(task_id))), None)

    def _add(self, job: JobRecord, after: JobRecord, now: float, note: str) -> None:
        """Write a new job as *after*, what its first event made of it."""
        seq = self._known.next_seq(self.connection)
        self._known.media += self._writes.add_job(seq, after)
        created = {attempt.id: attempt for attempt in job.attempts}
        for attempt in job.attempts:
            self._writes.tell_attempt(seq, None, attempt, job.created_at, "created")
        if after.version != job.version:
            self._writes.tell_job(seq, job, after, now, note)
        for attempt in after.attempts:
            first = created.get(attempt.id)
            if first is not attempt:
                self._writes.tell_attempt(seq, first, attempt, now, note)
            self._put(seq, None, attempt)
        if job.key is not None:
            self._keys[job.key] = job.id
        self._remember(seq, after)

    def _change(self, before: JobRecord, after: JobRecord, now: float, note: str) -> None:
        if after.id in self._writes:
            self.flush()
        seq = self._known.jobs[before.id][0]
        self._writes.touch(after.id)
        if after.version != before.version:
            self._writes.change_job(seq, after)
            self._writes.tell_job(seq, before, after, now, note)
        known = {a.id: a for a in before.attempts}
        # What loses a task goes first: a task is bound once.
        for attempt in sorted(after.attempts, key=_is_bound) if self._careful else after.attempts:
            old = known.get(attempt.id)
            if old is not attempt:
                self._writes.tell_attempt(seq, old, attempt, now, note)
                self._put(seq, old, attempt)
        self._remember(seq, after)

    def _put(self, seq: int, old: Attempt | None, new: Attempt) -> None:
        self._writes.put_attempt(seq, old, new)
        slots = int(new.slot) - int(old is not None and old.slot)
        submits = int(new.claimed_at is not None and (old is None or old.claimed_at is None))
        if slots or submits:
            self._known.count(self.connection, new.account, slots, submits)
            self._accounts.add(new.account)
        if new.price is not None and (money := added(old, new)) is not None:
            self._known.spend(self.connection, money)
            self._units.add(money.unit)

    def _remember(self, seq: int, job: JobRecord) -> None:
        self.changed[job.id] = None
        self._known.jobs[job.id] = seq, job
        if settled(job):
            self._ended.add(job.id)


def _is_bound(attempt: Attempt) -> bool:
    return attempt.task is not None
