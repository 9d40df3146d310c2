"""One poller per account: sends the look-ups that the schedule asks for, and hands on what they tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from pika_async._engine.clock import Timer
from pika_async._engine.dispatch import complete
from pika_async._engine.flight import Flight
from pika_async._engine.schedule import Schedule
from pika_async._transport import Sender, SendError
from pika_async.errors import AuthError, PikaError, RateLimited
from pika_async.results import Failed, Pending, Snapshot, Task

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._engine.engine import Engine

log = logging.getLogger("pika_async")

LOOKUPS_AT_ONCE = 8
"""Look-ups on the wire at once per account; without batches this is the fan-out."""

_MISSING_LOOKS = 5
_MISSING_GRACE = 120.0


class Poller:
    """Shares look-ups between all pending tasks of an account; there is no timer per job."""

    def __init__(self, engine: Engine, transport: Sender, account: Account, schedule: Schedule) -> None:
        self._engine = engine
        self._transport = transport
        self._account = account
        self._schedule = schedule
        self._flights: dict[str, Flight] = {}
        self._lookups: set[asyncio.Task[None]] = set()
        self._onlookers: dict[str, list[asyncio.Future[None]]] = {}
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self.paused: AuthError | None = None

    def watch(self, flight: Flight) -> None:
        """Look *flight*'s task up until it has ended."""
        now = self._engine.clock.now()
        self._flights[flight.id] = flight
        self._schedule.add(flight.id, self._kind(flight), flight.posted_at or now, now)
        self._tick()

    def forget(self, flight: Flight) -> None:
        """Stop looking."""
        if self._flights.pop(flight.id, None) is not None:
            self._schedule.discard(flight.id)
            self._release_onlookers(flight.id)

    async def look_next(self, flight: Flight) -> None:
        """Have *flight* looked up as soon as the budget allows; returns when its answer is read."""
        seen = asyncio.get_running_loop().create_future()
        self._onlookers.setdefault(flight.id, []).append(seen)
        self._schedule.hurry(flight.id)
        self._tick()
        await seen

    def resume(self) -> None:
        """Try again after an `AuthError` paused the account."""
        if self.paused is not None:
            self.paused = None
            self._tick()

    async def aclose(self) -> None:
        """Stop every look-up."""
        if self._timer is not None:
            self._timer.cancel()
        self._flights.clear()
        for job_id in tuple(self._onlookers):
            self._release_onlookers(job_id)
        for task in self._lookups:
            task.cancel()
        await asyncio.gather(*self._lookups, return_exceptions=True)

    @staticmethod
    def _kind(flight: Flight) -> str:
        return type(flight.request).__name__ if flight.request is not None else ""

    def _tick(self) -> None:
        """Send what is due, then sleep until more is."""
        if self._engine.closing or self.paused is not None:
            return
        now = self._engine.clock.now()
        while len(self._lookups) < LOOKUPS_AT_ONCE and (keys := self._schedule.take(now)):
            flights = [self._flights[key] for key in keys]
            task = asyncio.get_running_loop().create_task(self._look(flights))
            self._lookups.add(task)
            task.add_done_callback(self._lookups.discard)
        self._sleep(now)

    def _sleep(self, now: float) -> None:
        when = self._schedule.next_at(now)
        if when is None or len(self._lookups) >= LOOKUPS_AT_ONCE:
            return
        if self._timer is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._engine.clock.call_at(when, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._tick()

    async def _look(self, flights: Sequence[Flight]) -> None:
        try:
            await self._look_up(flights)
        except Exception:
            log.exception("%s: the poller failed", self._account.key)
            self._failed(flights)
        finally:
            self._lookups.discard(asyncio.current_task())
            for flight in flights:
                self._release_onlookers(flight.id)
            self._tick()

    def _release_onlookers(self, job_id: str) -> None:
        for onlooker in self._onlookers.pop(job_id, ()):
            if not onlooker.done():
                onlooker.set_result(None)

    async def _look_up(self, flights: Sequence[Flight]) -> None:
        tasks = [flight.task for flight in flights if flight.task is not None]
        provider = self._account.provider
        clock = self._engine.clock
        try:
            request = self._account.guarded(provider.build_poll(tasks))
            response = await self._transport.poll(request)
        except SendError as error:
            log.debug("%s: a look-up failed: %s", self._account.key, error)
            self._failed(flights)
            return
        try:
            found = provider.read_poll(response, tasks)
        except PikaError as error:
            complete(error, self._account.name, "poll", response, clock.wall())
            self._refused(flights, error)
        else:
            await self._told(flights, found)

    def _failed(self, flights: Sequence[Flight]) -> None:
        self._schedule.failed([flight.id for flight in flights], self._engine.clock.now())

    def _refused(self, flights: Sequence[Flight], error: PikaError) -> None:
        """Take in that a look-up itself was refused: the jobs are as they were."""
        now = self._engine.clock.now()
        match error:
            case AuthError():
                self._failed(flights)
                self._pause(error)
            case RateLimited():
                self._schedule.slow_down([f.id for f in flights], now, retry_after=error.retry_after)
            case PikaError(status=400) if len(flights) > 1:
                self._schedule.halve_batch([f.id for f in flights], now)
            case _:
                self._failed(flights)

    def _pause(self, error: AuthError) -> None:
        log.warning("%s: paused, the provider refuses the key", self._account.key)
        self.paused = error
        for flight in tuple(self._flights.values()):
            paid = AuthError(
                error.message,
                provider=self._account.name,
                phase="poll",
                charged="yes",
                status=error.status,
                code=error.code,
                trace_id=error.trace_id,
            )
            flight.trouble(self._engine.explain(flight, paid))

    async def _told(self, flights: Sequence[Flight], found: Mapping[str, Snapshot]) -> None:
        for flight in flights:
            task = flight.task
            if flight.id not in self._flights or task is None:
                continue
            snapshot = found.get(task.id)
            if snapshot is None:
                await self._missing(flight)
            else:
                flight.missing = None
                await self._seen(flight, task, snapshot)

    async def _seen(self, flight: Flight, task: Task, snapshot: Snapshot) -> None:
        now = self._engine.clock.now()
        match snapshot:
            case Pending(poll_after=poll_after):
                self._schedule.looked(flight.id, now, poll_after=poll_after)
                if task.merged(snapshot.task) is not task:
                    await self._engine.learn(flight, snapshot, "answer")
                else:
                    self._engine.observe(flight, snapshot)
                await self._engine.check_age(flight)
            case Failed(reason="no_output") if not flight.second_look:
                flight.second_look = True
                self._schedule.looked(flight.id, now)
            case _:
                self._schedule.ended(flight.id, now)
                await self._engine.learn(flight, snapshot, "answer")

    async def _missing(self, flight: Flight) -> None:
        now = self._engine.clock.now()
        count, since = flight.missing or (0, now)
        flight.missing = (count + 1, since)
        self._schedule.looked(flight.id, now)
        if count + 1 >= _MISSING_LOOKS and now - since >= _MISSING_GRACE:
            await self._engine.lose(flight)
