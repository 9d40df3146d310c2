"""One poller per account: sends the look-ups that the schedule asks for, and hands on what they tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from math import inf
from typing import TYPE_CHECKING

from pika_async._engine.clock import Timer
from pika_async._engine.dispatch import complete
from pika_async._engine.flight import Flight
from pika_async._engine.schedule import Schedule
from pika_async._engine.verdict import in_doubt, unresolved
from pika_async._ledger.events import Lost
from pika_async._ledger.records import Attempt, AttemptState
from pika_async._transport import Sender, SendError
from pika_async.errors import AuthError, PikaError, RateLimited
from pika_async.results import Failed, Pending, Snapshot, Succeeded, Task

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._engine.engine import Engine

log = logging.getLogger("pika_async")

LOOKUPS_AT_ONCE = 8
"""Look-ups on the wire at once per account; without batches this is the fan-out."""

_MISSING_LOOKS = 5
_MISSING_GRACE = 120.0
_SLOWLY = 60.0
_HINTS_TOGETHER = 0.03
_HINTS_APART = 0.1
_HINT_AGAIN = 0.25
_HINT_LOOKS = 6
"""Looks at a task that a callback calls ended and the provider does not, before the net has it again."""


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
        self._misses: dict[str, tuple[int, float]] = {}
        self._doubted: set[str] = set()
        self._hints: dict[str, None] = {}
        self._hinted: dict[str, int] = {}
        self._hints_at = -inf
        self._turns: set[asyncio.Future[bool]] = set()
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self.paused: PikaError | None = None

    def __len__(self) -> int:
        return len(self._flights)

    @property
    def lag(self) -> float:
        """Tell by how many seconds the most overdue look is late."""
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

    def called_back(self) -> None:
        """Note that callbacks arrive, so that looks may be rare."""
        self._schedule.callback_seen()

    def confirm(self, attempt_id: str) -> None:
        """Look a task up soon, for a callback says that it has ended; hints of one moment share a look."""
        if attempt_id in self._flights:
            self._hinted[attempt_id] = 0
            self._hint(attempt_id)

    def _hint(self, attempt_id: str) -> None:
        first = not self._hints
        self._hints[attempt_id] = None
        if len(self._hints) >= self._schedule.batch:
            self._confirm_all()
        elif first:
            clock = self._engine.clock
            at = max(clock.now() + _HINTS_TOGETHER, self._hints_at + _HINTS_APART)
            clock.call_at(at, self._confirm_all)

    def _not_confirmed(self, attempt_id: str, *, failed: bool = False) -> None:
        """Look at a hinted task again: the look failed, or the provider's left hand lags behind its right."""
        if attempt_id not in self._hinted:
            return
        self._hinted[attempt_id] += not failed
        looks = self._hinted[attempt_id]
        if looks >= _HINT_LOOKS:
            del self._hinted[attempt_id]
            return
        clock = self._engine.clock
        clock.call_at(clock.now() + _HINT_AGAIN * 2**looks, lambda: self._hint(attempt_id))

    def _confirm_all(self) -> None:
        if not self._hints:
            return
        hints, self._hints = self._hints, {}
        self._hints_at = self._engine.clock.now()
        for attempt_id in hints:
            self._schedule.hurry(attempt_id)
        self._tick()

    def forget(self, attempt_id: str) -> None:
        """Stop looking."""
        self._hinted.pop(attempt_id, None)
        if self._flights.pop(attempt_id, None) is not None:
            self._misses.pop(attempt_id, None)
            self._doubted.discard(attempt_id)
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
        self._doubted.add(attempt_id)

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
            self._failed(keys)
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
            self._failed(keys)
            return
        try:
            found = provider.read_poll(response, tasks)
        except PikaError as error:
            complete(error, self._account.name, "poll", response, self._engine.clock.wall())
            self._refused(keys, error)
        else:
            await self._told(watched, found)

    def _task(self, attempt_id: str) -> Task | None:
        flight = self._flights.get(attempt_id)
        attempt = flight.record.attempt(attempt_id) if flight is not None else None
        return attempt.task if attempt is not None else None

    def _failed(self, keys: Sequence[str]) -> None:
        self._schedule.failed(keys, self._engine.clock.now())
        for key in keys:
            self._not_confirmed(key, failed=True)

    def _refused(self, keys: Sequence[str], error: PikaError) -> None:
        """Take in that a look-up itself was refused: the jobs are as they were."""
        now = self._engine.clock.now()
        match error:
            case AuthError() | PikaError(status=401 | 403):
                self._failed(keys)
                self._pause(error)
            case RateLimited():
                self._failed(keys)
                self._schedule.slow_down(now, error.retry_after)
            case PikaError(status=400) if len(keys) > 1:
                self._failed(keys)
                self._schedule.halve_batch(len(keys))
            case _:
                self._failed(keys)

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

    async def _told(self, watched: Mapping[str, Task], found: Mapping[str, Snapshot]) -> None:
        if self._engine.ledger.durable:
            # Side by side, so that what one answer tells of many jobs is committed together.
            await asyncio.gather(*(self._told_of(key, task, found) for key, task in watched.items()))
            return
        for key, task in watched.items():
            await self._told_of(key, task, found)

    async def _told_of(self, key: str, task: Task, found: Mapping[str, Snapshot]) -> None:
        flight = self._flights.get(key)
        if flight is None:
            return
        match found.get(task.id):
            case None:
                await self._missing(flight, key)
            case Pending() | Succeeded() | Failed() as snapshot if snapshot.task.id == task.id:
                self._misses.pop(key, None)
                await self._seen(flight, key, task, snapshot)
            case other:
                log.warning(
                    "%s: the adapter gave %s for another task", self._account.key, type(other).__name__
                )
                self._failed([key])

    async def _seen(self, flight: Flight, key: str, task: Task, snapshot: Snapshot) -> None:
        now = self._engine.clock.now()
        attempt = flight.record.attempt(key)
        # A look-up by id confirms the task, not that it is ours: who bound it stays as it is.
        source = (attempt.bound_by if attempt is not None else None) or "answer"
        match snapshot:
            case Pending():
                found_again = attempt is not None and attempt.state is AttemptState.UNRESOLVED
                too_old = self._too_old(attempt)
                wish = _SLOWLY if too_old else snapshot.poll_after
                self._schedule.looked(key, now, poll_after=wish)
                self._not_confirmed(key)
                if (found_again and not too_old) or task.merged(snapshot.task) is not task:
                    await self._engine.learn(flight, key, snapshot, source)
                elif too_old:
                    await self._lose(flight, key)
                else:
                    self._engine.observe(flight, snapshot)
            case Failed(reason="no_output") if key not in self._doubted:
                self._doubted.add(key)
                self._schedule.looked(key, now)
                self._not_confirmed(key)
            case _:
                called_back = self._hinted.pop(key, None) is not None
                if called_back:
                    self._schedule.pace.answered()
                self._schedule.ended(key, now, called_back=called_back)
                await self._engine.learn(flight, key, snapshot, source)

    def _too_old(self, attempt: Attempt | None) -> bool:
        """Tell whether *attempt* has been running for longer than any render takes."""
        if attempt is None or attempt.claimed_at is None:
            return False
        age = self._engine.clock.wall() - attempt.claimed_at
        return age > self._account.capabilities.longest_render

    async def _missing(self, flight: Flight, key: str) -> None:
        now = self._engine.clock.now()
        count, since = self._misses.get(key, (0, now))
        self._misses[key] = (count + 1, since)
        lost = count + 1 >= _MISSING_LOOKS and now - since >= _MISSING_GRACE
        self._schedule.looked(key, now, poll_after=_SLOWLY if lost else None)
        self._not_confirmed(key)
        if lost:
            await self._lose(flight, key)

    async def _lose(self, flight: Flight, key: str) -> None:
        """Stop calling a task running that nobody can vouch for; it is still looked up, slowly."""
        attempt = flight.record.attempt(key)
        if attempt is None or attempt.state is not AttemptState.RUNNING:
            return
        await self._engine.apply(flight, Lost(attempt=key), keep=True)
        log.warning("job %s: unresolved, the provider does not know its task", flight.id)
        if in_doubt(flight.record) is not None:
            flight.trouble(self._engine.explain(flight, unresolved(attempt)))
        self._engine.sweeper.consider(flight)


def _resolve(turn: asyncio.Future[bool], *, value: bool) -> None:
    if not turn.done():
        turn.set_result(value)
