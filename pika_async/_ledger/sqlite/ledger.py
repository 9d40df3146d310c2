"""The ledger in one SQLite file, as the engine sees it."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path

from pika_async._crossing import process_bound
from pika_async._ledger.change import Change
from pika_async._ledger.events import Event
from pika_async._ledger.records import AttemptState, JobRecord, Member, Move, Received, Usage
from pika_async._ledger.sqlite import accounts, inbox, listing, news
from pika_async._ledger.sqlite.batch import Batch
from pika_async._ledger.sqlite.epoch import Epoch
from pika_async._ledger.sqlite.opening import open_file
from pika_async._ledger.sqlite.pruning import forget_job, prune_jobs, prune_links, prune_orphans
from pika_async._ledger.sqlite.reader import Reader
from pika_async._ledger.sqlite.writer import Commit, Writer, commit
from pika_async._ledger.standing import OPEN


@process_bound("open the same file with Pika(ledger=path) in the other process")
class SqliteLedger:
    """Keeps jobs in the file *path*, made when missing, for its owner's eyes only.

    *patience* is how many seconds to wait for other processes' locks. *commit*, what makes a transaction
    durable, is for tests.
    """

    shared = True
    remembers = True

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        patience: float = 10.0,
        commit: Commit = commit,
    ) -> None:
        self.path = Path(os.path.realpath(path))
        self.id = ""
        self.now: Callable[[], float] = time.time
        self._secret = b""
        self._patience = patience
        self._owner = os.urandom(8).hex()
        self._writer = Writer(self.path, self._prepare, self._owner, commit)
        self._reader = Reader(self.path)
        self._told: int | None = None
        self._told_version = -1

    async def open(self, wall: Callable[[], float] = time.time) -> None:
        """Open the file, or make it; raises `LedgerError` when it cannot serve."""
        self.now = wall
        await self._writer.start(wall)

    async def aclose(self) -> None:
        """Finish what was asked for, and close the file."""
        self._reader.close()
        await self._writer.stop()

    async def create(self, job: JobRecord, first: Event | None = None) -> Change:
        """Keep *job* and decide on its *first* event, or return the one that has its id or holds its key."""
        return await self._writer.write(lambda batch: batch.create(job, first), new=job)

    async def get(self, job_id: str) -> JobRecord | None:
        """Read one job, as it is now."""
        return await self._writer.read(lambda batch: batch.get(job_id), job_id)

    def known(self, job_id: str) -> JobRecord | None:
        """Read one job in the calling thread; None also when that is not possible at once."""
        return self._reader.job(job_id) if self.id else None

    async def apply(self, job_id: str, event: Event) -> Change:
        """Let the machine decide on *event*, in one transaction with its outcome."""
        return await self._writer.write(lambda batch: batch.apply(job_id, event), job_id)

    async def sent(self, attempt_id: str) -> bytes | None:
        """Read the bytes that an attempt was sent with, while they are kept."""
        return await self._writer.read(partial(listing.sent, attempt_id))

    async def open_jobs(
        self,
        states: Collection[AttemptState] = OPEN,
        *,
        account: str | None = None,
        after: str | None = None,
        limit: int = 500,
    ) -> Sequence[JobRecord]:
        """Read a page of the jobs with an attempt in one of *states*; finished jobs cost nothing."""
        return await self._writer.read(partial(listing.open_jobs, states, account, after, limit))

    async def usage(self, account: str) -> Usage:
        """Read what *account* uses, and all submits ever claimed here."""
        return await self._writer.read(lambda batch: batch.usage(account))

    async def present(self, account: str, member: Member, seconds: float) -> Usage:
        """Say that a process sends for *account*, for *seconds* from now on."""
        return await self._writer.write(lambda batch: batch.present(account, member, seconds))

    async def members(self, account: str) -> Sequence[Member]:
        """Read the processes that send for *account* and are alive."""
        return await self._writer.read(
            lambda batch: accounts.read_members(batch.connection, account, batch.now())
        )

    async def lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take or keep the lease *name*, unless another owner has it."""
        return await self._writer.write(
            lambda batch: accounts.lease(batch.connection, name, owner, seconds, batch.now())
        )

    async def learned(self, account: str, state: str | None = None) -> str | None:
        """Read what pollers learned of *account*; with *state*, keep that first."""
        if state is None:
            return await self._writer.read(lambda batch: accounts.learned(batch.connection, account))
        await self._writer.write(lambda batch: accounts.learn(batch.connection, account, state))
        return state

    async def news(self) -> Collection[str] | None:
        """Return the ids of jobs that other ledger objects changed since the last call."""
        return await self._writer.read(self._news)

    def tells(self, call: Callable[[], None]) -> None:
        """Call nothing: a file must be asked."""

    async def find(self, text: str) -> JobRecord | None:
        """Read the job with that id, or attempt's id, or unique start of an id."""
        return await self._writer.read(partial(listing.find, text)) if text.isascii() and text else None

    async def jobs(
        self, state: str | None = None, limit: int = 100, before: str | None = None
    ) -> Sequence[JobRecord]:
        """Read jobs, newest first; finished states are found by going through all."""
        return await self._writer.read(partial(listing.jobs, state, before, limit))

    async def history(self, job_id: str) -> Sequence[Move]:
        """Read what happened to a job, oldest first."""
        return await self._writer.read(partial(listing.history, job_id))

    async def forget(self, job_id: str, *, media_only: bool = False) -> bool:
        """Forget the prompt and media of a job that has ended."""
        return await self._writer.write(partial(forget_job, job_id=job_id, media_only=media_only), job_id)

    async def prune(self, older_than: float) -> int:
        """Forget settled jobs made before *older_than*, some in each of many transactions."""
        await self._writer.write(prune_links)
        pruned = 0
        last: int | None = 0
        while last is not None:
            some, last = await self._writer.write(partial(prune_jobs, older_than=older_than, after=last))
            pruned += some
        last = 0
        while last is not None:
            last = await self._writer.write(partial(prune_orphans, older_than=older_than, after=last))
        return pruned

    async def secret(self) -> bytes:
        """Return the secret that signs callback tokens."""
        return self._secret

    async def inbox_put(self, attempt_id: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Keep a callback; False for a repeat, or when the attempt has had too many."""
        return await self._writer.write(
            lambda batch: inbox.put(batch.connection, attempt_id, body, headers, batch.now())
        )

    async def inbox_pending(self, limit: int = 100, after: int = 0) -> Sequence[Received]:
        """Read the callbacks nobody has dealt with, oldest first."""
        return await self._writer.read(lambda batch: inbox.pending(batch.connection, limit, after))

    async def inbox_done(self, received_id: int) -> None:
        """Mark a callback as dealt with."""
        await self._writer.write(lambda batch: inbox.done(batch.connection, received_id))

    def _prepare(self, epoch: Epoch) -> sqlite3.Connection:
        connection = open_file(self.path, self._patience, self.now, epoch)
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        self.id, self._secret = meta["id"], meta["secret"]
        return connection

    def _news(self, batch: Batch) -> Collection[str] | None:
        if self._told is None:
            self._told = news.newest(batch.connection)
            return ()
        if batch.data_version == self._told_version:
            return ()
        told, self._told = news.since(batch.connection, self._told, self._owner)
        self._told_version = batch.data_version
        return told
