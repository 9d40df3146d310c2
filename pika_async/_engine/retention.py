"""What leaves the ledger by itself: media of jobs that have ended, where the user wants none kept."""

from __future__ import annotations

import logging

from pika_async._engine.desk import Desk
from pika_async._engine.effects import Forget
from pika_async._engine.flight import Flight
from pika_async._ledger.codec import without_media
from pika_async.errors import LedgerError

log = logging.getLogger("pika_async")


def drop_media(desk: Desk) -> None:
    """Have the media of each job leave the ledger once it has ended."""

    async def drop(job_id: str) -> None:
        try:
            await desk.ledger.forget(job_id, media_only=True)
        except LedgerError as error:
            log.warning("job %s: its media stay in the ledger: %s", job_id, error)

    def ended(flight: Flight, _: Forget) -> None:
        if without_media(flight.record.request) is not flight.record.request:
            desk.spawn(drop(flight.id))

    desk.carries_out(Forget, ended)
