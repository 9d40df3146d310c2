"""Which process looks up the running tasks of an account, where several share a ledger: one, by a lease."""

from __future__ import annotations

import logging
from collections.abc import Mapping

from pika_async._engine.clock import Clock, Timer
from pika_async._engine.desk import Desk
from pika_async._engine.effects import Look
from pika_async._engine.flight import Flight
from pika_async._engine.looks.looks import Looks
from pika_async._ledger.records import AttemptState, JobRecord
from pika_async._ledger.standing import is_watched
from pika_async.errors import ConfigError, LedgerError

log = logging.getLogger("pika_async")

LEASE = 15.0
"""Seconds after which another process takes over from one that fell silent."""
_RENEW = LEASE / 3
_TRY = 1.0
_WATCHED = frozenset({AttemptState.RUNNING, AttemptState.UNRESOLVED})
_PAGE = 500


class Leader:
    """Takes, keeps and gives back the lease of every account; without sharing there is nothing to do.

    The lease is held only while this process has something to look up, or found something that nobody
    looks up. Losing it costs nothing but a free look-up that two processes make.
    """

    def __init__(self, desk: Desk, looks: Mapping[str, Looks], clock: Clock) -> None:
        self._desk = desk
        self._looks = looks
        self._clock = clock
        self._timers: dict[str, Timer] = {}
        self._trying: set[str] = set()
        if desk.ledger.shared:
            desk.carries_out(Look, self._wanted)

    async def open(self) -> None:
        """Take over accounts whose running tasks nobody looks up."""
        if not self._desk.ledger.shared:
            return
        for key in self._looks:
            if await self._desk.ledger.open_jobs(_WATCHED, account=key, limit=1):
                await self._try(key)

    def _wanted(self, _: Flight, effect: Look) -> None:
        self._later(effect.attempt.account, 0.0)

    def _later(self, key: str, seconds: float) -> None:
        if self._desk.closing or key in self._trying:
            return
        if key in self._timers:
            if seconds or self._looks[key].leading:
                return
            self._timers.pop(key).cancel()
        self._timers[key] = self._clock.call_at(self._clock.now() + seconds, lambda: self._due(key))

    def _due(self, key: str) -> None:
        self._timers.pop(key, None)
        if not self._desk.closing:
            self._desk.spawn(self._try(key))

    async def _try(self, key: str) -> None:
        """Take or keep the lease of an account, or give it back when there is nothing to look up."""
        if key in self._trying:
            return
        self._trying.add(key)
        looks = self._looks[key]
        try:
            if looks.leading and not len(looks):
                await self._desk.ledger.lease(_name(key), self._desk.owner, 0.0)
                leading = False
            else:
                leading = await self._desk.ledger.lease(_name(key), self._desk.owner, LEASE)
        except LedgerError as error:
            # Paid tasks are looked up all the same: at worst, several processes make a free call.
            leading = True
            log.log(
                logging.DEBUG if looks.leading else logging.WARNING,
                "%s: the ledger fails; this process looks up its own tasks: %s",
                key,
                error,
            )
        finally:
            self._trying.discard(key)
        began = leading and not looks.leading
        looks.lead(leading=leading)
        if began:
            await self._take_over(key)
        if len(looks):
            self._later(key, _RENEW if leading else _TRY)

    async def _take_over(self, key: str) -> None:
        """Look up every running task of the account, whichever process ordered it."""
        try:
            if (learned := await self._desk.ledger.learned(key)) is not None:
                self._desk.accounts[key].schedule.restore(learned)
            after: str | None = None
            while True:
                page = await self._desk.ledger.open_jobs(_WATCHED, account=key, after=after, limit=_PAGE)
                for record in page:
                    self.notice(record)
                if len(page) < _PAGE:
                    return
                after = page[-1].id
        except LedgerError as error:
            log.warning("%s: not all running tasks are known: %s", key, error)

    def notice(self, record: JobRecord) -> None:
        """Take up a job of another process whose task this one is to look up."""
        if record.id in self._desk.flights:
            return
        if not any(is_watched(a) and self._leads(a.account) for a in record.attempts):
            return
        try:
            self._desk.take_up(record)
        except ConfigError as error:
            log.debug("job %s is left to others: %s", record.id, error)

    def _leads(self, account: str) -> bool:
        return account in self._looks and self._looks[account].leading

    async def aclose(self) -> None:
        """Keep what was learned, and give every lease back."""
        for timer in self._timers.values():
            timer.cancel()
        if not self._desk.ledger.shared:
            return
        for key, looks in self._looks.items():
            if not looks.leading:
                continue
            try:
                await self._desk.ledger.learned(key, self._desk.accounts[key].schedule.learned())
                await self._desk.ledger.lease(_name(key), self._desk.owner, 0.0)
            except LedgerError as error:
                log.debug("%s: the lease for look-ups runs out by itself: %s", key, error)


def _name(account: str) -> str:
    return f"poll {account}"
