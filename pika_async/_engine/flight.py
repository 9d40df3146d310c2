"""A job in flight: what this process knows of it, and who waits for it."""

from __future__ import annotations

import asyncio
from enum import IntEnum
from typing import TYPE_CHECKING

from pika_async._engine.clock import Clock, Timer
from pika_async._ledger.machine import JobRecord
from pika_async.errors import PikaError
from pika_async.requests import VideoRequest
from pika_async.results import Snapshot, State, Succeeded, Task

if TYPE_CHECKING:
    from pika_async._engine.account import Account


class Phase(IntEnum):
    """How far a job has come; a wait names the one it is for."""

    WAITING = 0
    ACCEPTED = 1
    ENDED = 2


class _Wait:
    __slots__ = ("future", "phase", "queue_timeout", "timeout", "timer")

    def __init__(self, phase: Phase, timeout: float | None, queue_timeout: float | None) -> None:
        self.phase = phase
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.timeout = timeout
        self.queue_timeout = queue_timeout
        self.timer: Timer | None = None

    def expire(self) -> None:
        if not self.future.done():
            self.future.set_exception(TimeoutError())

    def arm(self, clock: Clock, seconds: float | None) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
        if seconds is not None:
            self.timer = clock.call_at(clock.now() + seconds, self.expire)


class Flight:
    """The engine's side of a job; ten thousand of them are alive at once, so it is kept small."""

    __slots__ = (
        "__weakref__",
        "_waits",
        "account",
        "callback_url",
        "cancelled",
        "clock",
        "error",
        "fallbacks",
        "missing",
        "phase",
        "posted_at",
        "record",
        "request",
        "second_look",
        "slot",
        "snapshot",
        "stale",
    )

    def __init__(
        self,
        record: JobRecord,
        account: Account,
        clock: Clock,
        *,
        request: VideoRequest | None = None,
        fallbacks: tuple[Account, ...] = (),
        callback_url: str | bool | None = None,
    ) -> None:
        self.record = record
        self.account = account
        self.clock = clock
        self.request = request
        self.fallbacks = fallbacks
        self.callback_url = callback_url
        self.phase = Phase.WAITING
        self.posted_at: float | None = None
        self.snapshot: Snapshot | None = None
        self.error: PikaError | None = None
        self.slot = False
        self.cancelled = False
        self.second_look = False
        self.stale = 0
        self.missing: tuple[int, float] | None = None
        self._waits: list[_Wait] = []

    @property
    def id(self) -> str:
        """Give the job's id."""
        return self.record.id

    @property
    def task(self) -> Task | None:
        """Give the provider's task once it is known."""
        return self.record.newest.task

    @property
    def state(self) -> State:
        """Give the state as users see it."""
        match self.snapshot:
            case Succeeded():
                return State.SUCCEEDED
            case None:
                return State.FAILED if self.error is not None else State.QUEUED
            case _ if self.phase is Phase.ENDED:
                return State.FAILED
            case snapshot:
                return getattr(snapshot, "state", State.RUNNING)

    def posted(self) -> None:
        """Note that the POST starts now: from here the timeouts of the waits run."""
        self.posted_at = self.clock.now()
        for wait in self._waits:
            wait.arm(self.clock, wait.timeout)

    def reach(self, phase: Phase) -> None:
        """Wake those who wait for *phase* or an earlier one."""
        self.phase = phase
        if not self._waits:
            return
        waits, self._waits = self._waits, []
        for wait in waits:
            if wait.phase > phase:
                self._waits.append(wait)
            elif not wait.future.done():
                wait.future.set_result(None)

    def trouble(self, error: PikaError) -> None:
        """End all present waits with *error*; the job itself goes on."""
        waits, self._waits = self._waits, []
        for wait in waits:
            if not wait.future.done():
                wait.future.set_exception(error)

    def end(self, error: PikaError | None = None) -> None:
        """Mark the job as ended, well or with *error*."""
        self.error = error
        self.reach(Phase.ENDED)

    @property
    def ended(self) -> bool:
        """Tell whether nothing more will happen."""
        return self.phase is Phase.ENDED

    @property
    def awaited(self) -> bool:
        """Tell whether anyone waits."""
        return any(not wait.future.done() for wait in self._waits)

    async def wait(
        self, phase: Phase, *, timeout: float | None = None, queue_timeout: float | None = None
    ) -> None:
        """Wait until the job reaches *phase*.

        *timeout* runs from the later of now and the POST, *queue_timeout* from now until the POST. Raises
        builtin `TimeoutError` when one is over, and whatever `trouble` was given.
        """
        if self.phase >= phase:
            return
        wait = _Wait(phase, timeout, queue_timeout)
        wait.arm(self.clock, queue_timeout if self.posted_at is None else timeout)
        self._waits.append(wait)
        try:
            await wait.future
        finally:
            wait.arm(self.clock, None)
            if wait in self._waits:
                self._waits.remove(wait)
