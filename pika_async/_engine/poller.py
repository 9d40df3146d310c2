"""One poller per account: sends the look-ups that the schedule asks for, and hands on what they tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pika_async._engine.clock import Timer
from pika_async._engine.confirmations import Confirmations
from pika_async._engine.flight import Flight
from pika_async._engine.outcomes import complete
from pika_async._engine.readings import Readings
from pika_async._engine.schedule import Schedule
from pika_async._ledger.records import Attempt, AttemptState
from pika_async._transport import Sender, SendError
from pika_async.errors import AuthError, PikaError, RateLimited
from pika_async.results import Snapshot, Task

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._engine.engine import Engine

log = logging.getLogger("pika_async")

LOOKUPS_AT_ONCE = 8
"""Look-ups on the wire at once per account; without batches this is the fan-out."""


class Poller:
    """Shares look-ups between all pending attempts of an account; there is no timer per job."""

    def __init__(self, engine: Engine, transport: Sender, account: Account, schedule: Schedule) -> None:
        self._engine = engine
        self._transport = transport
        self._account = account
        self._schedule = schedule
        self._flights: dict[str, Flight] = {}
        self._lookups: set[asyncio.Task[None]] = set()
        self._onlookers: dict[str, list[asyncio.Future[None]]] = {}
        self._confirmations = Confirmations(schedule, engine.clock, self._tick)
        self._readings = Readings(engine, account, schedule, self._confirmations, self._flights.get)
        self._turns: set[asyncio.Future[bool]] = set()
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self.paused: PikaError | None = None

    def __len__(self) -> int:
        return len(self._flights)

    @property
    def lag(self) -> float:
        """Return by how many seconds the most overdue look is late."""
        now = self._engine.clock.now()
        when = self._schedule.next_at(now)
        return max(0.0, now - when) if when is not None else 0.0

    def consider(self, flight: Flight, attempt: Attempt) -> None:
        """Look *attempt*'s task up for as long as it has one that may still change."""
        wanted = attempt.task is not None and attempt.state in {
            AttemptState.RUNNING,
            AttemptState.UNRESOLVED,
        }
        if not wanted:
            self.forget(attempt.id)
        elif attempt.id not in self._flights:
            now = self._engine.clock.now()
            kind = type(flight.request).__name__ if flight.request is not None else ""
            self._flights[attempt.id] = flight
            self.paused = None
            expects = self._expects_callback(flight)
            self._schedule.add(attempt.id, kind, flight.posted_at or now, now, expect_callback=expects)
            if expects and attempt.owner != self._engine.owner:
                # Its callback may have come, or been lost, while nobody was here.
                self._schedule.hurry(attempt.id)
            self._tick()

    def _expects_callback(self, flight: Flight) -> bool:
        receives = self._engine.callbacks is not None and flight.callback_url is None
        return receives and self._account.capabilities.callbacks != "no"

    def forget(self, attempt_id: str) -> None:
        """Stop looking."""
        self._confirmations.confirmed(attempt_id)
        if self._flights.pop(attempt_id, None) is not None:
            self._readings.forget(attempt_id)
            self._schedule.discard(attempt_id)
            self._release_onlookers(attempt_id)

    async def look_next(self, attempt_id: str) -> None:
        """Have an attempt looked up as soon as the budget allows; returns when its answer is read."""
        if attempt_id not in self._flights:
            return
        self.resume()
        seen = asyncio.get_running_loop().create_future()
        self._onlookers.setdefault(attempt_id, []).append(seen)
        self._schedule.hurry(attempt_id)
        self._tick()
        await seen

    async def ask(self, task: Task) -> Snapshot | None:
        """Look one task up outside the schedule, within the budget; None for whatever goes wrong."""
        if not await self.spend():
            return None
        provider = self._account.provider
        try:
            response = await self._transport.poll(self._account.guarded(provider.build_poll((task,))))
            return provider.read_poll(response, (task,)).get(task.id)
        except (SendError, PikaError):
            return None

    async def spend(self) -> bool:
        """Wait for a place in the account's budget, for a search of its history."""
        if self._engine.closing or self.paused is not None:
            return False
        when = self._schedule.spend(self._engine.clock.now())
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._turns.add(turn)
        timer = self._engine.clock.call_at(when, lambda: _resolve(turn, value=True))
        try:
            return await turn
        finally:
            timer.cancel()
            self._turns.discard(turn)

    def doubt(self, attempt_id: str) -> None:
        """Note that one answer called the task done without a link: the next such one is believed."""
        self._readings.doubt(attempt_id)

    def called_back(self) -> None:
        """Note that callbacks arrive, so that looks may be rare."""
        self._schedule.callback_seen()

    def confirm(self, attempt_id: str) -> None:
        """Look a task up soon, for a callback says that it has ended."""
        if attempt_id in self._flights:
            self._confirmations.confirm(attempt_id)

    def resume(self) -> None:
        """Try again after an `AuthError` paused the account."""
        if self.paused is not None:
            self.paused = None
            self._tick()

    def stop(self) -> None:
        """Let nobody wait for the budget any more."""
        for turn in self._turns:
            _resolve(turn, value=False)

    async def aclose(self) -> None:
        """Stop every look-up."""
        if self._timer is not None:
            self._timer.cancel()
        self._flights.clear()
        for attempt_id in tuple(self._onlookers):
            self._release_onlookers(attempt_id)
        for task in self._lookups:
            task.cancel()
        await asyncio.gather(*self._lookups, return_exceptions=True)

    def _tick(self) -> None:
        """Send what is due, then sleep until more is."""
        if self._engine.closing or self.paused is not None:
            return
        now = self._engine.clock.now()
        while len(self._lookups) < LOOKUPS_AT_ONCE and (keys := self._schedule.take(now)):
            task = asyncio.get_running_loop().create_task(self._look(keys))
            self._lookups.add(task)
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

    async def _look(self, keys: Sequence[str]) -> None:
        try:
            await self._look_up(keys)
        except Exception:
            log.exception("%s: the poller failed", self._account.key)
            self._readings.failed(keys)
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._lookups.discard(task)
            for key in keys:
                self._release_onlookers(key)
            self._tick()

    def _release_onlookers(self, attempt_id: str) -> None:
        for onlooker in self._onlookers.pop(attempt_id, ()):
            if not onlooker.done():
                onlooker.set_result(None)

    async def _look_up(self, keys: Sequence[str]) -> None:
        watched = {key: task for key in keys if (task := self._task(key)) is not None}
        if not watched:
            return
        tasks = tuple(watched.values())
        provider = self._account.provider
        try:
            request = self._account.guarded(provider.build_poll(tasks))
            response = await self._transport.poll(request)
        except SendError as error:
            log.debug("%s: a look-up failed: %s", self._account.key, error)
            self._readings.failed(keys)
            return
        try:
            found = provider.read_poll(response, tasks)
        except PikaError as error:
            complete(error, self._account.name, "poll", response, self._engine.clock.wall())
            self._refused(keys, error)
        else:
            await self._readings.told(watched, found)

    def _task(self, attempt_id: str) -> Task | None:
        flight = self._flights.get(attempt_id)
        attempt = flight.record.attempt(attempt_id) if flight is not None else None
        return attempt.task if attempt is not None else None

    def _refused(self, keys: Sequence[str], error: PikaError) -> None:
        """Take in that a look-up itself was refused: the jobs are as they were."""
        now = self._engine.clock.now()
        match error:
            case AuthError() | PikaError(status=401 | 403, code=str()):
                self._readings.failed(keys)
                self._pause(error)
            case RateLimited():
                self._readings.failed(keys)
                self._schedule.slow_down(now, error.retry_after)
            case PikaError(status=400) if len(keys) > 1:
                self._readings.failed(keys)
                self._schedule.halve_batch(len(keys))
            case _:
                self._readings.failed(keys)

    def _pause(self, error: PikaError) -> None:
        log.warning("%s: paused, the provider refuses the key", self._account.key)
        self.paused = error
        for flight in tuple(self._flights.values()):
            flight.trouble(self.refused_key(flight, error))
        for attempt_id in tuple(self._onlookers):
            self._release_onlookers(attempt_id)

    def refused_key(self, flight: Flight, error: PikaError) -> PikaError:
        """Make the error for a paid job that cannot be looked up with this key."""
        paid = AuthError(
            f"{error.message.rstrip('.')}. The job is paid and goes on: correct the key and wait for "
            "error.job again.",
            provider=self._account.name,
            phase="poll",
            charged="yes",
            status=error.status,
            code=error.code,
            trace_id=error.trace_id,
        )
        return self._engine.explain(flight, paid)


def _resolve(turn: asyncio.Future[bool], *, value: bool) -> None:
    if not turn.done():
        turn.set_result(value)
