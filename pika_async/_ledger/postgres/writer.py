"""The one line of everything that changes the database: whatever waits is done in one transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final, TypeVar

from pika_async._ledger.change import Change
from pika_async._ledger.events import Event
from pika_async._ledger.postgres.batch import Batch
from pika_async._ledger.postgres.charges import SUM_WIDTH
from pika_async._ledger.postgres.clock import DatabaseClock
from pika_async._ledger.postgres.faults import ConflictError, DuplicateError, not_open
from pika_async._ledger.postgres.jobs import Found, accounts_of, load, look
from pika_async._ledger.postgres.known import Held, Known
from pika_async._ledger.postgres.orders import (
    Answer,
    Decision,
    Deed,
    Order,
    answered,
    claims,
    named,
    own,
    resolve,
    too_often,
)
from pika_async._ledger.postgres.restoring import Recent
from pika_async._ledger.postgres.rows import Row
from pika_async._ledger.postgres.session import Session
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.postgres.writes import statements
from pika_async._ledger.records import JobRecord
from pika_async.errors import LedgerError

T = TypeVar("T")

_MOST_AT_ONCE: Final = 500
_TOGETHER: Final = 3
"""Tries of a whole batch, before each order is tried alone."""
_ALONE: Final = 20


class Writer:
    """Carries orders out in the order in which they were given; *tell* hears which jobs were changed."""

    def __init__(
        self,
        session: Session,
        known: Known,
        clock: DatabaseClock,
        tell: Callable[[Collection[str]], None],
        recent: Recent,
    ) -> None:
        self._session = session
        self._known = known
        self._clock = clock
        self._tell = tell
        self._recent = recent
        self._orders: deque[Order] = deque()
        self._under_way: dict[str, asyncio.Future[Any]] = {}
        self._last: asyncio.Future[Any] | None = None
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._closing = False

    def start(self) -> None:
        """Begin to carry out orders."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="pika ledger writer")

    async def stop(self) -> None:
        """Finish what was ordered."""
        task, self._task, self._closing = self._task, None, True
        if task is not None:
            self._wake.set()
            await task

    def decide(
        self, job_id: str, event: Event | None, new: JobRecord | None = None
    ) -> asyncio.Future[Change]:
        """Let the machine decide on *event*, in the next transaction."""
        future: asyncio.Future[Change] = asyncio.get_running_loop().create_future()
        self._add(Decision(future, job_id, event, new))
        self._under_way[job_id] = future
        return future

    def do(
        self,
        work: Callable[[float], Sequence[Statement]],
        read: Callable[[list[list[Row]]], T],
    ) -> asyncio.Future[T]:
        """Run the statements of *work*, made at the ledger's time; *read* makes the answer of the rows."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._add(Deed(future, work, read))
        return future

    def do_on(self, rows: Sequence[Statement]) -> asyncio.Future[bool | None]:
        """Run statements that rest on what was read before; the answer is None if that has changed since."""
        future: asyncio.Future[bool | None] = asyncio.get_running_loop().create_future()
        self._add(Deed(future, lambda _: rows, lambda _: True, rests_on_rows=True))
        return future

    async def caught_up(self, job_id: str | None) -> None:
        """Wait for the orders given so far: those about *job_id*, or all."""
        future = self._last if job_id is None else self._under_way.get(job_id)
        if future is not None and not future.done():
            await asyncio.wait([future])

    def _add(self, order: Order) -> None:
        if self._task is None:
            raise not_open()
        self._orders.append(order)
        self._last = order.future
        self._wake.set()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._orders:
                await self._carry_out(self._taken())
            if self._closing:
                return

    def _taken(self) -> Deed | list[Decision]:
        first = self._orders.popleft()
        if isinstance(first, Deed):
            return first
        taken = [first]
        while self._orders and len(taken) < _MOST_AT_ONCE:
            order = self._orders[0]
            if isinstance(order, Deed):
                break
            taken.append(order)
            self._orders.popleft()
        return taken

    async def _carry_out(self, orders: Deed | list[Decision]) -> None:
        every = [orders.future] if isinstance(orders, Deed) else [order.future for order in orders]
        try:
            if isinstance(orders, Deed):
                resolve(orders.future, await self._done(orders), None)
            else:
                for order, change, error in await self._decided_all(orders):
                    resolve(order.future, change, error)
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of anything
            for future in every:
                resolve(future, None, own(named(error)))
        if not isinstance(orders, Deed):
            for order in orders:
                if self._under_way.get(order.job_id) is order.future:
                    del self._under_way[order.job_id]

    async def _done(self, deed: Deed) -> Any:
        for _ in range(_ALONE):
            try:
                rows = await self._session.transact(deed.work(self._clock.now()))
            except ConflictError:
                await self._session.refresh()
                if deed.rests_on_rows:
                    return None
                continue
            if rows is not None or deed.rests_on_rows:
                return deed.read(rows or [])
        raise too_often()

    async def _decided_all(self, orders: list[Decision]) -> list[Answer]:
        try:
            return await self._decided(orders, careful=False, tries=_TOGETHER)
        except LedgerError:
            raise
        except Exception as error:  # noqa: BLE001 - said again, and answered, by the order that it is about
            if not isinstance(error, ConflictError | DuplicateError):
                self._known.forget([order.job_id for order in orders])
        answers: list[Answer] = []
        for order in orders:
            try:
                answers += await self._decided([order], careful=True, tries=_ALONE)
            except Exception as error:  # noqa: BLE001 - as above
                answers.append((order, None, own(named(error))))
        return answers

    async def _decided(self, orders: list[Decision], *, careful: bool, tries: int) -> list[Answer]:
        known, ask = self._known, self._session.ask
        needs = {order.job_id for order in orders if careful or order.new is None}
        accounts = careful or not accounts_of(orders, known) <= known.accounts.keys()
        read: set[str] = set()
        found = Found()
        conflicts = 0
        while True:
            missing = {one for one in needs if one not in read and (careful or one not in known.jobs)}
            await load(ask, known, missing, accounts=accounts)
            read |= missing
            if careful:
                found = await look(ask, known, orders[0])
            if unmade := accounts_of(orders, known) - known.accounts.keys():
                await self._make_accounts(unmade)
                accounts = True
                continue
            fresh = found.jobs | read
            held = await self._session.held_until() if claims(orders) else 0.0
            batch = Batch(
                known,
                self._clock.now(),
                fresh,
                accounts,
                found.keys,
                found.tasks,
                held,
                outdated=self._session.outdated,
            )
            answers = [answered(order, batch) for order in orders]
            if batch.stale or batch.stale_accounts:
                needs |= batch.stale
                known.forget(batch.stale)
                accounts |= batch.stale_accounts
                continue
            if batch.unlooked:
                raise DuplicateError
            if not batch.before:
                return answers
            try:
                rows = await self._session.transact(statements(batch))
            except (ConflictError, DuplicateError) as error:
                conflicts += 1
                if conflicts >= tries or (isinstance(error, DuplicateError) and not careful):
                    raise
                await self._session.refresh()
                read.clear()
                known.forget([*needs, *batch.before])
                accounts = True
                continue
            self._remember(batch, rows)
            return answers

    async def _make_accounts(self, names: Collection[str]) -> None:
        """Make the rows of accounts before anybody claims there: what does not exist cannot be locked."""
        sql = b"INSERT INTO pika.accounts (account) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
        await self._session.transact([Statement(sql, (sorted(names),))])

    def _remember(self, batch: Batch, rows: list[list[Row]] | None) -> None:
        known = self._known
        for job_id, was in batch.before.items():
            old = known.jobs.get(job_id)
            revision = 0 if was is None or old is None else old.revision + 1
            known.keep(job_id, Held(revision, batch.after[job_id]))
            self._recent.keep(batch.after[job_id])
        if rows is None:
            known.accounts.clear()
        else:
            told = [row for some in rows for row in some if len(row) > 1]
            known.learn(row for row in told if len(row) != SUM_WIDTH)
            known.learn_spending(row for row in told if len(row) == SUM_WIDTH)
        self._tell(list(batch.before))
