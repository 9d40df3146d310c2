"""Jobs of which it is not known whether the ledger took what time, or a history, said of them."""

from __future__ import annotations

import logging

from pika_async._engine.desk import Desk
from pika_async.errors import LedgerError

log = logging.getLogger("pika_async")


class Unheard:
    """Reads those jobs again once the ledger works, because a failed commit may have been made."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._jobs: dict[str, None] = {}

    def note(self, job_id: str, error: LedgerError) -> None:
        """Note that the ledger failed on a job."""
        log.warning("job %s: not swept, the ledger failed: %s", job_id, error)
        self._jobs[job_id] = None

    async def reread(self) -> None:
        """Read what the ledger has of each; those on which it fails again are kept."""
        for job_id in tuple(self._jobs):
            flight = self._desk.flights.get(job_id)
            if flight is None or await self._desk.reread(flight):
                del self._jobs[job_id]
