"""A ledger in one SQLite file: survives the process, and may be shared by several on one machine."""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from pika_async._crossing import process_bound
from pika_async._ledger import inbox
from pika_async._ledger.batch import Batch
from pika_async._ledger.events import Event
from pika_async._ledger.opening import open_file
from pika_async._ledger.pruning import prune
from pika_async._ledger.records import OPEN, AttemptState, JobRecord, JobState, Move, Received, Usage
from pika_async._ledger.schema import OPEN_STATES
from pika_async._ledger.writer import Commit, Writer

_OPEN_JOBS = f"SELECT job FROM attempts INDEXED BY attempts_open WHERE state IN ({OPEN_STATES})"


def commit(connection: sqlite3.Connection) -> None:
    """End a transaction; when it returns, the disk has it."""
    connection.execute("COMMIT")


@process_bound("open the same file with Pika(ledger=path) in the other process")
class SqliteLedger:
    """Keeps jobs in the file *path*, made when missing, for its owner's eyes only.

    *patience* is how many seconds to wait for other processes' locks. *wall*, the clock for what opening
    changes, and *commit*, what makes a transaction durable, are for tests.
    """

    durable = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        patience: float = 10.0,
        wall: Callable[[], float] = time.time,
        commit: Commit = commit,
    ) -> None:
        self.path = Path(os.path.realpath(path))
        self.id = ""
        self._secret = b""
        self._patience = patience
        self._wall = wall
        self._writer = Writer(self.path, self._prepare, commit)

    async def open(self) -> None:
        """Open the file, or make it; raises `LedgerError` when it cannot serve."""
        await self._writer.start()

    async def aclose(self) -> None:
        """Finish what was asked for, and close the file."""
        await self._writer.stop()

    async def create(self, job: JobRecord) -> JobRecord:
        """Keep *job*, or give the one that already has its id or holds its key."""
        return await self._writer.run(lambda batch: batch.create(job))

    async def get(self, job_id: str) -> JobRecord | None:
        """Read one job, as it is now."""
        return await self._writer.run(lambda batch: batch.get(job_id), job_id=job_id, writes=False)

    async def apply(self, job_id: str, event: Event, now: float) -> JobRecord:
        """Let the machine decide on *event*, in one transaction with its outcome."""
        return await self._writer.run(lambda batch: batch.apply(job_id, event, now), job_id=job_id)

    async def usage(self, account: str) -> Usage:
        """Count the slots that *account* holds, and all submits ever claimed here."""
        return await self._writer.run(lambda batch: batch.usage(account), writes=False)

    async def unfinished(self, states: Collection[AttemptState] = OPEN) -> Sequence[JobRecord]:
        """Read every job with an attempt in one of *states*; finished jobs cost nothing."""
        wanted = ", ".join(f"'{AttemptState(state)}'" for state in sorted(states))
        query = f"SELECT id FROM jobs WHERE seq IN ({_OPEN_JOBS} AND state IN ({wanted})) ORDER BY seq"
        return await self._writer.run(lambda batch: batch.select(query), writes=False)

    async def version(self) -> int:
        """Return a number that changes when another process, not this one, has changed something."""
        return await self._writer.run(lambda batch: batch.data_version, writes=False)

    async def find(self, text: str) -> JobRecord | None:
        """Read the job with that id, or attempt's id, or unique start of an id."""

        def find(batch: Batch) -> JobRecord | None:
            for query, values in (
                ("SELECT id FROM jobs WHERE id = ?", (text,)),
                ("SELECT jobs.id FROM attempts JOIN jobs ON seq = job WHERE attempts.id = ?", (text,)),
                ("SELECT id FROM jobs WHERE id > ? AND id < ? LIMIT 2", (text, text + "\U0010ffff")),
            ):
                found = batch.select(query, *values)
                if len(found) == 1:
                    return found[0]
            return None

        return await self._writer.run(find, writes=False) if text.isascii() and text else None

    async def jobs(
        self, state: str | None = None, limit: int = 100, before: str | None = None
    ) -> Sequence[JobRecord]:
        """Read jobs, newest first; finished states are found by going through all."""
        where = "seq < coalesce((SELECT seq FROM jobs WHERE id = ?), 9e15)"
        if state in OPEN:
            where += f" AND seq IN ({_OPEN_JOBS} AND state = '{AttemptState(state)}')"
        elif state == JobState.OPEN:
            where += f" AND state = '{JobState.OPEN}' AND seq IN ({_OPEN_JOBS})"
        elif state is not None:
            where += f" AND state = '{JobState(state)}'"
        query = f"SELECT id FROM jobs WHERE {where} ORDER BY seq DESC LIMIT ?"
        return await self._writer.run(lambda batch: batch.select(query, before or "", limit), writes=False)

    async def history(self, job_id: str) -> Sequence[Move]:
        """Read what happened to a job, oldest first."""
        query = (
            "SELECT coalesce(attempts.id, jobs.id), at, before, after, note FROM jobs "
            "JOIN history ON history.job = seq "
            "LEFT JOIN attempts ON attempts.job = seq AND attempts.number = history.number "
            "WHERE jobs.id = ? ORDER BY at, history.number, history.version"
        )

        def read(batch: Batch) -> list[Move]:
            rows = batch.connection.execute(query, (job_id,))
            return [
                Move(subject=subject, at=at, before=before, after=after, note=note)
                for subject, at, before, after, note in rows
            ]

        return await self._writer.run(read, writes=False)

    async def prune(self, older_than: float) -> int:
        """Forget settled jobs made before *older_than*, some in each of many transactions."""
        pruned = 0
        last: int | None = 0
        while last is not None:
            some, last = await self._writer.run(partial(prune, older_than=older_than, after=last))
            pruned += some
        return pruned

    async def secret(self) -> bytes:
        """Return the secret that signs callback tokens."""
        return self._secret

    async def inbox_put(self, attempt_id: str, body: bytes, headers: Mapping[str, str], now: float) -> bool:
        """Keep a callback; False for a repeat, or when the attempt has had too many."""
        return await self._writer.run(
            lambda batch: inbox.put(batch.connection, attempt_id, body, headers, now)
        )

    async def inbox_pending(self, limit: int = 100, after: int = 0) -> Sequence[Received]:
        """Read the callbacks nobody has dealt with, oldest first."""
        return await self._writer.run(
            lambda batch: inbox.pending(batch.connection, limit, after), writes=False
        )

    async def inbox_done(self, received_id: int) -> None:
        """Mark a callback as dealt with."""
        await self._writer.run(lambda batch: inbox.done(batch.connection, received_id))

    def _prepare(self) -> sqlite3.Connection:
        connection = open_file(self.path, self._patience, self._wall())
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        self.id, self._secret = meta["id"], meta["secret"]
        return connection
