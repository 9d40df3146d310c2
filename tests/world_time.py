"""Time that the processes of a test share and that can leap: a file says how far it is ahead of the real one.

What is simulated: that minutes passed. Every clock that the library and aiohttp read goes ahead together, and
timers that are overdue run at once, as they do in a process that was suspended or stopped for so long.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import selectors
import struct
import time
from collections.abc import Callable
from pathlib import Path

from pika_async._engine.clock import SystemClock

_FORM = struct.Struct("=dq")
_PATIENCE = 0.002


class WorldTime:
    """The time of the processes that map the file *path*; when the *leaper* among them is idle, it leaps."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_FORM.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _FORM.size)

    @property
    def ahead(self) -> float:
        """Return the seconds by which this time is ahead."""
        return _FORM.unpack(self._map[:])[0]

    @property
    def leaper(self) -> int:
        """Return the id of the process that may leap, or 0."""
        return _FORM.unpack(self._map[:])[1]

    @leaper.setter
    def leaper(self, pid: int) -> None:
        self._map[:] = _FORM.pack(self.ahead, pid)

    def leap(self, seconds: float) -> None:
        """Let *seconds* have passed for everybody."""
        self._map[:] = _FORM.pack(self.ahead + seconds, self.leaper)

    def wall(self) -> float:
        """Return seconds since 1970."""
        return time.time() + self.ahead

    def close(self) -> None:
        """Let the file go."""
        self._map.close()


class _Leaping(selectors.DefaultSelector):
    """Waits for nothing but sockets: if they are silent and nobody is busy, the time of the wait is over."""

    def __init__(self, world: WorldTime, busy: Callable[[], bool]) -> None:
        super().__init__()
        self._world = world
        self._busy = busy

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        long = timeout is not None and timeout > _PATIENCE
        if timeout is None or not long or self._busy() or self._world.leaper != os.getpid():
            return super().select(timeout)
        events = super().select(_PATIENCE)
        if not events:
            self._world.leap(timeout)
        return events


class WorldLoop(asyncio.SelectorEventLoop):
    """An event loop in world time; it leaps over waits while it is the leaper and *busy* is False."""

    def __init__(self, world: WorldTime, busy: Callable[[], bool]) -> None:
        self._world = world
        super().__init__(_Leaping(world, busy))

    def time(self) -> float:
        """Return monotonic seconds."""
        return super().time() + self._world.ahead


class WorldClock(SystemClock):
    """The library's own clocks in world time; timers and monotonic time are those of a `WorldLoop`."""

    def __init__(self, world: WorldTime) -> None:
        super().__init__()
        self._world = world
        self.wall = world.wall

    def boot(self) -> float:
        """Return seconds since boot."""
        return super().boot() + self._world.ahead
