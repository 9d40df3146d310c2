"""The engine: holds the jobs in flight and applies to them, in one place, whatever is learned."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from pika_async._engine.account import Account, AccountStats
from pika_async._engine.admission import Admission
from pika_async._engine.clock import Clock
from pika_async._engine.dispatch import Dispatch
from pika_async._engine.flight import Flight, Phase
from pika_async._engine.ids import attempt_id, random_id
from pika_async._engine.inbox import EngineInbox
from pika_async._engine.poller import Poller
from pika_async._engine.schedule import Schedule
from pika_async._engine.sweeper import Sweeper
from pika_async._engine.verdict import in_doubt, outcome, spent
from pika_async._ledger import Ledger
from pika_async._ledger.events import Abandon, Cancel, Claim, Event, Evidence, NextAttempt, Resubmit
from pika_async._ledger.machine import step
from pika_async._ledger.records import AttemptState, JobRecord, JobState, Source
from pika_async._transport import Sender
from pika_async.callbacks.token import make_token
from pika_async.errors import ConfigError, JobTimeout, LedgerError, PikaError
from pika_async.results import Failed, Pending, Snapshot, Succeeded, Task, VideoResult

if TYPE_CHECKING:
    from pika_async._job import Job
    from pika_async.callbacks import Callbacks

T = TypeVar("T")

log = logging.getLogger("pika_async")


class Engine:
    """Owns all waiting of one client; lives inside one event loop."""

    def __init__(
        self,
        accounts: Sequence[Account],
        *,
        ledger: Ledger,
        transport: Sender,
        clock: Clock,
        make_job: Callable[[Engine, Flight], Job],
        poll_rate: float | None,
        poll_batch: int,
        poll_interval: float,
        max_submits: int | None = None,
        secrets: Sequence[bytes] = (),
        callbacks: Callbacks | None = None,
        callback_url: str | bool | None = None,
    ) -> None:
        self.accounts: Mapping[str, Account] = {account.key: account for account in accounts}
        self.ledger = ledger
        self.clock = clock
        self.owner = random_id()
        self.closing = False
        self.flights: dict[str, Flight] = {}
        self.secrets = tuple(secrets) or (os.urandom(32),)
        self._transport = transport
        self._make_job = make_job
        self._dispatch = Dispatch(self, transport, max_submits)
        self.admission = Admission(self, self._dispatch)
        self.sweeper = Sweeper(self, transport)
        self.inbox = EngineInbox(self, transport)
        self.callbacks = callbacks
        self.callback_url = callback_url
        self.origins: WeakKeyDictionary[VideoResult, tuple[Account, Task]] = WeakKeyDictionary()
        self._errands: set[asyncio.Task[Any]] = set()
        for account in accounts:
            schedule = Schedule(
                batch=min(poll_batch, account.capabilities.poll_batch),
                rate=poll_rate,
                interval=poll_interval,
                render_time=account.capabilities.render_time,
            )
            account.poller = Poller(self, transport, account, schedule)

    async def aclose(self, patience: float = 30.0) -> None:
        """Bring POSTs to their end, then stop; jobs that live on are found by their token."""
        self.closing = True
        self.sweeper.stop()
        self.inbox.stop()
        try:
            for account in self.accounts.values():
                account.poller.stop()
                while account.queue:
                    await self.leave_unsent(account.queue.popleft())
            await self._dispatch.aclose(patience)
            await asyncio.gather(*self._errands, return_exceptions=True)
        finally:
            await self._let_go()

    async def _let_go(self) -> None:
        for account in self.accounts.values():
            await account.poller.aclose()
        for flight in tuple(self.flights.values()):
            error = JobTimeout(
                "The client was closed while the job was under way; any client can go on from its token.",
                charged=spent(flight.record),
            )
            flight.trouble(self.explain(flight, error))
        self.flights.clear()
        try:
            await self._transport.aclose()
        finally:
            await self.ledger.aclose()

    async def apply(self, flight: Flight, event: Event, *, keep: bool = False) -> None:
        """Let the ledger decide on *event*.

        With *keep*, a ledger that fails does not lose what was learned: this process goes on with it.
        """
        before = flight.record
        try:
            after = await self.ledger.apply(flight.id, event, self.clock.wall())
        except LedgerError:
            if not keep:
                raise
            log.exception("job %s: the ledger failed; going on from memory", flight.id)
            after = step(before, event, self.clock.wall())
        self.update(flight, after, claiming=isinstance(event, Claim))

    def update(self, flight: Flight, after: JobRecord, *, claiming: bool = False) -> None:
        """Take over what the ledger now says of a job: slots and polls follow its attempts."""
        before, flight.record = flight.record, after
        if after is before:
            return
        for index, attempt in enumerate(after.attempts):
            old = before.attempts[index] if index < len(before.attempts) else None
            if old is attempt:
                continue
            account = self.accounts[attempt.account]
            had_slot = old is not None and old.slot
            reserved = claiming and attempt.owner == self.owner
            if attempt.slot and not had_slot and not reserved:
                account.limits.adopt()
            elif had_slot and not attempt.slot:
                account.limits.release()
                self._dispatch.pump(account)
            account.poller.consider(flight, attempt)
            if self.callbacks is not None and old is not None and old.state is AttemptState.SUBMITTING:
                self.inbox.wake()
            if (old is None or old.state is not attempt.state) and log.isEnabledFor(logging.INFO):
                log.info("job %s: attempt %d on %s is %s", *_told(attempt))
        if before.state is not after.state:
            log.info("job %s: %s", after.id, after.state)

    async def learn(self, flight: Flight, attempt_id: str, snapshot: Snapshot, source: Source) -> None:
        """Record evidence about one attempt, then act on it."""
        await self.apply(flight, Evidence(attempt=attempt_id, snapshot=snapshot, source=source), keep=True)
        self.observe(flight, snapshot)

    def observe(self, flight: Flight, snapshot: Snapshot) -> None:
        """Act on what the provider said and the ledger has kept."""
        if isinstance(snapshot, Pending) and not flight.ended:
            flight.snapshot = snapshot
            if flight.phase is Phase.ACCEPTED:
                flight.tell()
                return
        elif isinstance(snapshot, Failed) and not flight.ended:
            flight.snapshot = snapshot
        self._conclude(flight)

    def follow(self, flight: Flight) -> None:
        """Bring a job to where its record is, which may have come from elsewhere."""
        for attempt in flight.record.attempts:
            self.accounts[attempt.account].poller.consider(flight, attempt)
        self._conclude(flight)

    def _conclude(self, flight: Flight) -> None:
        """Tell those who wait what the record means for them."""
        record = flight.record
        match outcome(record):
            case _ if flight.ended:
                pass
            case Succeeded() as succeeded:
                flight.snapshot = succeeded
                for result in succeeded.results:
                    self.origins[result] = (flight.account, succeeded.task)
                flight.end()
            case PikaError() as error if record.state is JobState.OPEN:
                flight.trouble(self.explain(flight, error))
            case PikaError() as error:
                flight.end(self.explain(flight, error))
            case None:
                if flight.task is not None and flight.phase is Phase.WAITING:
                    flight.reach(Phase.ACCEPTED)
        if record.settled:
            self.forget(flight)
        else:
            self.sweeper.consider(flight)

    async def cancel_unsent(self, flight: Flight) -> bool:
        """Cancel a job that has not been sent; tells whether it was in time."""
        if flight.posted_at is not None or flight.phase is not Phase.WAITING:
            return False
        flight.cancelled = True
        await self.apply(flight, Cancel(), keep=True)
        self.follow(flight)
        return flight.ended

    async def leave_unsent(self, flight: Flight) -> None:
        """Take a job out of the queue at the end of the client: a durable ledger keeps it for another."""
        if self.ledger.durable:
            return
        await self.cancel_unsent(flight)

    def abandon_wait(self, flight: Flight) -> None:
        """Take in that a caller was cancelled: an unsent job nobody else waits for is not bought."""
        if flight.posted_at is None and flight.phase is Phase.WAITING and not flight.awaited:
            flight.cancelled = True
            self.spawn(self.cancel_unsent(flight))

    def spawn(self, errand: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run *errand* in a task that closing the client waits for."""
        task = asyncio.get_running_loop().create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
        return task

    async def resume(self, flight: Flight) -> None:
        """Make sure that somebody works on *flight* before it is waited for."""
        if flight.ended:
            return
        if self.closing:
            raise ConfigError("The client is closed; open another and use the job's token there.")
        flight.account.poller.resume()
        await self.admission.settle_in(flight)

    async def look(self, flight: Flight) -> None:
        """Have *flight* looked up next, within the budget, and wait for the answer."""
        for attempt in flight.record.attempts:
            poller = self.accounts[attempt.account].poller
            await poller.look_next(attempt.id)
            if poller.paused is not None and not flight.ended:
                raise poller.refused_key(flight, poller.paused)

    async def settle_by_word(self, flight: Flight, *, resubmit: bool) -> None:
        """Apply a person's word to an unresolved job."""
        await self.admission.settle_in(flight)
        doubtful = in_doubt(flight.record)
        if doubtful is None:
            raise ConfigError(
                f"Job {flight.id} is {flight.record.newest.state}, not unresolved; nothing is to settle."
            )
        if resubmit and flight.request is None:
            raise ConfigError("The request of this job is not known here; resubmit it from its own ledger.")
        again = NextAttempt(
            id=attempt_id(flight.id, flight.record.newest.number + 1), account=doubtful.account
        )
        word = Resubmit(next=again, attempt=doubtful.id) if resubmit else Abandon(attempt=doubtful.id)
        before = flight.record
        await self.apply(flight, word)
        if flight.record is before:
            raise ConfigError(f"Job {flight.id} was settled meanwhile; look at it again.")
        if resubmit:
            flight.requeued()
            self._dispatch.enqueue(flight)

    async def fresh_link(self, video: VideoResult) -> str | None:
        """Ask the provider for the present link of a video that was bought through this client."""
        account, task = self.origins.get(video, (None, None))
        if account is None or task is None:
            return None
        snapshot = await account.poller.ask(task)
        results = snapshot.results if isinstance(snapshot, Succeeded) else ()
        return next((result.video_url for result in results if result.id == video.id), None)

    def stats(self) -> Mapping[str, AccountStats]:
        """Return what each account is doing now."""
        now = self.clock.wall()
        ages: dict[str, float] = {}
        for flight in self.flights.values():
            if (doubtful := in_doubt(flight.record)) is not None:
                age = now - (doubtful.claimed_at or now)
                ages[doubtful.account] = max(age, ages.get(doubtful.account, 0.0))
        return {key: account.stats(ages.get(key)) for key, account in self.accounts.items()}

    def explain(self, flight: Flight, error: PikaError) -> PikaError:
        """Complete *error* with the job it is about."""
        error.job = error.job or self._make_job(self, flight)
        error.provider = error.provider or flight.account.name
        return error

    def forget(self, flight: Flight) -> None:
        """Let go of a job about which nothing more can be learned."""
        self.flights.pop(flight.id, None)
        for attempt in flight.record.attempts:
            self.accounts[attempt.account].poller.forget(attempt.id)

    def token_for(self, attempt_id: str) -> str:
        """Make the callback token of an attempt."""
        return make_token(self.secrets[0], attempt_id)


def _told(attempt: Any) -> tuple[str, int, str, str]:
    return attempt.job_id, attempt.number, attempt.account, attempt.state
