"""What look-ups tell of jobs: still pending, ended, unknown to the provider, or too old to be true."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pika_async._engine.confirmations import Confirmations
from pika_async._engine.flight import Flight
from pika_async._engine.schedule import Schedule
from pika_async._engine.verdict import in_doubt, unresolved
from pika_async._ledger.events import Lost
from pika_async._ledger.records import Attempt, AttemptState
from pika_async.results import Failed, Pending, Snapshot, Succeeded, Task

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._engine.engine import Engine

log = logging.getLogger("pika_async")

_MISSING_LOOKS = 5
_MISSING_GRACE = 120.0
_SLOWLY = 60.0


class Readings:
    """Takes in the answers of one account's look-ups; every attempt of a look is reported to the schedule."""

    def __init__(
        self,
        engine: Engine,
        account: Account,
        schedule: Schedule,
        confirmations: Confirmations,
        flight_of: Callable[[str], Flight | None],
    ) -> None:
        self._engine = engine
        self._account = account
        self._schedule = schedule
        self._confirmations = confirmations
        self._flight_of = flight_of
        self._misses: dict[str, tuple[int, float]] = {}
        self._doubted: set[str] = set()

    def doubt(self, attempt_id: str) -> None:
        """Note that one answer called the task done without a link: the next such one is believed."""
        self._doubted.add(attempt_id)

    def forget(self, attempt_id: str) -> None:
        """Forget what was noted of an attempt."""
        self._misses.pop(attempt_id, None)
        self._doubted.discard(attempt_id)

    def failed(self, keys: Sequence[str]) -> None:
        """Take in that a look told nothing."""
        self._schedule.failed(keys, self._engine.clock.now())
        for key in keys:
            self._confirmations.not_confirmed(key, failed=True)

    async def told(self, watched: Mapping[str, Task], found: Mapping[str, Snapshot]) -> None:
        """Take in what an answer tells of each task that was asked about."""
        if self._engine.ledger.durable:
            # Side by side, so that what one answer tells of many jobs is committed together.
            await asyncio.gather(*(self._told_of(key, task, found) for key, task in watched.items()))
            return
        for key, task in watched.items():
            await self._told_of(key, task, found)

    async def _told_of(self, key: str, task: Task, found: Mapping[str, Snapshot]) -> None:
        flight = self._flight_of(key)
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
                self.failed([key])

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
                self._confirmations.not_confirmed(key)
                if (found_again and not too_old) or task.merged(snapshot.task) is not task:
                    await self._engine.learn(flight, key, snapshot, source)
                elif too_old:
                    await self._lose(flight, key)
                else:
                    self._engine.observe(flight, snapshot)
            case Failed(reason="no_output") if key not in self._doubted:
                self._doubted.add(key)
                self._schedule.looked(key, now)
                self._confirmations.not_confirmed(key)
            case _:
                called_back = self._confirmations.confirmed(key)
                if called_back:
                    self._schedule.pace.answered()
                self._schedule.ended(key, now, called_back=called_back)
                await self._engine.learn(flight, key, snapshot, source)

    def _too_old(self, attempt: Attempt | None) -> bool:
        """Return whether *attempt* has been running for longer than any render takes."""
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
        self._confirmations.not_confirmed(key)
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
