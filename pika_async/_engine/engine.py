"""The engine: holds the jobs in flight and applies to them, in one place, whatever is learned."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pika_async import _registry
from pika_async._engine.account import Account
from pika_async._engine.clock import Clock
from pika_async._engine.dispatch import Dispatch
from pika_async._engine.flight import Flight, Phase
from pika_async._engine.poller import Poller
from pika_async._engine.schedule import Schedule
from pika_async._engine.verdict import outcome, unresolved
from pika_async._ledger import Ledger
from pika_async._ledger.machine import (
    Attempt,
    AttemptState,
    Cancel,
    Event,
    Evidence,
    JobRecord,
    JobState,
    Lost,
    Source,
    step,
)
from pika_async._token import JobToken
from pika_async._transport import Sender
from pika_async.callbacks.token import make_token
from pika_async.errors import ConfigError, JobTimeout, LedgerError, PikaError, UnsupportedRequest
from pika_async.requests import VideoRequest
from pika_async.results import Pending, Snapshot, Succeeded

if TYPE_CHECKING:
    from pika_async._job import Job

log = logging.getLogger("pika_async")


def _random_id(size: int = 10) -> str:
    return base64.b32encode(os.urandom(size)).decode().lower().rstrip("=")


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
        secret: bytes | None = None,
    ) -> None:
        self.accounts: Mapping[str, Account] = {account.key: account for account in accounts}
        self.ledger = ledger
        self.clock = clock
        self.owner = _random_id()
        self.closing = False
        self.flights: dict[str, Flight] = {}
        self._secret = secret or os.urandom(32)
        self._make_job = make_job
        self._transport = transport
        self._dispatch = Dispatch(self, transport, max_submits)
        self._errands: set[asyncio.Task[object]] = set()
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
        for account in self.accounts.values():
            while account.queue:
                await self.cancel_unsent(account.queue.popleft())
        await self._dispatch.aclose(patience)
        await asyncio.gather(*self._errands, return_exceptions=True)
        for account in self.accounts.values():
            await account.poller.aclose()
        await self._transport.aclose()
        for flight in tuple(self.flights.values()):
            error = JobTimeout(
                "The client was closed while the job was under way; any client can go on from its token.",
                provider=flight.account.name,
            )
            flight.trouble(self.explain(flight, error))
        self.flights.clear()
        await self.ledger.aclose()

    # What comes in

    async def admit(
        self,
        request: VideoRequest,
        accounts: Sequence[Account],
        *,
        callback_url: str | bool | None,
    ) -> Flight:
        """Record a new job and queue it; nothing is sent yet."""
        job_id = _random_id()
        account = accounts[0]
        attempt = Attempt(id=self.new_attempt_id(job_id, 1), job_id=job_id, number=1, account=account.key)
        record = await self.ledger.create(
            JobRecord(id=job_id, request=request, created_at=self.clock.wall(), attempts=(attempt,))
        )
        flight = Flight(
            record,
            account,
            self.clock,
            request=request,
            fallbacks=tuple(accounts[1:]),
            callback_url=callback_url,
        )
        self.flights[job_id] = flight
        self._dispatch.enqueue(flight)
        return flight

    def adopt(self, token: JobToken) -> Flight:
        """Take up a job of another process, or of another day, from its token."""
        known = self.flights.get(token.job_id)
        if known is not None:
            return known
        account = self.accounts.get(f"{token.provider}:{token.label}")
        if account is None:
            raise ConfigError(
                f"The job belongs to {token.provider} (account {token.label}); open the client with that "
                "provider.",
                provider=token.provider,
            )
        if token.task is None:
            raise ConfigError(
                "The token was made before the provider accepted the job, and this ledger does not know it; "
                "open the ledger that does.",
                provider=token.provider,
            )
        attempt = Attempt(
            id=self.new_attempt_id(token.job_id, 1),
            job_id=token.job_id,
            number=1,
            account=account.key,
            state=AttemptState.RUNNING,
            slot=True,
            task=token.task,
            bound_by="answer",
            claimed_at=self.clock.wall(),
        )
        record = JobRecord(id=token.job_id, request=None, created_at=self.clock.wall(), attempts=(attempt,))
        flight = Flight(record, account, self.clock)
        self.flights[flight.id] = flight
        return flight

    async def settle_in(self, flight: Flight) -> None:
        """Put an adopted job into the ledger and start to watch it; wakes a paused account."""
        if flight.phase is Phase.ENDED:
            return
        if self.closing:
            raise ConfigError("The client is closed; open another and use the job's token there.")
        flight.account.poller.resume()
        if flight.phase is not Phase.WAITING or flight.slot:
            return
        flight.slot = True
        flight.account.limits.adopt()
        flight.record = await self.ledger.create(flight.record)
        flight.posted_at = self.clock.now()
        flight.reach(Phase.ACCEPTED)
        flight.account.poller.watch(flight)

    # What is learned

    async def apply(self, flight: Flight, event: Event, *, keep: bool = False) -> None:
        """Let the ledger decide on *event*.

        With *keep*, a ledger that fails does not lose what was learned: this process goes on with it.
        """
        before = flight.record
        try:
            flight.record = await self.ledger.apply(flight.id, event, self.clock.wall())
        except LedgerError:
            if not keep:
                raise
            log.exception("job %s: the ledger failed; going on from memory", flight.id)
            flight.record = step(before, event, self.clock.wall())
        if log.isEnabledFor(logging.INFO):
            _log_moves(before, flight.record)

    async def learn(self, flight: Flight, snapshot: Snapshot, source: Source) -> None:
        """Record evidence about the newest attempt, then act on it."""
        attempt = flight.record.newest
        await self.apply(flight, Evidence(attempt=attempt.id, snapshot=snapshot, source=source), keep=True)
        self.observe(flight, snapshot)

    def observe(self, flight: Flight, snapshot: Snapshot) -> None:
        """Act on what the provider said and the ledger has kept."""
        flight.snapshot = snapshot
        if isinstance(snapshot, Pending):
            if flight.phase is Phase.WAITING:
                flight.reach(Phase.ACCEPTED)
                flight.account.poller.watch(flight)
            return
        self.follow(flight)

    def follow(self, flight: Flight) -> None:
        """Bring the job in memory to where its record is."""
        match outcome(flight.record):
            case Succeeded() as succeeded:
                flight.snapshot = succeeded
                flight.end()
                self.forget(flight)
            case PikaError() as error if flight.record.state is JobState.OPEN:
                flight.trouble(self.explain(flight, error))
            case PikaError() as error:
                flight.end(self.explain(flight, error))
                self.forget(flight)
            case None:
                if flight.task is not None and flight.phase is Phase.WAITING:
                    flight.reach(Phase.ACCEPTED)
                    flight.account.poller.watch(flight)

    async def lose(self, flight: Flight) -> None:
        """Give a task up as unknown to the provider; it stays, and is looked at now and then."""
        attempt = flight.record.newest
        if attempt.state is AttemptState.RUNNING:
            await self.apply(flight, Lost(attempt=attempt.id), keep=True)
            log.warning("job %s: unresolved, the provider does not know task %s", flight.id, attempt.task)
            flight.trouble(self.explain(flight, unresolved(flight.record.newest)))

    async def check_age(self, flight: Flight) -> None:
        """Stop calling a job running that is older than any render."""
        claimed_at = flight.record.newest.claimed_at
        if claimed_at is None:
            return
        if self.clock.wall() - claimed_at > flight.account.capabilities.longest_render:
            await self.lose(flight)

    def reconcile(self, flight: Flight) -> None:
        """Leave an ambiguous attempt to those who can find out."""

    async def cancel_unsent(self, flight: Flight) -> bool:
        """Cancel a job that has not been sent; tells whether it was in time."""
        if flight.posted_at is not None or flight.phase is not Phase.WAITING:
            return False
        flight.cancelled = True
        await self.apply(flight, Cancel(), keep=True)
        self.follow(flight)
        return flight.ended

    def abandon_wait(self, flight: Flight) -> None:
        """Take in that a caller was cancelled: an unsent job nobody else waits for is not bought."""
        if flight.posted_at is None and flight.phase is Phase.WAITING and not flight.awaited:
            flight.cancelled = True
            self.spawn(self.cancel_unsent(flight))

    def spawn(self, errand: Coroutine[Any, Any, object]) -> None:
        """Run *errand* in a task that closing the client waits for."""
        task = asyncio.get_running_loop().create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)

    async def look(self, flight: Flight) -> None:
        """Have *flight* looked up next, within the budget, and wait for the answer."""
        if flight.phase is Phase.ACCEPTED:
            await flight.account.poller.look_next(flight)

    # What goes out

    def explain(self, flight: Flight, error: PikaError) -> PikaError:
        """Complete *error* with the job it is about."""
        error.job = error.job or self._make_job(self, flight)
        error.provider = error.provider or flight.account.name
        return error

    def forget(self, flight: Flight) -> None:
        """Let go of a job that has ended."""
        self.flights.pop(flight.id, None)
        flight.account.poller.forget(flight)
        self.release(flight)
        self._dispatch.pump(flight.account)

    def release(self, flight: Flight) -> None:
        """Give back the slot that *flight* holds."""
        if flight.slot:
            flight.slot = False
            flight.account.limits.release()

    def token_for(self, attempt_id: str) -> str:
        """Make the callback token of an attempt."""
        return make_token(self._secret, attempt_id)

    @staticmethod
    def new_attempt_id(job_id: str, number: int) -> str:
        """Make an attempt's id: job, number and a nonce, all covered by the token's MAC."""
        return f"{job_id}-{number}-{_random_id(5)}"

    async def submits(self) -> int:
        """Tell how many submits the ledger has ever counted."""
        return (await self.ledger.usage("")).submits

    def route(self, request: VideoRequest) -> Sequence[Account]:
        """Give the accounts that can express *request*, in order of preference."""
        able: list[Account] = []
        refusals: dict[str, str] = {}
        for account in self.accounts.values():
            try:
                account.loaded.check(request)
            except UnsupportedRequest as error:
                refusals[account.name] = error.message
            else:
                able.append(account)
        if not able:
            raise _registry.unsupported(refusals, request)
        return able


def _log_moves(before: JobRecord, after: JobRecord) -> None:
    known = {attempt.id: attempt.state for attempt in before.attempts}
    for attempt in after.attempts:
        if known.get(attempt.id) is not attempt.state:
            log.info(
                "job %s: attempt %d is %s on %s", after.id, attempt.number, attempt.state, attempt.account
            )
    if before.state is not after.state:
        log.info("job %s: %s", after.id, after.state)
