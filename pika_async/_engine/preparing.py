"""What is done for an order before it waits for a slot: it is recorded, and its media are prepared."""

from __future__ import annotations

import logging

from pika_async._engine.choosing import MEDIA
from pika_async._engine.desk import Desk
from pika_async._engine.flight import Flight
from pika_async._engine.ids import attempt_id
from pika_async._engine.line import Line
from pika_async._engine.unsent import Unsent
from pika_async._engine.uploads import Uploads
from pika_async._engine.verdict import refusal_of
from pika_async._ledger.events import NextAttempt, PassedOver
from pika_async._ledger.standing import next_fallback
from pika_async.errors import LedgerError, PikaError

log = logging.getLogger("pika_async")


class Preparing:
    """Prepares one order at a time; `Dispatch` says when. It buys nothing."""

    def __init__(self, desk: Desk, uploads: Uploads, unsent: Unsent) -> None:
        self._desk = desk
        self._uploads = uploads
        self._unsent = unsent

    async def prepared(self, line: Line, flight: Flight) -> bool:
        """Bring the media of *flight* into form; return whether it may be sent. No slot is held meanwhile."""
        try:
            if not flight.recorded and self._desk.ledger.remembers:
                await self._desk.record(flight)
            await self._uploads.prepare(flight)
        except LedgerError as error:
            await self._unsent.ledger_failed(line, flight, error)
        except PikaError as error:
            if not await self._passed_over(line, flight, error):
                await self._unsent.give_up(flight, error)
        except Exception as error:
            log.exception("job %s: the engine failed before the claim", flight.id)
            defect = PikaError(f"A defect in pika_async, please report it: {error!r}.")
            await self._unsent.give_up(flight, defect)
        else:
            return True
        return False

    async def _passed_over(self, line: Line, flight: Flight, error: PikaError) -> bool:
        """Go on to the next provider of the order, if there is one: a failed upload buys nothing."""
        if (fallback := next_fallback(flight.record)) is None:
            return False
        error.code = error.code or MEDIA
        newest = flight.record.newest
        following = NextAttempt(id=attempt_id(flight.id, newest.number + 1), account=fallback)
        event = PassedOver(attempt=newest.id, refusal=refusal_of(error), next=following)
        try:
            await self._desk.record(flight)
            await self._desk.tell(flight, event)
        except LedgerError as failed:
            await self._unsent.ledger_failed(line, flight, failed)
        return True
