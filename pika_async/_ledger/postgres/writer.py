"""The one line of everything that changes the database: whatever waits is done in one transaction."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

from pika_async._ledger.change import Change
from pika_async._ledger.events import Event
from pika_async._ledger.postgres.clock import DatabaseClock
from pika_async._ledger.postgres.deciding import Deciding
from pika_async._ledger.postgres.faults import ConflictError, not_open
from pika_async._ledger.postgres.orders import TRIES, Decision, Deed, Order, named, own, resolve, too_often
from pika_async._ledger.postgres.rows import Row
from pika_async._ledger.postgres.session import Session
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.records import JobRecord

T = TypeVar("T")

_MOST_AT_ONCE: Final = 500


class Writer:
    """Carries orders out in the order in which they were given."""

    def __init__(self, session: Session, clock: DatabaseClock, deciding: Deciding) -> None:
        self._session = session
        self._clock = clock
        self._deciding = deciding
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
                for order, change, error in await self._deciding.all(orders):
                    resolve(order.future, change, error)
        except BaseException as error:  # noqa: BLE001 - whoever waits must hear of anything
            for future in every:
                resolve(future, None, own(named(error)))
        if not isinstance(orders, Deed):
            for order in orders:
                if self._under_way.get(order.job_id) is order.future:
                    del self._under_way[order.job_id]

    async def _done(self, deed: Deed) -> Any:
        for _ in range(TRIES):
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
