"""The SQLite ledger of a simulated process: what its thread does is done in the loop, in its turn."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.simulation.ledgers import Disk, Turns
from pika_async._ledger.change import Change
from pika_async._ledger.events import Event
from pika_async._ledger.records import JobRecord
from pika_async._ledger.sqlite.ledger import SqliteLedger
from pika_async._ledger.sqlite.orders import Answer, Order, answer, named
from pika_async._ledger.sqlite.reading import Reading
from pika_async._ledger.sqlite.writer import Writer


class _InlineWriter(Writer):
    """Serves its orders in the loop: *disk* says when, and what becomes of a commit."""

    def __init__(self, path: Path, prepare: Any, owner: str, disk: Disk) -> None:
        super().__init__(path, prepare, owner, self._commits)
        self._disk = disk
        self._turns = Turns(disk)
        self._handed: list[Order] = []
        self.connection: sqlite3.Connection | None = None

    async def start(self, wall: Callable[[], float]) -> None:
        self._wall, self._loop = wall, asyncio.get_running_loop()
        await self._turns.take()
        self._disk.passed("before a ledger is opened")
        try:
            self.connection = self._prepare(self._epoch)
        except Exception as error:
            raise named(error, self._path) from error
        self._thread = self  # what says that it is open

    async def stop(self) -> None:
        if self._thread is not None:
            self._hand_over()
            self._thread = None
            await self._turns.take()
            await self._turns.take()
            self.die()

    def die(self) -> None:
        """Let go of the file: what is not committed is gone."""
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        self._epoch.close()

    def _hand_over(self) -> None:
        if self._round:
            self._handed += self._round
            self._round = []
            self._turns.take().add_done_callback(lambda _: self._work())

    def _work(self) -> None:
        orders, self._handed = self._handed, []
        if orders and self.connection is not None:
            self._serve(self.connection, orders)

    def _tell(self, answers: list[Answer]) -> None:
        self._turns.take().add_done_callback(lambda _: answer(answers))

    def _commits(self, connection: sqlite3.Connection) -> None:
        self._disk.passed("before a commit")
        if (fate := self._disk.fate()) == "lost":
            raise sqlite3.OperationalError("disk I/O error")
        connection.execute("COMMIT")
        self._disk.passed("after a commit")
        if fate == "unheard":
            raise sqlite3.OperationalError("disk I/O error")


class SimulatedSqlite(SqliteLedger):
    """One process's way to the file *path*."""

    def __init__(self, path: Path, disk: Disk) -> None:
        super().__init__(path)
        self._disk = disk
        self._writer = _InlineWriter(self.path, self._prepare, self._owner, disk)

    async def create(self, job: JobRecord, first: Event | None = None) -> Change:
        change = await super().create(job, first)
        self._disk.changed(change)
        return change

    async def apply(self, job_id: str, event: Event) -> Change:
        change = await super().apply(job_id, event)
        self._disk.changed(change)
        return change

    def die(self) -> None:
        """Let go of the file as a process does that is killed."""
        self._reader.close()
        self._writer.die()


class File:
    """The file that the processes of a world share, in a folder of its own; in memory where that can be."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")
        self._folder = Path(tempfile.mkdtemp(prefix="pika-", dir=memory if memory.is_dir() else None))
        self.path = self._folder / "jobs.db"

    def _read(self, look: Callable[[sqlite3.Connection], Any], otherwise: Any) -> Any:
        with suppress(sqlite3.OperationalError):
            connection = sqlite3.connect(self.path, isolation_level=None)
            try:
                return look(connection)
            finally:
                connection.close()
        return otherwise

    @property
    def records(self) -> list[JobRecord]:
        """Return all jobs."""

        def look(connection: sqlite3.Connection) -> list[JobRecord]:
            ids = [row[0] for row in connection.execute("SELECT id FROM jobs ORDER BY seq")]
            found = (record for _, _, record in Reading().jobs(connection, ids))
            return [record for record in found if record is not None]

        found: list[JobRecord] = self._read(look, [])
        return found

    @property
    def slots(self) -> dict[str, int]:
        """Return the slots that are counted, by account."""
        query = "SELECT account, slots FROM accounts"
        found: dict[str, int] = self._read(lambda connection: dict(connection.execute(query).fetchall()), {})
        return found

    def remove(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
