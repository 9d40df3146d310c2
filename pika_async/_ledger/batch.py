"""One transaction of a SQLite ledger: what is read and decided in it, for many callers at once."""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Sequence

from attrs import evolve

from pika_async._ledger.changes import Changes
from pika_async._ledger.events import Event, Evidence, Refused
from pika_async._ledger.faults import task_taken, unknown_job
from pika_async._ledger.machine import account_of, settle
from pika_async._ledger.records import Attempt, JobRecord, Usage
from pika_async._ledger.rows import ATTEMPT_COLUMNS, JOB_COLUMNS, Row, indexable, read_job
from pika_async._ledger.schema import read_int

_REMEMBERED = 50_000


class Known:
    """What the connection knows of the file; valid until another connection commits."""

    def __init__(self) -> None:
        self.data_version = -1
        self.forget()

    def forget(self) -> None:
        """Know nothing."""
        self.jobs: dict[str, tuple[int, JobRecord]] = {}
        self.accounts: dict[str, list[int]] | None = None
        self.last_seq: int | None = None

    def refresh(self, connection: sqlite3.Connection) -> None:
        """Forget everything if another connection has committed since."""
        version = read_int(connection, "PRAGMA data_version")
        if version != self.data_version or len(self.jobs) > _REMEMBERED:
            self.data_version = version
            self.forget()


class Batch:
    """Decides for many callers in one transaction; writes nothing before `flush`.

    A *careful* batch serves one caller and looks before it writes. The others rely on the constraints of the
    tables: when one speaks up, everything is rolled back and done again carefully, one by one.
    """

    def __init__(self, connection: sqlite3.Connection, known: Known, *, careful: bool) -> None:
        self.connection = connection
        self._known = known
        self._careful = careful
        self._changes = Changes()
        self._ended: set[str] = set()

    @property
    def data_version(self) -> int:
        """Return a number that other connections' commits change."""
        return self._known.data_version

    def create(self, job: JobRecord) -> JobRecord:
        """Keep a new job, or give the one with its id or key."""
        known = self._known.jobs.get(job.id)
        if known is not None:
            return known[1]
        if self._careful and (found := self.get(job.id)) is not None:
            return found
        holder = None if job.key is None else self._first("SELECT id FROM jobs WHERE key = ?", job.key)
        if holder is not None and not holder.frees_its_key:
            return holder
        for attempt in job.attempts:
            if attempt.task is not None and (other := self._holder(attempt.account, attempt.task.id)):
                raise task_taken(attempt.account, other.id)
        if holder is not None:
            freed = evolve(holder, key=None, version=holder.version + 1)
            self._change(holder, freed, job.created_at, f"its key went to {job.id}")
            self.flush()
        self._add(job)
        return job

    def get(self, job_id: str) -> JobRecord | None:
        """Read one job."""
        self.load([job_id])
        known = self._known.jobs.get(job_id)
        return None if known is None else known[1]

    def apply(self, job_id: str, event: Event, now: float) -> JobRecord:
        """Let the machine decide."""
        before = self.get(job_id)
        if before is None:
            raise unknown_job(job_id)
        account = account_of(before, event)
        holder = None
        if self._careful and isinstance(event, Evidence):
            holder = self._holder(account, event.snapshot.task.id)
        after, freed = settle(before, event, now, self.usage(account), holder)
        if holder is not None and freed is not None:
            self._change(holder, freed, now, f"its task belongs to {job_id}")
            self.flush()
        if after is not before:
            self._change(before, after, now, _note(event))
        return after

    def usage(self, account: str) -> Usage:
        """Count slots and submits."""
        accounts = self._accounts()
        slots = accounts[account][0] if account in accounts else 0
        return Usage(slots=slots, submits=sum(submits for _, submits in accounts.values()))

    def load(self, job_ids: Collection[str]) -> None:
        """Read all of these jobs that are not known yet, in two statements."""
        missing = [job_id for job_id in job_ids if job_id not in self._known.jobs]
        for start in range(0, len(missing), 500):
            some = missing[start : start + 500]
            self._read(f"WHERE id IN ({_marks(some)})", some)

    def select(self, query: str, *values: object) -> list[JobRecord]:
        """Read the jobs whose ids *query* gives, in its order."""
        self.flush()
        ids = [job_id for (job_id,) in self.connection.execute(query, values)]
        self.load(ids)
        return [self._known.jobs[job_id][1] for job_id in ids]

    def flush(self) -> None:
        """Write what was decided."""
        self._changes.flush(self.connection)

    def forget(self, job_ids: Iterable[str] | None = None) -> None:
        """Keep these jobs, or else those that have ended, in memory no longer."""
        for job_id in self._ended if job_ids is None else job_ids:
            self._known.jobs.pop(job_id, None)

    def _first(self, query: str, *values: object) -> JobRecord | None:
        return next(iter(self.select(query, *values)), None)

    def _holder(self, account: str, task_id: str) -> JobRecord | None:
        query = "SELECT jobs.id FROM attempts JOIN jobs ON seq = job WHERE account = ? AND task_id = ?"
        return self._first(query, account, indexable(task_id))

    def _read(self, where: str, values: Sequence[object]) -> None:
        rows = self.connection.execute(f"SELECT {JOB_COLUMNS} FROM jobs {where}", values).fetchall()
        attempts: dict[int, list[Row]] = {row[0]: [] for row in rows}
        query = f"SELECT {ATTEMPT_COLUMNS} FROM attempts WHERE job IN ({_marks(rows)}) ORDER BY job, number"
        for row in self.connection.execute(query, list(attempts)):
            attempts[row[0]].append(row)
        for row in rows:
            self._remember(row[0], read_job(row, attempts[row[0]], self._blob))

    def _blob(self, sha256: str) -> bytes:
        row = self.connection.execute("SELECT data FROM blobs WHERE sha256 = ?", (sha256,)).fetchone()
        if row is None:
            raise ValueError("its media are gone")
        return bytes(row[0])

    def _accounts(self) -> dict[str, list[int]]:
        if self._known.accounts is None:
            rows = self.connection.execute("SELECT account, slots, submits FROM accounts")
            self._known.accounts = {account: [slots, submits] for account, slots, submits in rows}
        return self._known.accounts

    def _add(self, job: JobRecord) -> None:
        if self._known.last_seq is None:
            self._known.last_seq = read_int(self.connection, "SELECT coalesce(max(seq), 0) FROM jobs")
        self._known.last_seq += 1
        seq = self._known.last_seq
        self._changes.add_job(seq, job)
        for attempt in job.attempts:
            self._put(seq, None, attempt, job.created_at, "created")
        self._remember(seq, job)

    def _change(self, before: JobRecord, after: JobRecord, now: float, note: str) -> None:
        if after.id in self._changes:
            self.flush()
        seq = self._known.jobs[before.id][0]
        self._changes.change_job(seq, before, after, now, note)
        known = {a.id: a for a in before.attempts}
        # What gives a task up goes first: a task is bound once.
        for attempt in sorted(after.attempts, key=_is_bound) if self._careful else after.attempts:
            if known.get(attempt.id) is not attempt:
                self._put(seq, known.get(attempt.id), attempt, now, note)
        self._remember(seq, after)

    def _put(self, seq: int, old: Attempt | None, new: Attempt, now: float, note: str) -> None:
        self._changes.put_attempt(seq, old, new, now, note)
        slots = int(new.slot) - int(old is not None and old.slot)
        submits = int(new.claimed_at is not None and (old is None or old.claimed_at is None))
        if slots or submits:
            account = self._accounts().setdefault(new.account, [0, 0])
            account[0] += slots
            account[1] += submits
            self._changes.count(new.account, slots, submits)

    def _remember(self, seq: int, job: JobRecord) -> None:
        self._known.jobs[job.id] = seq, job
        if job.settled:
            self._ended.add(job.id)


def _is_bound(attempt: Attempt) -> bool:
    return attempt.task is not None


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _note(event: Event) -> str:
    match event:
        case Refused(refusal=refusal):
            said: str = f"{refusal.error}: {refusal.message}"
        case Evidence(source=source):
            said = source
        case _:
            said = getattr(event, "owner", "")
    return f"{type(event).__name__} {said}".strip()[:300].encode(errors="replace").decode()
