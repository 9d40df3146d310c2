"""What happens to a job while it runs, as an async iterator."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from attrs import frozen

from pika_async.results import State

if TYPE_CHECKING:
    from pika_async._engine.engine import Engine
    from pika_async._engine.flight import Flight


@frozen(kw_only=True)
class JobEvent:
    """A change of *state*, or a sign of life; *progress* runs from 0 to 1 where the provider tells."""

    state: State
    progress: float | None = None
    queue_position: int | None = None


class JobEvents(AsyncIterator[JobEvent]):
    """Yields the job's present state first, then every change, and ends when the job has ended."""

    def __init__(self, engine: Engine, flight: Flight) -> None:
        self._engine = engine
        self._flight = flight
        self._waiting: deque[JobEvent] = deque()
        self._last: JobEvent | None = None
        self._wake: asyncio.Future[None] | None = None

    async def __anext__(self) -> JobEvent:
        flight = self._flight
        if self._last is None:
            await self._engine.resume(flight)
            if not flight.ended:
                flight.listeners = [*(flight.listeners or ()), self._noted]
            self._noted(flight)
        while not self._waiting:
            if flight.ended:
                raise StopAsyncIteration
            self._wake = asyncio.get_running_loop().create_future()
            await self._wake
        return self._waiting.popleft()

    def _noted(self, flight: Flight) -> None:
        snapshot = flight.snapshot
        event = JobEvent(
            state=flight.state,
            progress=getattr(snapshot, "progress", None),
            queue_position=getattr(snapshot, "queue_position", None),
        )
        if event != self._last:
            self._last = event
            self._waiting.append(event)
        if flight.ended and flight.listeners and self._noted in flight.listeners:
            flight.listeners.remove(self._noted)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)
