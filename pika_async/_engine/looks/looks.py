"""Look-ups of one account: sends what the schedule asks for, and tells what the answers mean."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence

from pika_async._engine.addresses import Addresses
from pika_async._engine.clock import Clock
from pika_async._engine.desk import Desk
from pika_async._engine.flight import Flight
from pika_async._engine.looks.readings import Again, Circumstances, Reading, read_look
from pika_async._engine.looks.watched import Watched
from pika_async._engine.verdict import not_known, not_ours, refused_look
from pika_async._ledger.events import Event
from pika_async._ledger.records import Attempt
from pika_async._secret import Secret
from pika_async._sender import SendError
from pika_async._telemetry import span
from pika_async.errors import AuthError, PikaError, RateLimited
from pika_async.results import Snapshot, Task

log = logging.getLogger("pika_async")

LOOKUPS_AT_ONCE = 8
"""Look-ups on the wire at once per account; without batches this is the fan-out."""
_REFUSALS = 3
_REFUSED_FOR = 30.0
"""A 403 without the provider's own error code, a bot check say, pauses the account at the third in half a
minute."""


class Looks:
    """Shares look-ups between all pending attempts of an account; there is no timer per job.

    A process that is not *working* looks at nothing.
    """

    def __init__(
        self, desk: Desk, watched: Watched, clock: Clock, addresses: Addresses, *, working: bool = True
    ) -> None:
        self._desk = desk
        self._account = account = watched.account
        self._watched = watched
        self._clock = clock
        self._addresses = addresses
        self._schedule = account.schedule
        self._lookups: set[asyncio.Task[None]] = set()
        self._refusals: list[float] = []
        self._working = working
        watched.leading = working and not desk.ledger.shared
        watched.on_due(self._due)

    def __len__(self) -> int:
        return len(self._watched.flights)

    @property
    def leading(self) -> bool:
        """Whether this process looks for all processes of the ledger."""
        return self._watched.leading

    @property
    def lag(self) -> float:
        """Return by how many seconds the most overdue look is late."""
        now = self._clock.now()
        when = self._schedule.next_at(now)
        return max(0.0, now - when) if when is not None else 0.0

    def lead(self, *, leading: bool) -> None:
        """Begin or stop to look for all processes of the ledger."""
        self._watched.lead(leading=leading)

    def of_task(self, task_id: str) -> tuple[Flight, Attempt] | None:
        """Return the attempt under look-up that a task belongs to, with its job."""
        return self._watched.of_task(task_id)

    async def look_next(self, attempt_id: str) -> None:
        """Have an attempt looked up as soon as the budget allows; returns when its answer is read."""
        if attempt_id not in self._watched.flights or not self._working:
            return
        self.resume()
        answered = self._watched.expect(attempt_id)
        self._watched.hurry(attempt_id)
        self._tick()
        await answered

    def look_soon(self, attempt_id: str) -> None:
        """Have an attempt looked up once, soon, whichever process leads: a caller here just asked for it."""
        if not self.leading:
            self._watched.hurry(attempt_id)
            self._tick()

    def called_back(self) -> None:
        """Note that callbacks arrive, so that looks may be rare."""
        self._schedule.callback_seen()

    def confirm(self, attempt_id: str) -> None:
        """Look a task up soon, for a callback says that it has ended."""
        if attempt_id in self._watched.flights:
            self._watched.confirmations.confirm(attempt_id)

    def resume(self) -> None:
        """Try again after a refused key paused the account."""
        if self._account.refused_look is not None:
            self._account.refused_look = None
            self._tick()

    async def aclose(self) -> None:
        """Stop every look-up."""
        self._watched.disarm()
        self._watched.flights.clear()
        self._watched.release_all()
        for task in self._lookups:
            task.cancel()
        await asyncio.gather(*self._lookups, return_exceptions=True)

    def _due(self) -> None:
        self._watched.disarm()
        self._tick()

    def _tick(self) -> None:
        """Send what is due, then sleep until more is."""
        if not self._working or self._desk.closing or self._account.refused_look is not None:
            return
        now = self._clock.now()
        while len(self._lookups) < LOOKUPS_AT_ONCE and (keys := self._schedule.take(now)):
            self._lookups.add(asyncio.get_running_loop().create_task(self._look(keys)))
        if len(self._lookups) < LOOKUPS_AT_ONCE:
            self._watched.arm()

    async def _look(self, keys: Sequence[str]) -> None:
        try:
            await self._look_up(keys)
        except Exception:
            log.exception("%s: a look-up broke the engine", self._account.key)
            self._watched.failed(keys)
        finally:
            task = asyncio.current_task()
            if task is not None:
                self._lookups.discard(task)
            self._watched.release(*keys)
            self._tick()

    async def _look_up(self, keys: Sequence[str]) -> None:
        watched = {key: attempt for key in keys if (attempt := self._watched.attempt(key)) is not None}
        tasks = tuple(attempt.task for attempt in watched.values() if attempt.task is not None)
        if not tasks:
            return
        try:
            with span("pika.look_up", jobs=self._jobs_of(keys), alone=True, provider=self._account.name):
                found = await self._account.look_up(tasks, budgeted=False)
        except SendError as error:
            log.debug("%s: a look-up failed: %s", self._account.key, error)
            self._watched.failed(keys)
        except PikaError as error:
            self._refused(keys, error)
        else:
            self._refusals.clear()
            await self._told(watched, tasks, found)

    def _jobs_of(self, keys: Sequence[str]) -> Iterator[str]:
        return (flight.id for key in keys if (flight := self._watched.flights.get(key)) is not None)

    async def _told(
        self, watched: Mapping[str, Attempt], tasks: Sequence[Task], found: Mapping[str, Snapshot]
    ) -> None:
        """Note what an answer tells of each attempt, and tell the events that follow from it."""
        events: list[tuple[Flight, Event]] = []
        progress = []
        for (key, attempt), task in zip(watched.items(), tasks, strict=True):
            if (flight := self._watched.flights.get(key)) is None:
                continue
            reading = self._read(flight, attempt, found.get(task.id))
            if reading.event is not None:
                events.append((flight, reading.event))
            if reading.progress is not None:
                progress.append((flight, reading.progress))
        await self._desk.tell_all(events)
        for flight, pending in progress:
            flight.progressed(pending)

    def _read(self, flight: Flight, attempt: Attempt, found: Snapshot | None) -> Reading:
        named: str | None = None
        seen = self._watched.seen(attempt.id)
        if found is not None and found.callback_url is not None and not seen.proven:
            named = self._named(found.callback_url, attempt)
        at = Circumstances(
            now=self._clock.now(),
            wall=self._desk.ledger.now(),
            longest_render=self._account.capabilities.longest_render,
            named=named,
            adopted=flight.adopted,
        )
        reading = read_look(attempt, found, seen, at)
        if reading.seen is not seen:
            self._watched.keep(attempt.id, reading.seen)
        if isinstance(reading.note, Again) and reading.note.why:
            log.warning("%s: attempt %s: %s", self._account.key, attempt.id, reading.note.why)
        self._watched.note(attempt.id, reading)
        if reading.gone:
            self._gone(flight, attempt, not_known(attempt) if found is None else not_ours(attempt))
        return reading

    def _named(self, echoed: Secret, attempt: Attempt) -> str | None:
        if attempt.claimed_at is not None:
            return self._addresses.named(echoed)
        # What was not claimed here came by its token: another ledger's secret may have signed its address.
        return "" if self._addresses.names_another(echoed, attempt.job_id) else None

    def _gone(self, flight: Flight, attempt: Attempt, error: PikaError) -> None:
        """Give up a job that only a token names: its task is not known, or another job's."""
        self._watched.forget(attempt.id)
        self._desk.flights.pop(flight.id, None)
        flight.end(self._desk.explain(flight, error))

    def _refused(self, keys: Sequence[str], error: PikaError) -> None:
        """Note that a look-up itself was refused: the jobs are as they were."""
        now = self._clock.now()
        self._watched.failed(keys)
        match error:
            case AuthError() | PikaError(status=401 | 403):
                self._key_refused(error, now)
            case RateLimited():
                self._schedule.pace.slow_down(now, error.retry_after)
            case PikaError(status=400) if len(keys) > 1:
                self._schedule.halve_batch(len(keys))
            case _:
                log.debug("%s: a look-up was refused: %s", self._account.key, error)

    def _key_refused(self, error: PikaError, now: float) -> None:
        """Pause the account at the provider's own word, or when something in between keeps refusing."""
        self._refusals = [*(at for at in self._refusals if now - at < _REFUSED_FOR), now]
        proven = isinstance(error, AuthError) or error.code is not None
        if not proven and len(self._refusals) < _REFUSALS:
            return
        self._refusals.clear()
        log.warning("%s: paused, the provider refuses the key", self._account.key)
        self._account.refused_look = error
        for flight in tuple(self._watched.flights.values()):
            flight.trouble(self._desk.explain(flight, refused_look(error, self._account.name)))
        self._watched.release_all()
