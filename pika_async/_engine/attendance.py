"""Says to a shared ledger what this process is to each account, and hears what all processes are.

Its cap, a key that the provider refuses and a wait for a slot are other processes' business: the least cap
holds for all, turns are taken, and an account whose every key is refused is paused.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from attrs import frozen

from pika_async._engine.clock import Clock, Timer
from pika_async._engine.desk import Desk
from pika_async._engine.line import Line
from pika_async._engine.lines import Lines
from pika_async._ledger.faults import OUTDATED
from pika_async._ledger.process import described
from pika_async._ledger.records import AttemptState, Member
from pika_async.errors import LedgerError

log = logging.getLogger("pika_async")

ALIVE: Final = 30.0
"""Seconds after which a process that says nothing counts no more."""
_ALIVE_IDLE: Final = 300.0
"""The same for one that has no jobs: it writes as little as it can."""
_TURN: Final = 6.0
"""Seconds for which a turn is kept for a process that waits and does not say so again."""

_NO_POLLER: Final = -1.0


@frozen
class _Said:
    """What others must hear at once."""

    waits: bool
    refused: str | None


@frozen(kw_only=True)
class Crew:
    """Who works on an account: *workers* are the processes that send, with *places* for tasks in all.

    *oldest_queued* is when the order was recorded that has waited longest. *poller* is the process that looks
    tasks up, *lag* how late its latest look-up is.
    """

    workers: int = 0
    places: int = 0
    oldest_queued: float | None = None
    poller: str | None = None
    lag: float = 0.0


class Attendance:
    """One entry for each account, renewed while the client is open; `noticed` renews it at once.

    A client that is not *working* sends nothing, so it has no entry and only reads those of others.
    """

    def __init__(
        self,
        desk: Desk,
        lines: Lines,
        clock: Clock,
        lag: Callable[[str], float | None],
        wake: Callable[[Line], None],
        *,
        working: bool = True,
    ) -> None:
        self.crews: dict[str, Crew] = {}
        self._working = working
        self._places = 0
        self._desk = desk
        self._lines = lines
        self._clock = clock
        self._lag = lag
        self._wake = wake
        self._label, self._version = described()
        self._said: dict[str, _Said] = {}
        self._timers: dict[str, Timer] = {}
        self._telling: set[str] = set()
        self._lower: set[str] = set()
        self.on_outdated: Callable[[LedgerError], object] = _told
        """Called when newer releases alone may begin something on the ledger."""

    async def open(self) -> None:
        """Be there; raises `LedgerError`."""
        if self._desk.ledger.shared:
            for line in self._lines.values():
                await self._tell(line)

    async def works(self, places: int) -> None:
        """Say that this process is a worker that runs so many tasks at once; raises `LedgerError`."""
        self._places = places
        await self.open()

    def stop(self) -> None:
        """Say nothing more by itself."""
        for timer in self._timers.values():
            timer.cancel()

    async def aclose(self) -> None:
        """Take every entry back, so that nobody waits until it is over."""
        self.stop()
        for key in self._said:
            try:
                await self._desk.ledger.present(key, self._member(self._lines[key]), 0.0)
            except LedgerError as error:
                log.debug("%s: that this process sends no more is not noted: %s", key, error)

    def noticed(self, line: Line) -> None:
        """Renew the entry at once where something of it changed that others wait for."""
        key = line.account.key
        if key in self._said and key not in self._telling and self._said[key] != self._now(line):
            self._later(line, 0.0)

    def _now(self, line: Line) -> _Said:
        refused = line.key_refused(self._desk.ledger.now())
        return _Said(waits=line.waits, refused=None if refused is None else refused[1])

    def _member(self, line: Line) -> Member:
        now = self._desk.ledger.now()
        until, why = line.key_refused(now) or (0.0, None)
        lag = self._lag(line.account.key)
        return Member(
            owner=self._desk.owner,
            max_slots=line.account.max_concurrency,
            label=self._label,
            version=self._version,
            places=self._places,
            refused_until=until,
            refused_why=why,
            waits_until=now + _TURN if line.waits else 0.0,
            lag=_NO_POLLER if lag is None else lag,
        )

    def _later(self, line: Line, seconds: float) -> None:
        key = line.account.key
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()
        if not self._desk.closing:
            self._timers[key] = self._clock.call_at(self._clock.now() + seconds, lambda: self._due(line))

    def _due(self, line: Line) -> None:
        self._timers.pop(line.account.key, None)
        if not self._desk.closing and line.account.key not in self._telling:
            self._desk.spawn(self._renew(line))

    async def _renew(self, line: Line) -> None:
        try:
            await self._tell(line)
        except LedgerError as error:
            if error.code == OUTDATED:
                self.on_outdated(error)
                return
            log.debug("%s: the ledger does not hear that this process sends: %s", line.account.key, error)
            self._later(line, _TURN / 3)

    async def _tell(self, line: Line) -> None:
        key = line.account.key
        self._telling.add(key)
        try:
            said = self._now(line)
            often = self._desk.flights or self._places or not self._working
            alive = ALIVE if often else _ALIVE_IDLE
            if self._working:
                usage = await self._desk.ledger.present(key, self._member(line), alive)
                self._said[key] = said
                line.learn(usage, self._desk.ledger.now(), self._clock.now())
                self._say_which_cap_holds(line)
            self.crews[key] = await self._crew(key)
        finally:
            self._telling.discard(key)
        self._later(line, _TURN / 3 if said.waits else alive / 3)
        self._wake(line)
        self.noticed(line)

    async def _crew(self, key: str) -> Crew:
        members = await self._desk.ledger.members(key)
        queued = await self._desk.ledger.open_jobs({AttemptState.QUEUED}, account=key, limit=1)
        poller = next((m for m in members if m.lag >= 0.0), None)
        return Crew(
            workers=len(members),
            places=sum(m.places for m in members),
            oldest_queued=queued[0].created_at if queued else None,
            poller=None if poller is None else poller.label,
            lag=0.0 if poller is None else poller.lag,
        )

    def _say_which_cap_holds(self, line: Line) -> None:
        key, own = line.account.key, line.account.max_concurrency
        lower = line.limit < own
        if lower and key not in self._lower:
            log.warning(
                "%s: max_concurrency is %d here and %d in another process of this ledger; the least holds",
                key,
                own,
                line.limit,
            )
        (self._lower.add if lower else self._lower.discard)(key)


def _told(error: LedgerError) -> None:
    log.error("this process sends no more: %s", error)
