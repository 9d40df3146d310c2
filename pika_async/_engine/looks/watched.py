"""The attempts of one account under look-up, kept by the effects of changes; and when a look is due."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from pika_async._engine.account import Account
from pika_async._engine.addresses import Addresses
from pika_async._engine.clock import Clock, Timer
from pika_async._engine.desk import Desk
from pika_async._engine.effects import Look, Stop
from pika_async._engine.flight import Flight
from pika_async._engine.looks.confirmations import Confirmations
from pika_async._engine.looks.readings import Again, HasEnded, Looked, Reading, Seen
from pika_async._ledger.events import Mismatch
from pika_async._ledger.records import Attempt

_FRESH = Seen()


class Watched:
    """What is looked up, when, and who waits for it; *wake* is called by a timer when the next look is due.

    Where several processes share a ledger, one of them looks for all: *leading*. The others only look at what
    a caller asks for.
    """

    def __init__(self, account: Account, clock: Clock, addresses: Addresses, owner: str) -> None:
        self.account = account
        self._clock = clock
        self._addresses = addresses
        self._owner = owner
        self.schedule = account.schedule
        self.flights: dict[str, Flight] = {}
        self._by_task: dict[str, str] = {}
        self.confirmations = Confirmations(self.hurry, clock, self.arm)
        self.leading = True
        self._seen: dict[str, Seen] = {}
        self._onlookers: dict[str, list[asyncio.Future[None]]] = {}
        self._wake: Callable[[], None] | None = None
        self._timer: Timer | None = None
        self._timer_at = 0.0

    def on_due(self, wake: Callable[[], None]) -> None:
        """Have *wake* called when a look is due."""
        self._wake = wake

    def attempt(self, attempt_id: str) -> Attempt | None:
        """Return the attempt as its job's record has it now; None for one that is not looked up."""
        flight = self.flights.get(attempt_id)
        return flight.record.attempt(attempt_id) if flight is not None else None

    def of_task(self, task_id: str) -> tuple[Flight, Attempt] | None:
        """Return the attempt that a task belongs to, with its job; None for one that is not looked up."""
        attempt_id = self._by_task.get(task_id, "")
        attempt = self.attempt(attempt_id)
        return None if attempt is None else (self.flights[attempt_id], attempt)

    def add(self, flight: Flight, effect: Look) -> None:
        """Have the attempt's task looked up until it ends."""
        attempt = effect.attempt
        self.flights[attempt.id] = flight
        if attempt.task is not None:
            self._by_task[attempt.task.id] = attempt.id
        self.account.refused_look = None
        if effect.doubted:
            self._seen[attempt.id] = Seen(doubted=True)
        if self.leading or flight.adopted:
            self._enter(flight, attempt)

    def _enter(self, flight: Flight, attempt: Attempt) -> None:
        now = self._clock.now()
        kind = type(flight.request).__name__ if flight.request is not None else ""
        expects = self._addresses.expects_push(flight.record.callback_url, self.account.capabilities)
        self.schedule.add(attempt.id, kind, flight.posted_at or now, now, expect_callback=expects)
        if expects and attempt.owner != self._owner:
            # Its callback may have come, or been lost, while nobody was here.
            self.schedule.hurry(attempt.id)
        if self._timer is None or self.schedule.due(attempt.id) < self._timer_at:
            self.arm()

    def lead(self, *, leading: bool) -> None:
        """Begin or stop to look for all processes of the ledger."""
        if leading is self.leading:
            return
        self.leading = leading
        for attempt_id, flight in self.flights.items():
            if not leading and not flight.adopted:
                self.schedule.discard(attempt_id)
            elif (attempt := flight.record.attempt(attempt_id)) is not None:
                self._enter(flight, attempt)

    def forget(self, attempt_id: str) -> None:
        """Look no more."""
        if (flight := self.flights.pop(attempt_id, None)) is not None:
            attempt = flight.record.attempt(attempt_id)
            if attempt is not None and attempt.task is not None:
                self._by_task.pop(attempt.task.id, None)
            self._seen.pop(attempt_id, None)
            self.confirmations.forget(attempt_id)
            self.schedule.discard(attempt_id)
            self.release(attempt_id)

    def hurry(self, attempt_id: str) -> None:
        """Put an attempt first in line, whichever process leads."""
        flight = self.flights.get(attempt_id)
        if flight is None:
            return
        if attempt_id not in self.schedule and (attempt := flight.record.attempt(attempt_id)) is not None:
            self._enter(flight, attempt)
        self.schedule.hurry(attempt_id)

    def seen(self, attempt_id: str) -> Seen:
        """Return what earlier look-ups told that the record does not hold."""
        return self._seen.get(attempt_id, _FRESH)

    def keep(self, attempt_id: str, seen: Seen) -> None:
        """Keep what the look-ups so far told."""
        self._seen[attempt_id] = seen

    def note(self, attempt_id: str, reading: Reading) -> None:
        """Let the schedule and the confirmations know of a look; a process that does not lead looks once."""
        now = self._clock.now()
        match reading.note:
            case Looked(poll_after=poll_after):
                self.schedule.looked(attempt_id, now, poll_after=poll_after)
                self.confirmations.not_confirmed(attempt_id)
                if not self.leading and attempt_id not in self.confirmations:
                    flight = self.flights.get(attempt_id)
                    if flight is not None and not flight.adopted:
                        self.schedule.discard(attempt_id)
            case HasEnded():
                called_back = attempt_id in self.confirmations
                self.confirmations.forget(attempt_id)
                if called_back:
                    self.schedule.pace.answered()
                self.schedule.ended(attempt_id, now, called_back=called_back)
            case Again():
                if not isinstance(reading.event, Mismatch):
                    self.failed([attempt_id])

    def failed(self, attempt_ids: Sequence[str]) -> None:
        """Note a look that told nothing of these: they are due again later."""
        self.schedule.failed(attempt_ids, self._clock.now())
        for attempt_id in attempt_ids:
            self.confirmations.not_confirmed(attempt_id, failed=True)

    def expect(self, attempt_id: str) -> asyncio.Future[None]:
        """Return a future that is done when the next answer about the attempt is read."""
        onlooker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._onlookers.setdefault(attempt_id, []).append(onlooker)
        return onlooker

    def release(self, *attempt_ids: str) -> None:
        """Let those go on who wait for an answer about one of these."""
        for attempt_id in attempt_ids:
            for onlooker in self._onlookers.pop(attempt_id, ()):
                if not onlooker.done():
                    onlooker.set_result(None)

    def release_all(self) -> None:
        """Let everybody go on who waits for an answer."""
        self.release(*self._onlookers)

    def arm(self) -> None:
        """Set the timer to the moment of the next look, unless it is set to an earlier one."""
        when = self.schedule.next_at(self._clock.now())
        if when is None or self._wake is None:
            return
        if self._timer is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._clock.call_at(when, self._wake)

    def disarm(self) -> None:
        """Take the timer away; it is over or not wanted any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def look_up_tasks(desk: Desk, watched: Mapping[str, Watched]) -> None:
    """Have tasks looked up whose account is open here; those of other accounts are left to others."""

    def look(flight: Flight, effect: Look) -> None:
        if (here := watched.get(effect.attempt.account)) is not None:
            here.add(flight, effect)

    def stop(_: Flight, effect: Stop) -> None:
        if (here := watched.get(effect.attempt.account)) is not None:
            here.forget(effect.attempt.id)

    desk.carries_out(Look, look)
    desk.carries_out(Stop, stop)
