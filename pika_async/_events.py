"""What happens to a job while it runs, as an async iterator."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING

from attrs import frozen

from pika_async._crossing import Value, process_bound
from pika_async.results import State

if TYPE_CHECKING:
    from pika_async._engine.flight import Flight
    from pika_async._engine.orders import Orders

log = logging.getLogger("pika_async")


@frozen(kw_only=True)
class JobEvent(Value):
    """A change of *state*, or a report of progress; *progress* runs from 0 to 1 where the provider tells."""

    state: State
    progress: float | None = None
    queue_position: int | None = None


@process_bound("hand over job.token, and call pika.job(token).events() in the other process")
class JobEvents(AsyncIterator[JobEvent]):
    """Yields the job's present state first, then every change, and ends when the job has ended.

    Raises what ends a wait but not the job: `JobUnresolved`, an `AuthError` of a look-up, a closed client.
    """

    def __init__(self, orders: Orders, flight: Flight) -> None:
        self._orders = orders
        self._flight = flight
        self._waiting: deque[JobEvent] = deque()
        self._last: JobEvent | None = None
        self._end: asyncio.Future[None] | None = None
        self._wake: asyncio.Future[None] | None = None

    async def __anext__(self) -> JobEvent:
        if self._end is None:
            self._end = await self._begin()
        while not self._waiting:
            if self._end.done():
                self._end.result()
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            try:
                await self._wake
            except asyncio.CancelledError as error:
                from pika_async._waits import note_token

                note_token(self._flight, error)
                raise
        return self._waiting.popleft()

    async def _begin(self) -> asyncio.Future[None]:
        from pika_async._engine.expectation import Stage

        flight = self._flight
        await self._orders.resuming.resume(flight)
        if not flight.ended:
            flight.listeners = [*(flight.listeners or ()), self._noted]
        end = flight.expect(Stage.ENDED).future
        end.add_done_callback(self._over)
        self._noted(flight)
        return end

    def _noted(self, flight: Flight) -> None:
        event = _event(flight)
        if event != self._last:
            self._last = event
            self._waiting.append(event)
        self._notify()

    def _over(self, _: object) -> None:
        listeners = self._flight.listeners
        if listeners and self._noted in listeners:
            listeners.remove(self._noted)
        self._notify()

    def _notify(self) -> None:
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)


def report(flight: Flight, on_event: Callable[[JobEvent], object]) -> None:
    """Call *on_event* with the job's present state and with every change; what it raises is logged."""
    last: list[JobEvent] = []

    def noted(flight: Flight) -> None:
        event = _event(flight)
        if last != [event]:
            last[:] = [event]
            try:
                on_event(event)
            except Exception:
                log.exception("job %s: on_event failed", flight.id)

    flight.listeners = [*(flight.listeners or ()), noted]
    noted(flight)


def _event(flight: Flight) -> JobEvent:
    snapshot = flight.snapshot
    return JobEvent(
        state=flight.state,
        progress=getattr(snapshot, "progress", None),
        queue_position=getattr(snapshot, "queue_position", None),
    )
