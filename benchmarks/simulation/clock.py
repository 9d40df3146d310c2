"""The clocks of a simulated process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

START = 1_800_000_000.0


class Machine(Protocol):
    """What all processes share: virtual time, how far the wall clock was set, how long it slept."""

    now: float
    wall_set: float
    slept: float


class SimulatedClock:
    """The engine's `Clock`: the monotonic one stands still while the machine sleeps, the others go on."""

    def __init__(self, machine: Machine, loop: asyncio.AbstractEventLoop) -> None:
        self._machine = machine
        self._loop = loop

    def now(self) -> float:
        return self._machine.now

    def wall(self) -> float:
        machine = self._machine
        return START + machine.now + machine.slept + machine.wall_set

    def boot(self) -> float:
        return self._machine.now + self._machine.slept

    def call_at(self, when: float, callback: Callable[[], None]) -> asyncio.TimerHandle:
        return self._loop.call_at(when, callback)
