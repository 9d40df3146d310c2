"""Many requests through one client: `map` pulls as slots free up and yields as jobs end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakMethod

from attrs import frozen

from pika_async._crossing import process_bound
from pika_async._item import Item, Row
from pika_async._job import Job
from pika_async._waits import end_of, note_tokens, timed_out
from pika_async.errors import ConfigError, PikaError
from pika_async.requests import Generate, VideoRequest
from pika_async.results import VideoResult

if TYPE_CHECKING:
    from pika_async._engine.expectation import Expectation
    from pika_async._engine.flight import Flight
    from pika_async._engine.orders import Orders
    from pika_async._ledger.records import Receiver


@frozen
class _Asked:
    index: int
    request: Any  # what was asked for may be no request at all
    key: str | None


@process_bound("keep the token of each `item.job`, and call pika.job(token) in the other process")
class Map(AsyncIterator[Item]):
    """Yields an item for each request, in the order in which the jobs end.

    No more requests are pulled than jobs fit into the slots, and none while that many items wait to be
    taken, so an endless iterable needs no more memory than a short one.
    """

    def __init__(
        self,
        orders: Orders,
        requests: Iterable[Row] | AsyncIterable[Row],
        *,
        timeout: float | None,
        callback_url: Receiver,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._orders = orders
        self._timeout = timeout
        self._callback_url = callback_url
        self._width = sum(account.max_concurrency for account in orders.desk.accounts.values())
        self._active: dict[int, tuple[_Asked, Flight, Expectation]] = {}
        self._pulled_rows = 0
        self._ready: deque[tuple[Item, Flight | None]] = deque()
        self._exhausted = False
        self._pull: asyncio.Task[Row] | None = None
        self._source: Iterator[Row] | AsyncIterator[Row] = (
            aiter(requests) if isinstance(requests, AsyncIterable) else iter(requests)
        )
        self._wake: asyncio.Future[None] | None = None

    async def __anext__(self) -> Item:
        while True:
            await self._fill()
            if self._ready:
                return self._taken(*self._ready.popleft())
            if self._exhausted and not self._active:
                raise StopAsyncIteration
            if self._orders.desk.closing and not self._active:
                raise ConfigError("The client is closed; map the requests that are left with another one.")
            await self._changed()

    def _taken(self, item: Item, flight: Flight | None) -> Item:
        """Return *item*, from now on the caller's."""
        if flight is not None:
            flight.held = True
            self._orders.desk.flights.told(flight)
        return item

    async def aclose(self) -> list[Item]:
        """Stop pulling and return the items not taken yet, those of running jobs among them."""
        self._exhausted = True
        if self._pull is not None:
            self._pull.cancel()
            await asyncio.gather(self._pull, return_exceptions=True)
            self._pull = None
        items = [self._taken(*ready) for ready in self._ready]
        self._ready.clear()
        for asked, flight, expectation in self._active.values():
            expectation.withdraw()
            items.append(self._taken(_item(asked, Job(self._orders, flight)), flight))
        self._active.clear()
        return items

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        # A loop that ended early, or was cancelled, tells nobody: it just drops its iterator.
        if self._loop.is_closed():
            return
        if self._pull is not None:
            self._pull.cancel()
        for _, _, expectation in self._active.values():
            expectation.withdraw()

    async def _fill(self) -> None:
        while (
            not self._exhausted
            and not self._orders.desk.closing
            and len(self._active) + len(self._ready) < self._width
        ):
            try:
                if isinstance(self._source, Iterator):
                    row = next(self._source)
                elif (pull := self._pulled(self._source)).done():
                    self._pull = None
                    row = pull.result()
                else:
                    return
            except (StopIteration, StopAsyncIteration):
                self._exhausted = True
                return
            await self._admit(row)

    def _pulled(self, source: AsyncIterator[Row]) -> asyncio.Task[Row]:
        """Return the task that asks an async source for its next request."""
        if self._pull is None:
            self._pull = self._loop.create_task(_next(source))
            self._pull.add_done_callback(_weakly(self._pulled_one))
        return self._pull

    async def _admit(self, row: Row) -> None:
        from pika_async._engine.expectation import Stage

        key, order = row if isinstance(row, tuple) else (None, row)
        asked = _Asked(self._pulled_rows, order, key)
        self._pulled_rows += 1
        try:
            if isinstance(order, str):
                asked = _Asked(asked.index, Generate(order), key)
            flight = await self._orders.buy(
                asked.request, callback_url=self._callback_url, idempotency_key=key
            )
        except PikaError as error:
            self._ready.append((_item(asked, None, error=error), None))
            return
        expectation = flight.expect(Stage.ENDED, timeout=self._timeout)
        self._active[asked.index] = (asked, flight, expectation)
        expectation.future.add_done_callback(partial(_weakly(self._ended), asked, flight))

    def _ended(self, asked: _Asked, flight: Flight, future: asyncio.Future[None]) -> None:
        if future.cancelled():
            return
        error: BaseException | None = future.exception()
        if isinstance(error, TimeoutError) and not isinstance(error, PikaError):
            self._orders.desk.spawn(self._timed_out(asked, flight))
        else:
            self._over(asked, flight, error)

    async def _timed_out(self, asked: _Asked, flight: Flight) -> None:
        self._over(asked, flight, await timed_out(self._orders, flight, self._timeout))

    def _over(self, asked: _Asked, flight: Flight, error: BaseException | None) -> None:
        if self._active.pop(asked.index, None) is None:
            return
        result: VideoResult | None = None
        if error is None:
            try:
                result = end_of(self._orders, flight)
            except PikaError as failure:
                error = failure
        kept = error if isinstance(error, PikaError) else None
        item = _item(asked, Job(self._orders, flight), result=result, error=kept)
        self._ready.append((item, flight))
        self._notify()

    def _pulled_one(self, pull: asyncio.Task[VideoRequest]) -> None:
        if not pull.cancelled():
            pull.exception()  # the consumer may never come back for it
        self._notify()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _changed(self) -> None:
        self._wake = self._loop.create_future()
        try:
            await self._wake
        except asyncio.CancelledError as error:
            note_tokens((flight for _, flight, _ in self._active.values()), error)
            raise


def _item(
    asked: _Asked, job: Job | None, *, result: VideoResult | None = None, error: PikaError | None = None
) -> Item:
    return Item(index=asked.index, request=asked.request, key=asked.key, job=job, result=result, error=error)


def _weakly(method: Callable[..., None]) -> Callable[..., None]:
    """Return *method* without keeping its object alive."""
    reference = WeakMethod(method)

    def call(*args: Any) -> None:
        if (alive := reference()) is not None:
            alive(*args)

    return call


async def _next(source: AsyncIterator[Row]) -> Row:
    return await anext(source)
