"""The one thread that changes a SQLite file: whatever waits is done in one transaction."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TypeAlias, TypeVar

from pika_async._ledger.faults import not_open
from pika_async._ledger.records import JobRecord
from pika_async._ledger.sqlite import news
from pika_async._ledger.sqlite.batch import Batch
from pika_async._ledger.sqlite.epoch import Epoch
from pika_async._ledger.sqlite.known import Known
from pika_async._ledger.sqlite.orders import Answer, Order, answer, bare, carried_out, in_turn, named, own
from pika_async.errors import LedgerError

T = TypeVar("T")
Commit: TypeAlias = Callable[[sqlite3.Connection], None]

_MOST_AT_ONCE = 500


def commit(connection: sqlite3.Connection) -> None:
    """End a transaction; when it returns, the disk has it."""
    connection.execute("COMMIT")


class Writer:
    """Runs orders in its thread, and answers only what is durable.

    *prepare* opens the file, in the thread; *owner* is the name under which news are told; *commit* is what
    ends a transaction, replaceable by tests that need slow or failing disks.
    """

    def __init__(
        self, path: Path, prepare: Callable[[Epoch], sqlite3.Connection], owner: str, commit: Commit
    ) -> None:
        self._path = path
        self._prepare = prepare
        self._owner = owner
        self._commit = commit
        self._orders: SimpleQueue[list[Order] | None] = SimpleQueue()
        self._round: list[Order] = []
        self._known = Known()
        self._epoch = Epoch(path)
        self._loop: asyncio.AbstractEventLoop
        self._wall: Callable[[], float]
        self._thread: threading.Thread | None = None

    async def start(self, wall: Callable[[], float]) -> None:
        """Open the file; raises `LedgerError` if that cannot be done."""
        self._wall = wall
        self._loop = asyncio.get_running_loop()
        opened, self._closed = self._loop.create_future(), self._loop.create_future()
        self._thread = threading.Thread(
            target=self._run, args=(opened,), name=f"ledger {self._path.name}", daemon=True
        )
        self._thread.start()
        try:
            await opened
        except BaseException:
            self._orders.put(None)
            self._thread = None
            raise

    async def stop(self) -> None:
        """Finish what was ordered, and close the file."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._hand_over()
            self._orders.put(None)
            await self._closed
            thread.join()

    def read(self, work: Callable[[Batch], T], job_id: str | None = None) -> asyncio.Future[T]:
        """Do *work*, which changes nothing, and return what it returns."""
        return self._order(work, False, job_id)  # noqa: FBT003 - a keyword costs what it says

    def write(
        self, work: Callable[[Batch], T], job_id: str | None = None, new: JobRecord | None = None
    ) -> asyncio.Future[T]:
        """Do *work* in the next transaction, and return what it returns once that is durable."""
        return self._order(work, True, job_id, new)  # noqa: FBT003 - as above

    def _order(
        self,
        work: Callable[[Batch], T],
        writes: bool,
        job_id: str | None = None,
        new: JobRecord | None = None,
    ) -> asyncio.Future[T]:
        if self._thread is None:
            raise not_open(self._path)
        future: asyncio.Future[T] = self._loop.create_future()
        if not self._round:
            # Orders of one round of the loop go together: waking a thread costs more than a row.
            self._loop.call_soon(self._hand_over)
        self._round.append(Order(future, work, writes, job_id, new))
        return future

    def _hand_over(self) -> None:
        if self._round:
            self._orders.put(self._round)
            self._round = []

    def _run(self, opened: asyncio.Future[None]) -> None:
        try:
            connection = self._prepare(self._epoch)
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of anything
            self._tell([(bare(opened), None, named(error, self._path))])
            return
        self._tell([(bare(opened), None, None)])
        try:
            while orders := self._waiting():
                self._serve(connection, orders)
        finally:
            connection.close()
            self._epoch.close()
            self._tell([(bare(self._closed), None, None)])

    def _serve(self, connection: sqlite3.Connection, orders: list[Order]) -> None:
        early, writes, late = in_turn(orders)
        if early:
            self._tell(self._read(connection, early))
        if writes:
            self._tell(self._write(connection, writes))
        if late:
            self._tell(self._read(connection, late))

    def _waiting(self) -> list[Order]:
        """Wait for an order, and take all others that wait; nothing at the end."""
        orders: list[Order] = []
        some = self._orders.get()
        while some is not None:
            orders += some
            if len(orders) >= _MOST_AT_ONCE:
                return orders
            try:
                some = self._orders.get_nowait()
            except Empty:
                return orders
        if orders:
            self._orders.put(None)
        return orders

    def _read(self, connection: sqlite3.Connection, orders: Sequence[Order]) -> list[Answer]:
        try:
            self._known.refresh(connection)
            if all(order.job_id in self._known.jobs for order in orders):
                return self._decide(connection, orders, careful=False)[0]
            connection.execute("BEGIN")
            self._known.refresh(connection)
            answers, batch = self._decide(connection, orders, careful=False)
            # Not COMMIT: that fails once a damaged page was met, and there is nothing to commit.
            connection.execute("ROLLBACK")
            batch.forget()
        except Exception as error:  # noqa: BLE001 - one order's trouble must not end the thread
            return self._failed(connection, orders, error)
        return answers

    def _write(self, connection: sqlite3.Connection, orders: Sequence[Order]) -> list[Answer]:
        try:
            return self._transaction(connection, orders, careful=False)
        except (sqlite3.OperationalError, LedgerError) as error:
            return self._failed(connection, orders, error)
        except Exception:  # noqa: BLE001 - said again, and answered, by the order that it is about
            self._roll_back(connection)
        answers: list[Answer] = []
        for order in orders:
            try:
                answers += self._transaction(connection, [order], careful=True)
            except Exception as error:  # noqa: BLE001 - as above
                answers += self._failed(connection, [order], error)
        return answers

    def _transaction(
        self, connection: sqlite3.Connection, orders: Sequence[Order], *, careful: bool
    ) -> list[Answer]:
        connection.execute("BEGIN IMMEDIATE")
        unchanged = connection.total_changes
        self._known.refresh(connection)
        answers, batch = self._decide(connection, orders, careful=careful)
        if self._known.met_damage and not careful:
            # SQLite commits nothing more in a transaction that met a damaged page.
            raise sqlite3.DatabaseError
        batch.flush()
        if connection.total_changes == unchanged:
            connection.execute("ROLLBACK")
            return answers
        number = None
        if batch.changed:
            before = news.newest(connection)
            self._epoch.check(before)
            number = news.add(connection, before, self._owner, batch.changed)
        else:
            self._epoch.check(None)
        try:
            self._commit(connection)
        except Exception as error:
            # It may be durable all the same, so it must not be done again.
            unsure = named(error, self._path)
            if isinstance(unsure, LedgerError):
                unsure.recorded = None
            raise unsure from error
        if number is not None:
            self._epoch.confirm(number)
        batch.forget()
        return answers

    def _decide(
        self, connection: sqlite3.Connection, orders: Sequence[Order], *, careful: bool
    ) -> tuple[list[Answer], Batch]:
        batch = Batch(connection, self._known, self._wall, careful=careful)
        batch.load([order.job_id for order in orders if order.job_id is not None])
        if keys := [order.new.key for order in orders if order.new is not None and order.new.key]:
            batch.load_keys(keys)
        return [carried_out(order, batch) for order in orders], batch

    def _failed(
        self, connection: sqlite3.Connection, orders: Sequence[Order], error: BaseException
    ) -> list[Answer]:
        self._roll_back(connection)
        why = named(error, self._path)
        return [(order, None, own(why)) for order in orders]

    def _roll_back(self, connection: sqlite3.Connection) -> None:
        self._known.forget()
        # A disk that fails may fail this too; the next BEGIN tells.
        with suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")

    def _tell(self, answers: list[Answer]) -> None:
        # A loop that is closed has nobody left who waits.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(answer, answers)
