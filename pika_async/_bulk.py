"""Many requests through one client: `map` pulls as slots free up and yields as jobs end."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Self
from weakref import WeakMethod

from attrs import field, fields, frozen

from pika_async._crossing import Value, process_bound
from pika_async._job import Job, first_result, timed_out
from pika_async.errors import ConfigError, PikaError
from pika_async.requests import VideoRequest
from pika_async.results import VideoResult

if TYPE_CHECKING:
    from pika_async._engine.engine import Engine
    from pika_async._engine.flight import Expectation, Flight


@frozen(kw_only=True)
class Item(Value):
    """One request of a `map` with its *job* and its *result* or *error*.

    An item without either is still running: it comes from `Map.aclose`, and its job lives on. In another
    process an item holds the *token* in place of the *job*, as errors do.
    """

    request: VideoRequest
    job: Job | None
    result: VideoResult | None = None
    error: PikaError | None = None
    _token: str | None = field(default=None, init=False, eq=False, repr=False)

    @property
    def token(self) -> str | None:
        """The job's token, with which any process can go on; None where there was no job."""
        return self._token if self.job is None else self.job.token

    @property
    def running(self) -> bool:
        """Return whether the job lives on; take `token` to find it again."""
        return self.result is None and self.error is None

    def __getstate__(self) -> dict[str, Any]:
        return {a.name: getattr(self, a.name) for a in fields(Item)} | {"job": None, "_token": self.token}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        for name, value in state.items():
            object.__setattr__(self, name, value)

    def __copy__(self) -> Self:
        return self  # nothing in it changes, and its job stays with it


@process_bound("keep the `token` of each item, and call pika.job(token) in the other process")
class Map(AsyncIterator[Item]):
    """Yields an item for each request, in the order in which the jobs end.

    No more requests are pulled than jobs fit into the slots, and none while that many items wait to be
    taken, so an endless iterable needs no more memory than a short one.
    """

    def __init__(
        self,
        engine: Engine,
        requests: Iterable[VideoRequest] | AsyncIterable[VideoRequest],
        *,
        timeout: float | None,
        callback_url: str | bool | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._engine = engine
        self._timeout = timeout
        self._callback_url = callback_url
        self._width = sum(account.limits.max_concurrency for account in engine.accounts.values())
        self._active: dict[str, tuple[Flight, VideoRequest, Expectation]] = {}
        self._ready: deque[Item] = deque()
        self._exhausted = False
        self._pull: asyncio.Task[VideoRequest] | None = None
        self._source: Iterator[VideoRequest] | AsyncIterator[VideoRequest] = (
            aiter(requests) if isinstance(requests, AsyncIterable) else iter(requests)
        )
        self._wake: asyncio.Future[None] | None = None

    async def __anext__(self) -> Item:
        while True:
            await self._fill()
            if self._ready:
                return self._ready.popleft()
            if self._exhausted and not self._active:
                raise StopAsyncIteration
            if self._engine.closing and not self._active:
                raise ConfigError("The client is closed; map the requests that are left with another one.")
            await self._changed()

    async def aclose(self) -> list[Item]:
        """Stop pulling; gives the items not taken yet, those of running jobs among them."""
        self._exhausted = True
        if self._pull is not None:
            self._pull.cancel()
            await asyncio.gather(self._pull, return_exceptions=True)
            self._pull = None
        items = list(self._ready)
        self._ready.clear()
        for flight, request, expectation in self._active.values():
            expectation.withdraw()
            items.append(Item(request=request, job=Job(self._engine, flight)))
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
            and not self._engine.closing
            and len(self._active) + len(self._ready) < self._width
        ):
            try:
                if isinstance(self._source, Iterator):
                    request = next(self._source)
                elif (pull := self._pulled(self._source)).done():
                    self._pull = None
                    request = pull.result()
                else:
                    return
            except (StopIteration, StopAsyncIteration):
                self._exhausted = True
                return
            await self._admit(request)

    def _pulled(self, source: AsyncIterator[VideoRequest]) -> asyncio.Task[VideoRequest]:
        """Return the task that asks an async source for its next request."""
        if self._pull is None:
            self._pull = self._loop.create_task(_next(source))
            self._pull.add_done_callback(_weakly(self._pulled_one))
        return self._pull

    async def _admit(self, request: VideoRequest) -> None:
        from pika_async._engine.flight import Phase

        try:
            flight = await self._engine.admission.buy(request, callback_url=self._callback_url)
        except PikaError as error:
            self._ready.append(Item(request=request, job=None, error=error))
            return
        expectation = flight.expect(Phase.ENDED, timeout=self._timeout)
        self._active[flight.id] = (flight, request, expectation)
        expectation.future.add_done_callback(partial(_weakly(self._ended), flight, request))

    def _ended(self, flight: Flight, request: VideoRequest, future: asyncio.Future[None]) -> None:
        if self._active.pop(flight.id, None) is None or future.cancelled():
            return
        job = Job(self._engine, flight)
        error: BaseException | None = future.exception()
        if isinstance(error, TimeoutError) and not isinstance(error, PikaError):
            error = timed_out(self._engine, flight, self._timeout)
        result: VideoResult | None = None
        if error is None:
            try:
                result = first_result(self._engine, flight)
            except PikaError as failure:
                error = failure
        kept = error if isinstance(error, PikaError) else None
        self._ready.append(Item(request=request, job=job, result=result, error=kept))
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
        await self._wake


def _weakly(method: Callable[..., None]) -> Callable[..., None]:
    """Return *method* without keeping its object alive."""
    reference = WeakMethod(method)

    def call(*args: Any) -> None:
        if (alive := reference()) is not None:
            alive(*args)

    return call


async def _next(source: AsyncIterator[VideoRequest]) -> VideoRequest:
    return await anext(source)
