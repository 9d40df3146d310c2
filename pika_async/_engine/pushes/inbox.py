"""Callbacks as they come in: committed to the ledger, then read again and processed, each once.

Any process with the ledger may receive; the one in which the job is in flight processes it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence

from pika_async._engine.account import Account
from pika_async._engine.addresses import Addresses
from pika_async._engine.clock import Clock, Timer
from pika_async._engine.desk import Desk
from pika_async._engine.effects import Answered, Ended, Look, Question
from pika_async._engine.flight import Flight
from pika_async._engine.looks.looks import Looks
from pika_async._engine.pushes.bindings import Bindings
from pika_async._engine.pushes.hints import Hints
from pika_async._ledger.records import Attempt, Received
from pika_async.callbacks import CallbackEvent
from pika_async.errors import LedgerError

log = logging.getLogger("pika_async")

_WATCH = 0.05
_LINGER = 1.0
_ALL_AGAIN = 60.0
_RETRY = 1.0
_PAGE = 50
_SUSPICIOUS = 3


class EngineInbox:
    """Commits callbacks to the ledger, and works off those of the jobs that are in flight here.

    Each is read once. What has to wait, for its job to come here or for the POST's own answer, stays in the
    ledger and is read again when that happens.
    """

    def __init__(
        self,
        desk: Desk,
        looks: Mapping[str, Looks],
        clock: Clock,
        addresses: Addresses,
        search: Callable[[Account, Sequence[Attempt]], Awaitable[None]],
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._addresses = addresses
        bindings = Bindings(desk, clock, addresses, search, self._waited_for)
        self._hints = Hints(desk, looks, clock, bindings, self.wake)
        self._working: asyncio.Task[None] | None = None
        self._again = False
        self._news = True
        self._read_up_to = 0
        self._left: dict[str, int] = {}
        self._dealt: dict[int, None] = {}
        self._all_again_at = 0.0
        self._timers: dict[str, Timer] = {}
        self._received = self._ended_without = 0
        for effect in (Look, Answered, Question):
            desk.carries_out(effect, lambda _, __: self.wake())
        desk.carries_out(Ended, self._ended)

    async def receive(self, event: CallbackEvent) -> None:
        """Commit *event*; its processing goes on after the provider has its answer. Raises `LedgerError`."""
        self._received += 1
        if await self._desk.ledger.inbox_put(event.attempt_id, event.body, event.headers):
            self._news = True
            self.wake()

    def _ended(self, flight: Flight, _: Ended) -> None:
        """Say once that jobs end and no callback comes: an address that nobody reaches fails in silence."""
        if not self._received and self._addresses.expects_push(
            flight.record.callback_url, flight.account.capabilities
        ):
            self._ended_without += 1
            if self._ended_without == _SUSPICIOUS:
                log.warning(
                    "%d jobs ended and no callback has arrived; check that the provider can reach the "
                    "public_url of your Callbacks. Look-ups find the videos, only later",
                    _SUSPICIOUS,
                )

    def wake(self) -> None:
        """Look again at what was left, because a job came here or an answer was read."""
        if self._desk.closing:
            return
        self._again = True
        if self._working is None or self._working.done():
            self._working = self._desk.spawn(self._work())
        self.watch()

    def watch(self) -> None:
        """Notice callbacks that other processes commit to a shared ledger, within a tenth of a second."""
        if self._desk.ledger.shared and self._desk.flights:
            self._after(_WATCH, self._glance)

    def stop(self) -> None:
        """Watch no more; what has not been worked off stays in the ledger."""
        for timer in self._timers.values():
            timer.cancel()
        if self._working is not None:
            self._working.cancel()
        self._hints.stop()
        if self._dealt:
            self._desk.spawn(self._mark_done())

    def _after(self, seconds: float, act: Callable[[], None]) -> None:
        name = act.__name__
        if name in self._timers or self._desk.closing:
            return

        def due() -> None:
            del self._timers[name]
            act()

        self._timers[name] = self._clock.call_at(self._clock.now() + seconds, due)

    def _glance(self) -> None:
        self._news = True
        self.wake()

    async def _work(self) -> None:
        try:
            while self._again:
                self._again = False
                await self._hints.recheck()
                await self._read_on()
        except LedgerError as error:
            log.warning("callbacks wait for the ledger: %s", error)
            self._all_again_at = 0.0
            self._after(_RETRY, self.wake)

    async def _read_on(self) -> None:
        after = self._where_to_start()
        while after is not None:
            page = await self._desk.ledger.inbox_pending(_PAGE, after)
            for received in page:
                if received.id in self._dealt or received.attempt_id in self._left:
                    continue
                if await self._dealt_with(received):
                    self._done(received.id)
                else:
                    self._left[received.attempt_id] = received.id
            after = page[-1].id if page else None
            self._read_up_to = max(self._read_up_to, after or 0)

    def _where_to_start(self) -> int | None:
        """Return the id after which there is something to read; None when there is nothing."""
        now = self._clock.now()
        if now >= self._all_again_at:
            self._all_again_at = now + _ALL_AGAIN
            self._left.clear()
            self._news = False
            return 0
        ready = [attempt_id for attempt_id in self._left if self._hints.may_go_on(attempt_id)]
        places = [self._left.pop(attempt_id) - 1 for attempt_id in ready]
        if self._news:
            self._news = False
            places.append(self._read_up_to)
        return min(places, default=None)

    async def _dealt_with(self, received: Received) -> bool:
        try:
            return await self._hints.dealt_with(received)
        except LedgerError:
            raise
        except Exception:
            log.exception("attempt %s: a callback broke the engine", received.attempt_id)
            return True

    def _done(self, received_id: int) -> None:
        """Mark a callback as handled, after a delay, so that other processes that wait read it first."""
        self._dealt[received_id] = None
        self._after(_LINGER if self._desk.ledger.shared else 0.0, self._sweep_up)

    def _waited_for(self, received: Received) -> None:
        """Mark a callback that was left as dealt with, and read what came after it for the same attempt."""
        self._done(received.id)
        place = self._left.pop(received.attempt_id, self._read_up_to)
        self._read_up_to, self._news = min(self._read_up_to, place), True
        self.wake()

    def _sweep_up(self) -> None:
        self._desk.spawn(self._mark_done())

    async def _mark_done(self) -> None:
        ids = tuple(self._dealt)
        try:
            await asyncio.gather(*map(self._desk.ledger.inbox_done, ids))
        except LedgerError as error:
            log.warning("callbacks stay in the ledger: %s", error)
            self._after(_RETRY, self._sweep_up)
            return
        for received_id in ids:
            self._dealt.pop(received_id, None)
