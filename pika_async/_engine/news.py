"""What other processes did to a shared ledger; it has the same effects here as what this process did."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from itertools import islice

from pika_async._engine.clock import Clock, Timer
from pika_async._engine.desk import Desk
from pika_async._engine.looks.leader import Leader
from pika_async._ledger.records import JobRecord
from pika_async.errors import LedgerError

log = logging.getLogger("pika_async")

_OFTEN = 0.25
_RARELY = 2.0
_TOGETHER = 0.005
"""Seconds for which news gather, so that a busy fleet is not asked for each job."""
_PAGE = 500
"""Jobs read at a time, so that a long absence does not read everything at once."""


class News:
    """Asks the ledger what changed: when it tells of news, else four times a second while there are jobs."""

    def __init__(
        self, desk: Desk, leader: Leader, clock: Clock, reread: Callable[[], Awaitable[None]]
    ) -> None:
        self._desk = desk
        self._leader = leader
        self._clock = clock
        self._reread = reread
        self._timer: Timer | None = None
        self._pause = _OFTEN
        self._unread: dict[str, None] = {}
        self._asking = self._told = False

    async def open(self) -> None:
        """Begin; what changed before is not news."""
        if self._desk.ledger.shared:
            await self._desk.ledger.news()
            self._later()
            self._desk.ledger.tells(self._heard_of)

    def stop(self) -> None:
        """Ask no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _heard_of(self) -> None:
        if self._told:
            return
        self._told = True
        if not self._asking:
            self.stop()
            self._later()

    def _later(self) -> None:
        if not self._desk.closing:
            pause = _TOGETHER if self._told else self._pause
            self._timer = self._clock.call_at(self._clock.now() + pause, self._due)

    def _due(self) -> None:
        if not self._desk.closing:
            self._asking, self._told = True, False
            self._desk.spawn(self._ask())

    async def _ask(self) -> None:
        try:
            await self.read()
        except LedgerError as error:
            log.warning("the ledger cannot be watched: %s", error)
        except Exception:
            log.exception("what changed in the ledger broke the engine")
        finally:
            self._asking = False
            busy = self._desk.flights or self._leader.leads
            self._pause = _OFTEN if busy else min(self._pause * 2, _RARELY)
            self._later()

    async def read(self) -> None:
        """Take over what changed since the last time; what cannot be read now is read the next time."""
        desk = self._desk
        ids = await desk.ledger.news()
        if ids is None:
            self._leader.missed()
            ids = tuple(desk.flights)
        elif not ids and not self._unread:
            return
        self._leader.heard()
        leads = self._leader.leads
        self._unread.update(dict.fromkeys(job_id for job_id in ids if leads or job_id in desk.flights))
        wanted = tuple(islice(self._unread, _PAGE))
        for job_id in wanted:
            del self._unread[job_id]
        read = await asyncio.gather(*map(desk.ledger.get, wanted), return_exceptions=True)
        for job_id, record in zip(wanted, read, strict=True):
            match record:
                case BaseException():
                    # Behind all others: a row that is damaged for good must not keep them waiting.
                    self._unread[job_id] = None
                    log.debug("job %s: what changed cannot be read yet: %s", job_id, record)
                case None:
                    pass
                case _:
                    self._heard(record)
        await self._reread()

    def _heard(self, record: JobRecord) -> None:
        flight = self._desk.flights.get(record.id)
        if flight is None:
            self._leader.notice(record)
        elif flight.recorded:
            self._desk.seen(flight, record)
