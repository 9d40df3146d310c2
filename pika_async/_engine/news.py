"""What other processes did to a shared ledger; it has the same effects here as what this process did."""

from __future__ import annotations

import asyncio
import logging

from pika_async._engine.clock import Clock, Timer
from pika_async._engine.desk import Desk
from pika_async._engine.looks.leader import Leader
from pika_async.errors import LedgerError

log = logging.getLogger("pika_async")

_OFTEN = 0.25
_RARELY = 2.0


class News:
    """Asks the ledger what changed, often while something does and every two seconds otherwise."""

    def __init__(self, desk: Desk, leader: Leader, clock: Clock) -> None:
        self._desk = desk
        self._leader = leader
        self._clock = clock
        self._timer: Timer | None = None
        self._pause = _OFTEN

    async def open(self) -> None:
        """Begin; what changed before is not news."""
        if self._desk.ledger.shared:
            await self._desk.ledger.news()
            self._later()

    def stop(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _later(self) -> None:
        if not self._desk.closing:
            self._timer = self._clock.call_at(self._clock.now() + self._pause, self._due)

    def _due(self) -> None:
        if not self._desk.closing:
            self._desk.spawn(self._ask())

    async def _ask(self) -> None:
        try:
            told = await self.read()
        except LedgerError as error:
            log.warning("the ledger cannot be watched: %s", error)
            told = False
        self._pause = _OFTEN if told else min(self._pause * 2, _RARELY)
        self._later()

    async def read(self) -> bool:
        """Take over what changed since the last time; return whether anything did."""
        desk = self._desk
        ids = await desk.ledger.news()
        if ids is None:
            ids = tuple(desk.flights)
        for record in await asyncio.gather(*map(desk.ledger.get, ids)):
            if record is None:
                continue
            flight = desk.flights.get(record.id)
            if flight is None:
                self._leader.notice(record)
            elif flight.recorded:
                desk.seen(flight, record)
        return bool(ids)
