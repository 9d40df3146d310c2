"""Someone's wait for a job: how far it is to come, and for how long that is waited for."""

from __future__ import annotations

import asyncio
from enum import IntEnum

from pika_async._engine.clock import Clock, Timer


class Stage(IntEnum):
    """How far a job has come; a wait names the one it is for."""

    WAITING = 0
    ACCEPTED = 1
    ENDED = 2


class NoSlotError(TimeoutError):
    """The wait for a slot is over, before anything was sent."""


class Expectation:
    """Someone's wait for a stage of a job, with its own timeouts."""

    __slots__ = ("future", "queue_timeout", "stage", "timeout", "timer")

    def __init__(self, stage: Stage, timeout: float | None, queue_timeout: float | None) -> None:
        self.stage = stage
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.timeout = timeout
        self.queue_timeout = queue_timeout
        self.timer: Timer | None = None

    def start(self, clock: Clock, *, posted: bool) -> None:
        """Let the time run that bounds the wait now: for a slot before the POST, for the end after it."""
        self._stop()
        seconds, over = (self.timeout, TimeoutError) if posted else (self.queue_timeout, NoSlotError)
        if seconds is not None:
            self.timer = clock.call_at(clock.now() + seconds, lambda: self.settle(over()))

    def settle(self, error: BaseException | None = None) -> None:
        """End the wait, well or with *error*."""
        self._stop()
        if self.future.done():
            return
        if error is None:
            self.future.set_result(None)
        else:
            self.future.set_exception(error)
            self.future.exception()  # whoever waited may have been cancelled: then nobody has to read it

    def withdraw(self) -> None:
        """Wait no more."""
        self._stop()
        self.future.cancel()

    def _stop(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
