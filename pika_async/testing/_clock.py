"""A clock that stands still until a test moves it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from attrs import define

from pika_async._crossing import process_bound


@process_bound("it belongs to a FakeClock()")
@define(eq=False)
class FakeTimer:
    """A callback of a `FakeClock` that has not run yet."""

    callback: Callable[[], None] | None

    def cancel(self) -> None:
        """Never run the callback."""
        self.callback = None


@process_bound("make a FakeClock() in each process")
class FakeClock:
    """A clock that stands still until it is told to advance; wall-clock time starts at *wall*."""

    def __init__(self, wall: float = 1_800_000_000.0) -> None:
        self._now = 1000.0
        self._wall_offset = wall - self._now
        self._timers: list[tuple[float, int, FakeTimer]] = []
        self._order = count()

    def now(self) -> float:
        """Return monotonic seconds."""
        return self._now

    def wall(self) -> float:
        """Return seconds since 1970."""
        return self._now + self._wall_offset

    def boot(self) -> float:
        """Return seconds since boot."""
        return self._now

    def call_at(self, when: float, callback: Callable[[], None]) -> FakeTimer:
        """Run *callback* once the clock has been advanced to *when*."""
        timer = FakeTimer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    async def advance(self, seconds: float) -> None:
        """Move on, running what falls due in its order and letting tasks go on after each."""
        end = self._now + seconds
        await settle()
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            if timer.callback is not None:
                timer.callback()
                await settle()
        self._now = end
        await settle()


async def settle(turns: int = 30) -> None:
    """Let every task of the loop go on until it waits for something."""
    for _ in range(turns):
        await asyncio.sleep(0)
