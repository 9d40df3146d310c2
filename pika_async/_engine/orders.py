"""How jobs enter the engine: ordered, waited for or taken over; and what people say of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial

from attrs import evolve

from pika_async import _registry
from pika_async._engine.account import Account
from pika_async._engine.asking import ask_to_cancel
from pika_async._engine.building import Building
from pika_async._engine.choosing import Choice, Rule, in_given_order
from pika_async._engine.clock import Clock, sleep
from pika_async._engine.desk import Desk
from pika_async._engine.digest import digest, same_order
from pika_async._engine.dispatch import Dispatch
from pika_async._engine.files import carried, hashes, reads_files
from pika_async._engine.flight import Flight
from pika_async._engine.ids import attempt_id, new_job_id
from pika_async._engine.known import Known
from pika_async._engine.looks.looks import Looks
from pika_async._engine.origins import Origins
from pika_async._engine.turns import Turns
from pika_async._engine.verdict import refused_look, unresolved
from pika_async._ledger.change import Change
from pika_async._ledger.events import Abandon, Cancel, NextAttempt, Resubmit
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, Receiver
from pika_async._ledger.standing import OPEN, in_doubt, is_queued, is_watched, unsent
from pika_async.errors import ConfigError, JobTimeout, LedgerError, UnsupportedRequest
from pika_async.requests import VideoRequest
from pika_async.results import Cancelled, VideoResult

log = logging.getLogger("pika_async")

_PAGE = 500
_LEDGER_PATIENCE = 60.0
_LEDGER_PAUSE = 1.0


class Orders:
    """Sets jobs on the way that their records call for; `known` finds them."""

    def __init__(
        self,
        desk: Desk,
        building: Building,
        dispatch: Dispatch,
        looks: Mapping[str, Looks],
        clock: Clock,
        *,
        rule: Rule | None = None,
    ) -> None:
        self.desk = desk
        self.origins = Origins(desk)
        self.known = Known(desk, clock)
        self._building = building
        self._dispatch = dispatch
        self._looks = looks
        self._clock = clock
        self._rule = rule
        self.reuse: Callable[[VideoRequest], Awaitable[Flight | None]] | None = None
        self._turns = Turns()
        self._entering: dict[str, asyncio.Task[None]] = {}

    async def buy(
        self,
        request: VideoRequest,
        *,
        callback_url: Receiver,
        idempotency_key: str | None = None,
        kept: bool = False,
        record_on: Callable[[JobRecord], Awaitable[Change]] | None = None,
    ) -> Flight:
        """Record a new job and queue it, or join the one that already has the key.

        One that is *kept* is committed when this returns, with its media, for any process that works on it;
        this one does not send it. *record_on* records it in a transaction that is not over yet.
        """
        await self._turns.take()
        choice = await self._chosen(request)
        if (
            self.reuse is not None
            and idempotency_key is None
            and not kept
            and (earlier := await self.reuse(request)) is not None
        ):
            return earlier
        accounts = choice.accounts
        ledger = self.desk.ledger
        if kept := kept or not self._dispatch.working:
            request = await carried(request)
        job_id = new_job_id(self._clock.wall())
        first = Attempt(id=attempt_id(job_id, 1), job_id=job_id, number=1, account=accounts[0].key)
        record = JobRecord(
            id=job_id,
            request=request,
            created_at=ledger.now(),
            attempts=(first,),
            fallbacks=tuple(account.key for account in accounts[1:]),
            callback_url=callback_url,
            enqueued=kept,
        )
        flight = Flight(record, accounts[0], self._clock, request)
        flight.recorded, flight.entered = False, True
        flight.kept = flight.held = kept
        flight.why = choice.why
        self._asked_for(flight)
        if not reads_files(request):
            self._building.build_ahead(flight, request, accounts)
        if idempotency_key is not None or ledger.remembers or self.reuse is not None:
            # Whoever reuses jobs in memory, where requests are forgotten, knows them by their digests.
            named = idempotency_key is not None or self.reuse is not None
            flight.record = await _identified(flight.record, request, idempotency_key, named=named)
        if idempotency_key is not None or kept:
            change = await (self._created(flight) if record_on is None else record_on(flight.record))
            # Another caller may have found this very job in the ledger before its recording was heard of.
            if change.after.id != job_id or job_id in self.desk.flights:
                return self._joined(change.after, request, flight.record.files or {}, kept=kept)
        if record_on is not None:
            # Whether the ledger will ever have it is known when somebody waits.
            flight.built, flight.entered = None, False
            return self.desk.named.setdefault(job_id, flight)
        if kept:
            flight.built = None
            flight.posted_at = self._clock.now()  # others post it: what bounds a wait for it runs from now
            return self.desk.flights.setdefault(job_id, flight)
        if self.desk.closing:
            error = JobTimeout("The client was closed before the job was sent; open another.", charged="no")
            raise self.desk.explain(flight, error)
        self.desk.flights[job_id] = flight
        if not self._dispatch.add(flight) and ledger.remembers:
            # It waits for a slot, perhaps for long: whoever comes after this process must know of it.
            self.desk.spawn(self.desk.record(flight))
        return flight

    async def _chosen(self, request: VideoRequest) -> Choice:
        """Return the accounts that can express *request*, by the user's rule or in the given order."""
        able = self._able(request)
        if self._rule is None or len(able) == 1:
            return in_given_order(tuple(self.desk.accounts.values()), able)
        return await self._rule(able, request)

    def _able(self, request: VideoRequest) -> list[Account]:
        """Return the accounts whose capabilities hold *request*, in order of preference."""
        if not isinstance(request, VideoRequest):
            raise UnsupportedRequest(
                f"A {type(request).__name__} is not a request; make a Generate, Ingredients, Style or Edit "
                "of it."
            )
        able: list[Account] = []
        refusals: dict[str, str] = {}
        for account in self.desk.accounts.values():
            try:
                account.loaded.check(request)
            except UnsupportedRequest as error:
                refusals[account.name] = error.message
            else:
                able.append(account)
        if not able:
            raise _registry.unsupported(refusals, request)
        return able

    async def _created(self, flight: Flight) -> Change:
        """Record an order with a key, or one that others send; a failing ledger is tried for a minute."""
        give_up = self._clock.now() + _LEDGER_PATIENCE
        while True:
            try:
                change = await self.desk.ledger.create(flight.record)
            except LedgerError as error:
                if self.desk.closing or self._clock.now() >= give_up:
                    # It may be recorded although this was not heard, and then others may send it.
                    error.charged = "unknown"
                    raise
                await sleep(self._clock, _LEDGER_PAUSE)
            else:
                flight.recorded = True
                return change

    def _joined(
        self, record: JobRecord, wanted: VideoRequest, files: Mapping[str, str], *, kept: bool
    ) -> Flight:
        if not same_order(record, wanted, files):
            raise UnsupportedRequest(
                "This idempotency_key was used for another request; use a new key for a new video."
            )
        flight = self.known.taken_up(record)
        self._asked_for(flight)
        if kept:
            flight.kept = flight.held = True
            return flight
        self._send_queued(flight)
        if flight.unresolved:
            raise self.desk.explain(flight, unresolved(in_doubt(flight.record) or flight.record.newest))
        return flight

    def _asked_for(self, flight: Flight) -> None:
        """Note that a caller here wants the job; a pause that began before does not hold it."""
        flight.wanted, flight.asked_at = True, self.desk.ledger.now()

    def work_on(self, record: JobRecord) -> Flight:
        """Send what a job of the ledger has queued, and look at what it has running; returns its flight.

        Raises `ConfigError` when an account of it is not open here.
        """
        flight = self.desk.take_up(record)
        self.desk.seen(flight, record)
        flight.kept = flight.held = flight.wanted = True
        # A queue is no person: however often it asks, what pauses the account holds the order.
        flight.asked_at = max(flight.asked_at, record.created_at)
        self._look_soon(flight)
        self._send_queued(flight)
        return flight

    def _send_queued(self, flight: Flight) -> None:
        if is_queued(flight.record) and not flight.ended and not flight.place:
            flight.requeued()
            self._dispatch.add(flight)

    async def settle_in(self, flight: Flight) -> None:
        """Take a job into flight that came by its token or from the ledger; once, at the first wait."""
        if flight.entered:
            return
        entering = self._entering.get(flight.id)
        if entering is None:
            entering = self._entering[flight.id] = self.desk.spawn(self._enter(flight))
            entering.add_done_callback(partial(self._entered, flight.id))
        await asyncio.shield(entering)

    def _entered(self, job_id: str, entering: asyncio.Task[None]) -> None:
        del self._entering[job_id]
        if not entering.cancelled():
            entering.exception()  # those who waited may all have been cancelled

    async def _enter(self, flight: Flight) -> None:
        known = await self.desk.ledger.get(flight.id)
        if known is None and flight.task is None:
            self.desk.flights.pop(flight.id, None)
            raise ConfigError(
                "The token was made before the provider accepted the job, and this ledger does not know it; "
                "open the ledger that does.",
                provider=flight.account.name,
            )
        if known is not None:
            flight.account = self.desk.account_of(known)
            flight.record, flight.request = known, _request(known)
            flight.recorded, flight.adopted = True, False
        self._asked_for(flight)
        self.desk.enter(flight)
        self._look_soon(flight)

    async def recover(self, *, queued: bool) -> AsyncIterator[Flight]:
        """Take up every job that the ledger holds unfinished and that nobody in this process has."""
        after: str | None = None
        while True:
            page = await self.desk.ledger.open_jobs(after=after, limit=_PAGE)
            for record in page:
                flight = self.desk.flights.get(record.id)
                if flight is not None and flight.wanted:
                    self.desk.seen(flight, record)
                    if queued:
                        self._send_queued(flight)
                    continue
                if not queued and all(
                    a.state is AttemptState.QUEUED for a in record.attempts if a.state in OPEN
                ):
                    continue
                try:
                    flight = self.known.taken_up(record)
                except ConfigError as error:
                    log.warning("job %s is not recovered: %s", record.id, error)
                    continue
                self._asked_for(flight)
                self._look_soon(flight)
                if queued:
                    self._send_queued(flight)
                yield flight
            if len(page) < _PAGE:
                return
            after = page[-1].id

    async def jobs(self, state: str | None, limit: int, before: str | None) -> list[Flight]:
        """Return the jobs that the ledger knows on the accounts of this client, newest first."""
        found = []
        for record in await self.desk.ledger.jobs(state, limit, before):
            try:
                found.append(self.known.of_record(record))
            except ConfigError as error:
                log.debug("job %s is not listed: %s", record.id, error)
        return found

    async def resume(self, flight: Flight) -> None:
        """Make sure that a process works on *flight* before it is waited for."""
        if flight.ended:
            return
        if self.desk.closing:
            raise ConfigError("The client is closed; open another and use the job's token there.")
        self._looks[flight.account.key].resume()
        await self.settle_in(flight)

    async def taken_on(self, flight: Flight) -> Flight:
        """Make sure that a process works on *flight*, and return what to wait for.

        Whoever was told that an order was left unsent, and waits for its job all the same, asks for it again.
        A token alone is no such word: the order is perhaps still queued in another process.
        """
        left = flight.ended and flight.recorded and is_queued(flight.record) and unsent(flight.record)
        if left and not self.desk.closing:
            if (taken_up := self.desk.flights.get(flight.id)) is not None:
                flight = taken_up
            elif (record := await self.desk.ledger.get(flight.id)) is not None:
                flight.reopened(record)
                self.desk.enter(flight)
            self._asked_for(flight)
            self._send_queued(flight)
        await self.resume(flight)
        return flight

    def _look_soon(self, flight: Flight) -> None:
        """Look once at what a person asks for: the process that looked before may be dead."""
        for attempt in flight.record.attempts:
            if is_watched(attempt) and attempt.account in self._looks:
                self._looks[attempt.account].look_soon(attempt.id)

    async def refresh(self, flight: Flight) -> None:
        """Have *flight* looked up next, within the budget, and wait for the answer."""
        for attempt in flight.record.attempts:
            if attempt.account not in self._looks:
                continue
            await self._looks[attempt.account].look_next(attempt.id)
            refused = self.desk.accounts[attempt.account].refused_look
            if refused is not None and not flight.ended:
                raise self.desk.explain(flight, refused_look(refused, flight.account.name))

    async def cancel_unsent(self, flight: Flight) -> bool:
        """Cancel a job that was never sent; return whether it was in time."""
        if flight.ended or not unsent(flight.record):
            return False
        flight.cancelled = True
        await self.desk.tell(flight, Cancel())
        return flight.ended

    async def cancel(self, flight: Flight, *, remote: bool) -> Cancelled:
        """Cancel a job that was never sent; with *remote*, ask the provider to stop one that was."""
        await self.resume(flight)
        if await self.cancel_unsent(flight):
            return Cancelled.UNSENT
        if not remote or flight.ended:
            return Cancelled.TOO_LATE
        outcomes = set()
        for attempt in flight.record.attempts:
            if attempt.task is not None and is_watched(attempt):
                outcomes.add(await ask_to_cancel(self.desk.accounts[attempt.account], attempt.task))
                self._looks[attempt.account].look_soon(attempt.id)
        in_order = (Cancelled.REQUESTED, Cancelled.UNSUPPORTED)
        return next((one for one in in_order if one in outcomes), Cancelled.TOO_LATE)

    def abandon_wait(self, flight: Flight) -> None:
        """Note that a caller was cancelled: an unsent job nobody else waits for is not bought."""
        nobody_else = not flight.awaited and not flight.kept
        if flight.posted_at is None and unsent(flight.record) and nobody_else:
            flight.cancelled = True
            self.desk.spawn(self.cancel_unsent(flight))

    async def settle_by_word(self, flight: Flight, *, resubmit: bool) -> None:
        """Apply a person's word to an unresolved job."""
        await self.settle_in(flight)
        doubtful = in_doubt(flight.record)
        if doubtful is None:
            raise ConfigError(
                f"Job {flight.id} is {flight.record.newest.state}, not unresolved; nothing is to settle."
            )
        if resubmit and flight.request is None:
            raise ConfigError("The request of this job is not known here; resubmit it from its own ledger.")
        next_id = attempt_id(flight.id, flight.record.newest.number + 1)
        again = NextAttempt(id=next_id, account=doubtful.account)
        self._asked_for(flight)
        word = Resubmit(next=again, attempt=doubtful.id) if resubmit else Abandon(attempt=doubtful.id)
        if not (await self.desk.tell(flight, word)).moved:
            raise ConfigError(f"Job {flight.id} was settled meanwhile; look at it again.")
        if resubmit:
            self._dispatch.send_now(flight.account.key)

    def origin(self, video: VideoResult) -> Flight | None:
        """Return the job that a video of this client came from."""
        token = self.origins.token_of(video)
        return None if token is None else self.known.by_token(token)


def _request(record: JobRecord) -> VideoRequest | None:
    return record.request if isinstance(record.request, VideoRequest) else None


async def _identified(record: JobRecord, request: VideoRequest, key: str | None, *, named: bool) -> JobRecord:
    files = await hashes(request)
    asked = digest(request, files) if named else None
    return evolve(record, files=files or None, key=key, digest=asked)
