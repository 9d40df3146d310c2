"""What becomes of an order that is not sent: left in the ledger, tried again, or ended."""

from __future__ import annotations

import logging

from pika_async._engine.charges import charged
from pika_async._engine.clock import Clock
from pika_async._engine.desk import Desk
from pika_async._engine.flight import Flight
from pika_async._engine.line import Line
from pika_async._engine.unsent_errors import sent_elsewhere
from pika_async._engine.verdict import refusal_of
from pika_async._ledger.events import Cancel, Refused
from pika_async._ledger.standing import spent, unsent
from pika_async.errors import LedgerError, PikaError

log = logging.getLogger("pika_async")


class Unsent:
    """Tells those who wait for an order that it was not sent, and why."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    def leave(self, flight: Flight, error: PikaError) -> None:
        """Let those who wait go with *error*; the order stays queued in the ledger."""
        if not unsent(flight.record):
            error.charged = spent(flight.record)  # an earlier attempt is in doubt
        if flight.record.key is None:
            error.retryable = False  # the same call would be another order beside this one
        flight.end(self._desk.explain(flight, error))
        self._desk.flights.pop(flight.id, None)
        if not flight.recorded:
            self._desk.spawn(self._desk.record(flight))

    async def leave_unread(self, flight: Flight, error: PikaError) -> None:
        """Leave an order that another process may have sent, unless it ended while the ledger was asked."""
        cost = await charged(self._desk, flight)
        if cost != spent(flight.record) and not isinstance(error, LedgerError):
            error = sent_elsewhere(cost)
        error.charged = cost
        if not flight.ended:
            self.leave(flight, error)

    async def give_up(self, flight: Flight, error: PikaError) -> None:
        """End an order that was never sent with *error*."""
        is_mine = flight.record.newest.owner == self._desk.owner  # claimed here, and no byte has left
        if not is_mine and (cost := await charged(self._desk, flight)) != "no":
            error.charged = cost  # another process sent it, or an earlier attempt is in doubt
        if not flight.ended:
            flight.end(self._desk.explain(flight, error))
        attempt = flight.record.newest
        # A claim that raised may be committed all the same.
        refused = Refused(attempt=attempt.id, owner=self._desk.owner, refusal=refusal_of(error), error=error)
        await self._desk.tell(flight, refused)
        await self._desk.tell(flight, Cancel())

    async def ledger_failed(self, line: Line, flight: Flight, error: LedgerError) -> None:
        """Try again while the ledger may come back: an order in it outlives that. No byte has left."""
        if not self._desk.ledger.remembers:
            await self.give_up(flight, error)
        elif line.ledger_failed(self._clock.now()):
            await self.leave_unread(flight, error)
        else:
            log.warning("job %s: not sent, the ledger failed: %s", flight.id, error)
            line.add(flight)
