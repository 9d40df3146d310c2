"""How jobs are ordered."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping

from attrs import evolve

from pika_async._alternatives import unsupported
from pika_async._engine.account import Account
from pika_async._engine.building import Building
from pika_async._engine.choosing import Choice, Rule, in_given_order
from pika_async._engine.clock import Clock, sleep
from pika_async._engine.decisions import Decisions
from pika_async._engine.desk import Desk
from pika_async._engine.digest import digest, same_order
from pika_async._engine.dispatch import Dispatch
from pika_async._engine.files import carried, hashes, reads_files
from pika_async._engine.flight import Flight
from pika_async._engine.ids import attempt_id, new_job_id
from pika_async._engine.known import Known
from pika_async._engine.looks.looks import Looks
from pika_async._engine.origins import Origins
from pika_async._engine.resuming import Resuming
from pika_async._engine.turns import Turns
from pika_async._engine.verdict import unresolved
from pika_async._ledger.change import Change
from pika_async._ledger.records import Attempt, JobRecord, Receiver
from pika_async._ledger.standing import in_doubt
from pika_async.errors import ConfigError, JobTimeout, LedgerError, UnsupportedRequest
from pika_async.requests import VideoRequest
from pika_async.results import VideoResult

log = logging.getLogger("pika_async")

_LEDGER_PATIENCE = 60.0
_LEDGER_PAUSE = 1.0


class Orders:
    """Takes orders; `known` finds jobs, `resuming` goes on with them, and `decisions` end them."""

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
        self.resuming = Resuming(desk, self.known, dispatch, looks)
        self.decisions = Decisions(desk, self.resuming, dispatch, looks)
        self._building = building
        self._dispatch = dispatch
        self._clock = clock
        self._rule = rule
        self.reuse: Callable[[VideoRequest], Awaitable[Flight | None]] | None = None
        self._turns = Turns()

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
        flight.asked(self.desk.ledger.now())
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
            return self.desk.flights.named.setdefault(job_id, flight)
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
            raise unsupported(refusals, request)
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
                    error.retryable = error.retryable and flight.record.key is not None
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
        flight.asked(self.desk.ledger.now())
        if kept:
            flight.kept = flight.held = True
            return flight
        self.resuming.send_queued(flight)
        if flight.unresolved:
            raise self.desk.explain(flight, unresolved(in_doubt(flight.record) or flight.record.newest))
        return flight

    async def jobs(self, state: str | None, limit: int, before: str | None) -> list[Flight]:
        """Return the jobs that the ledger knows on the accounts of this client, newest first."""
        found = []
        for record in await self.desk.ledger.jobs(state, limit, before):
            try:
                found.append(self.known.of_record(record))
            except ConfigError as error:
                log.debug("job %s is not listed: %s", record.id, error)
        return found

    def origin(self, video: VideoResult) -> Flight | None:
        """Return the job that a video of this client came from."""
        token = self.origins.token_of(video)
        return None if token is None else self.known.by_token(token)


async def _identified(record: JobRecord, request: VideoRequest, key: str | None, *, named: bool) -> JobRecord:
    files = await hashes(request)
    asked = digest(request, files) if named else None
    return evolve(record, files=files or None, key=key, digest=asked)
