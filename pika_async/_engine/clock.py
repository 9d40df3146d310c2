"""Time, as it is handed to everything that waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Protocol, TypeAlias


class Timer(Protocol):
    """A callback that has not run yet."""

    def cancel(self) -> None: ...


class Clock(Protocol):
    """Three clocks and a timer; the fence compares all three (a suspend stops some of them)."""

    def now(self) -> float:
        """Return monotonic seconds, the clock of timers and waits."""

    def wall(self) -> float:
        """Return seconds since 1970, the clock of the ledger and its leases."""

    def boot(self) -> float:
        """Return seconds since boot, suspended time included where the system knows it."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Run *callback* at *when* on the monotonic clock."""


Moment: TypeAlias = tuple[float, float, float]
"""One reading of all three clocks."""


def moment(clock: Clock) -> Moment:
    """Read all three clocks: a suspend stops some of them."""
    return clock.now(), clock.wall(), clock.boot()


async def sleep(clock: Clock, seconds: float) -> None:
    """Wait *seconds* on *clock*."""
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    timer = clock.call_at(clock.now() + seconds, lambda: None if done.done() else done.set_result(None))
    try:
        await done
    finally:
        timer.cancel()


_BOOT = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class SystemClock:
    """The clocks of this machine and the timers of the running event loop."""

    def __init__(self) -> None:
        self._loop = loop = asyncio.get_running_loop()
        # asyncio's own loops ask this clock as well, one call deeper.
        is_plain = getattr(type(loop), "time", None) is asyncio.BaseEventLoop.time
        self.now: Callable[[], float] = time.monotonic if is_plain else loop.time
        self.wall = time.time

    def boot(self) -> float:
        """Return seconds since boot."""
        return time.clock_gettime(_BOOT)

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Run *callback* at *when* on the loop's clock."""
        return self._loop.call_at(when, callback)
