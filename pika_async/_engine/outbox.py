"""What was learned while the ledger failed: told again, in its order, until the ledger has it."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from pika_async._engine.clock import Clock, Timer
from pika_async._ledger import Ledger
from pika_async._ledger.change import Change
from pika_async._ledger.events import Event
from pika_async._ledger.records import JobRecord
from pika_async.errors import LedgerError

log = logging.getLogger("pika_async")

_FIRST = 0.5
_SLOWEST = 5.0
_CLOSING_PAUSE = 0.2


class Outbox:
    """Events by job; *delivered* is called with the change that each one made in the end."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        delivered: Callable[[str, Change], None],
        spawn: Callable[[Coroutine[Any, Any, None]], object],
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._delivered = delivered
        self._spawn = spawn
        self._waiting: dict[str, deque[Event]] = {}
        self._unrecorded: dict[str, JobRecord] = {}
        self._since: float | None = None
        self._pause = _FIRST
        self._timer: Timer | None = None
        self._working = False
        self._one_at_a_time = asyncio.Lock()

    def holds(self, job_id: str) -> bool:
        """Return whether events of the job wait."""
        return job_id in self._waiting

    def refuse_before_others(self, job_id: str) -> None:
        """Raise `LedgerError` while earlier events of the job wait: events keep their order."""
        if self.holds(job_id):
            raise LedgerError("The ledger has not taken what was learned before; try again later.")

    @property
    def age(self) -> float | None:
        """Return for how many seconds the oldest event has waited; None when nothing waits."""
        return None if self._since is None else self._clock.now() - self._since

    def put(self, job_id: str, event: Event, error: LedgerError, unrecorded: JobRecord | None = None) -> None:
        """Keep *event*, which the ledger could not take because of *error*.

        *unrecorded* is the job before it, for one that the ledger may not know yet.
        """
        if unrecorded is not None:
            self._unrecorded.setdefault(job_id, unrecorded)
        log.error("job %s: the ledger failed, going on from memory: %s", job_id, error)
        self._waiting.setdefault(job_id, deque()).append(event)
        if self._since is None:
            self._since = self._clock.now()
        self._later()

    def _later(self) -> None:
        if self._timer is None and not self._working:
            self._timer = self._clock.call_at(self._clock.now() + self._pause, self._due)

    def _due(self) -> None:
        self._timer = None
        self._spawn(self._work())

    async def _work(self) -> None:
        self._working = True
        try:
            await self._deliver()
            self._pause = _FIRST
            self._since = None
        except LedgerError:
            self._pause = min(self._pause * 2, _SLOWEST)
        finally:
            self._working = False
        if self._waiting:
            self._later()

    async def _deliver(self) -> None:
        # Whoever closes the client delivers too, perhaps in the middle of a delivery.
        async with self._one_at_a_time:
            await self._deliver_all()

    async def _deliver_all(self) -> None:
        while self._waiting:
            job_id, events = next(iter(self._waiting.items()))
            try:
                change = await self._applied(job_id, events[0])
            except LedgerError:
                # Next time another job is first: one that is never taken must not hold back all others.
                self._waiting[job_id] = self._waiting.pop(job_id)
                raise
            events.popleft()
            if not events:
                del self._waiting[job_id]
            self._delivered(job_id, change)

    async def _applied(self, job_id: str, event: Event) -> Change:
        if (unrecorded := self._unrecorded.get(job_id)) is not None:
            change = await self._ledger.create(unrecorded, event)
            self._unrecorded.pop(job_id, None)
            if change.moved:
                return change
        return await self._ledger.apply(job_id, event)

    async def aclose(self, patience: float) -> None:
        """Tell the ledger what waits; what it does not take within *patience* seconds is said in the log."""
        if self._timer is not None:
            self._timer.cancel()
        give_up = asyncio.get_running_loop().time() + patience
        while self._waiting:
            try:
                await self._deliver()
            except LedgerError as error:
                if asyncio.get_running_loop().time() >= give_up:
                    self._say_what_remains(error)
                    return
                await asyncio.sleep(_CLOSING_PAUSE)

    def _say_what_remains(self, error: LedgerError) -> None:
        for job_id, events in self._waiting.items():
            log.error("job %s: the ledger never took %d events: %s", job_id, len(events), error)
