"""A job in flight: what this process knows of it, and who waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from enum import IntEnum
from typing import TYPE_CHECKING

from pika_async._engine.clock import Clock, Timer
from pika_async._engine.verdict import in_doubt
from pika_async._ledger.records import JobRecord
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


class NoSlotError(TimeoutError):
    """The wait for a slot is over, before anything was sent."""


class Expectation:
    """Someone's wait for a phase of a job, with its own timeouts."""

    __slots__ = ("future", "phase", "queue_timeout", "timeout", "timer")

    def __init__(self, phase: Phase, timeout: float | None, queue_timeout: float | None) -> None:
        self.phase = phase
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
        "listeners",
        "phase",
        "posted_at",
        "record",
        "request",
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
        self.cancelled = False
        self.stale = 0
        self.listeners: list[Callable[[Flight], None]] | None = None
        self._waits: list[Expectation] = []

    @property
    def id(self) -> str:
        """Return the job's id."""
        return self.record.id

    @property
    def task(self) -> Task | None:
        """Return the provider's task once it is known; the newest one, should there be several."""
        return next((a.task for a in reversed(self.record.attempts) if a.task is not None), None)

    @property
    def state(self) -> State:
        """Return the state as users see it."""
        match self.snapshot:
            case Succeeded():
                return State.SUCCEEDED
            case _ if self.phase is Phase.ENDED:
                return State.FAILED
            case None:
                return State.RUNNING if self.task is not None else State.QUEUED
            case snapshot:
                return getattr(snapshot, "state", State.RUNNING)

    @property
    def unresolved(self) -> bool:
        """Return whether only a person, or late evidence, can move this job."""
        return not self.ended and in_doubt(self.record) is not None

    @property
    def ended(self) -> bool:
        """Return whether nothing more will happen."""
        return self.phase is Phase.ENDED

    @property
    def awaited(self) -> bool:
        """Return whether anyone waits."""
        return any(not wait.future.done() for wait in self._waits)

    def posted(self) -> None:
        """Note that the POST starts now: from here the timeouts of the waits run."""
        self.posted_at = self.clock.now()
        for wait in self._waits:
            wait.start(self.clock, posted=True)

    def requeued(self) -> None:
        """Note that the job waits for a slot again: the timeouts run anew from its next POST."""
        self.posted_at = None
        for wait in self._waits:
            wait.start(self.clock, posted=False)

    def reach(self, phase: Phase) -> None:
        """Wake those who wait for *phase* or an earlier one."""
        self.phase = phase
        self.tell()
        waits, self._waits = self._waits, []
        for wait in waits:
            if wait.phase > phase:
                self._waits.append(wait)
            else:
                wait.settle()

    def trouble(self, error: PikaError) -> None:
        """End all present waits with *error*; the job itself goes on."""
        self.tell()
        waits, self._waits = self._waits, []
        for wait in waits:
            wait.settle(error)

    def end(self, error: PikaError | None = None) -> None:
        """Mark the job as ended, well or with *error*."""
        self.error = error
        self.reach(Phase.ENDED)

    def tell(self) -> None:
        """Tell those who listen that something changed."""
        if self.listeners:
            for listener in tuple(self.listeners):
                listener(self)

    def expect(
        self, phase: Phase, *, timeout: float | None = None, queue_timeout: float | None = None
    ) -> Expectation:
        """Note that someone waits until the job reaches *phase*.

        *timeout* runs from the later of now and the POST, *queue_timeout* from now until the POST.
        """
        wait = Expectation(phase, timeout, queue_timeout)
        if self.phase >= phase:
            wait.settle()
        else:
            wait.start(self.clock, posted=self.posted_at is not None)
            self._waits.append(wait)
        return wait

    async def wait(
        self, phase: Phase, *, timeout: float | None = None, queue_timeout: float | None = None
    ) -> None:
        """Wait as `expect` says; raises `NoSlotError`, `TimeoutError`, and what `trouble` was given."""
        if self.phase >= phase:
            return
        wait = self.expect(phase, timeout=timeout, queue_timeout=queue_timeout)
        try:
            await wait.future
        finally:
            wait.withdraw()
            if wait in self._waits:
                self._waits.remove(wait)
