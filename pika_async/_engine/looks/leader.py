"""Which process looks up the running tasks of an account, where several share a ledger: one, by a lease."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping

from pika_async._engine.clock import Clock, Timer
from pika_async._engine.desk import Desk
from pika_async._engine.effects import Look
from pika_async._engine.flight import Flight
from pika_async._engine.looks.looks import Looks
from pika_async._ledger.records import AttemptState, JobRecord
from pika_async._ledger.standing import is_watched
from pika_async.errors import LedgerError

log = logging.getLogger("pika_async")

LEASE = 15.0
"""Seconds after which another process takes over from one that fell silent."""
_RENEW = LEASE / 3
_TRY = 1.0
_AGAIN = 60.0
"""Seconds after which a leader reads all running tasks again.

Whoever dies between a commit and the news of it has told nobody of that task.
"""
_REFUSED_FOR = 30.0
_WATCHED = frozenset({AttemptState.RUNNING, AttemptState.UNRESOLVED})
_RUNNING = frozenset({AttemptState.RUNNING})
_PAGE = 500


class Leader:
    """Takes, keeps and gives back the lease of every account; without sharing there is nothing to do.

    The lease is held only while there is something to look up. A process that has nothing to look up itself
    tries for it as well while tasks of others run, because their process may be dead. Losing the lease costs
    nothing but a free look-up that two processes make.
    """

    def __init__(self, desk: Desk, looks: Mapping[str, Looks], clock: Clock) -> None:
        self._desk = desk
        self._looks = looks
        self._clock = clock
        self._timers: dict[str, Timer] = {}
        self._trying: set[str] = set()
        self._wanted_meanwhile: set[str] = set()
        self._complete: set[str] = set()
        self._read_at: dict[str, float] = {}
        self._stepped_back: set[str] = set()
        if desk.ledger.shared and looks:
            desk.carries_out(Look, self._wanted)

    @property
    def leads(self) -> bool:
        """Whether this process looks up the tasks of others."""
        return any(looks.leading for looks in self._looks.values())

    async def open(self) -> None:
        """Take over accounts whose running tasks nobody looks up."""
        if not self._desk.ledger.shared:
            return
        for key in self._looks:
            await self._try(key, _WATCHED)

    def heard(self) -> None:
        """Note that another process changed something: its tasks are to be looked up should it die."""
        for key, looks in self._looks.items():
            if not looks.leading:
                self._later(key, _TRY)

    def missed(self) -> None:
        """Note that it is not known what other processes changed: read their running tasks again."""
        self._complete.clear()

    def _wanted(self, _: Flight, effect: Look) -> None:
        if effect.attempt.account in self._looks:
            self._later(effect.attempt.account, 0.0)

    def _later(self, key: str, seconds: float) -> None:
        if key in self._trying:
            self._wanted_meanwhile.add(key)
        elif not (self._desk.closing or key in self._timers):
            self._timers[key] = self._clock.call_at(self._clock.now() + seconds, lambda: self._due(key))

    def _due(self, key: str) -> None:
        self._timers.pop(key, None)
        if not self._desk.closing:
            self._desk.spawn(self._try(key))

    async def _try(self, key: str, states: Collection[AttemptState] = _RUNNING) -> None:
        """Take or keep the lease of an account, or give it back when there is nothing to look up."""
        if key in self._trying:
            return
        self._trying.add(key)
        looks = self._looks[key]
        pause: float | None = _RENEW
        try:
            if self._desk.accounts[key].refused_look is not None:
                # Its key is refused. Another process may have a good one, and must not wait for this one.
                pause = await self._step_back(key)
                return
            self._stepped_back.discard(key)
            if not await self._is_needed(key, states):
                await self._give_back(key)
                pause = None
                return
            leading = await self._desk.ledger.lease(_name(key), self._desk.owner, LEASE)
            looks.lead(leading=leading)
            if not leading:
                self._complete.discard(key)
                pause = _TRY
            elif key not in self._complete:
                if (learned := await self._desk.ledger.learned(key)) is not None:
                    self._desk.accounts[key].schedule.times.restore(learned)
                await self._take_over(key)
                self._complete.add(key)
            elif self._clock.now() - self._read_at[key] >= _AGAIN:
                await self._take_over(key)
        except LedgerError as error:
            # Paid tasks are looked up all the same: at worst, several processes make a free call.
            log.log(
                logging.DEBUG if looks.leading else logging.WARNING,
                "%s: the ledger fails; this process looks up its own tasks: %s",
                key,
                error,
            )
            looks.lead(leading=looks.leading or bool(len(looks)))
            self._complete.discard(key)
        finally:
            self._trying.discard(key)
            if pause is None and key in self._wanted_meanwhile:
                pause = 0.0  # a task came while the lease was given back
            self._wanted_meanwhile.discard(key)
            if pause is not None:
                self._later(key, pause)

    async def _is_needed(self, key: str, states: Collection[AttemptState]) -> bool:
        """Return whether anything runs that this process looks up, or would if it led."""
        if len(self._looks[key]):
            return True
        return bool(await self._desk.ledger.open_jobs(states, account=key, limit=1))

    async def _step_back(self, key: str) -> float:
        """Leave look-ups to others for a while, then try again; returns for how long."""
        if key in self._stepped_back:
            self._stepped_back.discard(key)
            self._looks[key].resume()
            return 0.0
        await self._give_back(key)
        self._stepped_back.add(key)
        return _REFUSED_FOR

    async def _give_back(self, key: str) -> None:
        """Keep what was learned, and let another process lead."""
        if self._looks[key].leading:
            await self._desk.ledger.learned(key, self._desk.accounts[key].schedule.times.text())
            await self._desk.ledger.lease(_name(key), self._desk.owner, 0.0)
            self._looks[key].lead(leading=False)
        self._complete.discard(key)

    async def _take_over(self, key: str) -> None:
        """Look up every running task of the account, whichever process ordered it."""
        self._read_at[key] = self._clock.now()
        after: str | None = None
        while True:
            page = await self._desk.ledger.open_jobs(_WATCHED, account=key, after=after, limit=_PAGE)
            for record in page:
                self.notice(record)
            if len(page) < _PAGE:
                return
            after = page[-1].id

    def notice(self, record: JobRecord) -> None:
        """Take up a job of another process whose task this one is to look up."""
        if (flight := self._desk.flights.get(record.id)) is not None:
            if flight.recorded:
                self._desk.seen(flight, record)
            return
        if not any(is_watched(a) and self._leads(a.account) for a in record.attempts):
            return
        self._desk.watch(record)

    def _leads(self, account: str) -> bool:
        return account in self._looks and self._looks[account].leading

    async def aclose(self) -> None:
        """Keep what was learned, and give every lease back."""
        for timer in self._timers.values():
            timer.cancel()
        if not self._desk.ledger.shared:
            return
        for key in self._looks:
            try:
                await self._give_back(key)
            except LedgerError as error:
                log.debug("%s: the lease for look-ups runs out by itself: %s", key, error)


def _name(account: str) -> str:
    return f"poll {account}"
