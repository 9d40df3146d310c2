"""The machine: which core is whose, and how much memory and time a process has used."""

from __future__ import annotations

import asyncio
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

_STATM = Path("/proc/self/statm")


def cores() -> tuple[int | None, int | None]:
    """Return the client's core and the server's; None for both where they cannot be told apart."""
    if not hasattr(os, "sched_getaffinity"):
        return None, None
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[-1]) if len(usable) > 1 else (None, None)


def stay_on(core: int | None) -> None:
    """Keep this process on one core."""
    if core is not None:
        os.sched_setaffinity(0, {core})


@contextmanager
def for_a_while_on(core: int | None) -> Iterator[None]:
    """Keep this process, and those it starts, on one core."""
    if core is None:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def resident() -> int:
    """Return the bytes of memory this process holds now; where nobody tells, the most it ever held."""
    if _STATM.exists():
        return int(_STATM.read_text().split()[1]) * resource.getpagesize()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def described() -> dict[str, Any]:
    """Return what the figures were taken on."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    versions: dict[str, str | None] = {}
    for name in ("pika-async", "aiohttp", "fal-client", "acedatacloud", "replicate", "runwayml", "openai"):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "cpu": model,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": os.getloadavg()[0],
        "versions": versions,
    }


class Peak:
    """Samples the resident memory of this process every 20 ms, on the running loop."""

    def __init__(self) -> None:
        self.before = self.most = resident()
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._sample()
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self.most = max(self.most, resident())

    @property
    def grown(self) -> int:
        """Return the bytes that came on top."""
        return self.most - self.before

    def _sample(self) -> None:
        self.most = max(self.most, resident())
        self._timer = asyncio.get_running_loop().call_later(0.02, self._sample)


class Stalls:
    """Finds the longest time for which the running loop did not come round.

    *longest* is wall time. *longest_busy* counts only what this process computed meanwhile, so that another
    process on the core is not held against us.
    """

    _EVERY = 0.001

    def __init__(self) -> None:
        self.longest = self.longest_busy = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def __enter__(self) -> Self:
        self._wall, self._cpu = time.perf_counter(), time.process_time()
        self._timer = asyncio.get_running_loop().call_later(self._EVERY, self._tick)
        return self

    def __exit__(self, *_: object) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _tick(self) -> None:
        wall, cpu = time.perf_counter(), time.process_time()
        self.longest = max(self.longest, wall - self._wall - self._EVERY)
        self.longest_busy = max(self.longest_busy, cpu - self._cpu)
        self._wall, self._cpu = wall, cpu
        self._timer = asyncio.get_running_loop().call_later(self._EVERY, self._tick)
