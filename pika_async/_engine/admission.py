"""How jobs enter the engine: bought anew, found again by key or token, or left by a dead process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from pika_async import _registry
from pika_async._engine.digest import digest, same_order
from pika_async._engine.files import hashes
from pika_async._engine.flight import Flight, Phase
from pika_async._engine.ids import attempt_id, new_job_id
from pika_async._engine.turns import Turns
from pika_async._engine.verdict import in_doubt, unresolved
from pika_async._ledger.records import OPEN, Attempt, AttemptState, JobRecord
from pika_async.errors import ConfigError, JobTimeout, LedgerError, UnsupportedRequest
from pika_async.requests import VideoRequest

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._engine.dispatch import Dispatch
    from pika_async._engine.engine import Engine
    from pika_async._token import JobToken

log = logging.getLogger("pika_async")


class Admission:
    """Makes the flight of a job, and sets it on the way its record calls for."""

    def __init__(self, engine: Engine, dispatch: Dispatch) -> None:
        self._engine = engine
        self._dispatch = dispatch
        self._turns = Turns()
        self._entering: dict[str, asyncio.Task[None]] = {}

    def route(self, request: VideoRequest) -> Sequence[Account]:
        """Return the accounts that can express *request*, in order of preference."""
        if not isinstance(request, VideoRequest):
            raise UnsupportedRequest(
                f"A {type(request).__name__} is not a request; make a Generate, Ingredients or Style of it."
            )
        able: list[Account] = []
        refusals: dict[str, str] = {}
        for account in self._engine.accounts.values():
            try:
                account.loaded.check(request)
            except UnsupportedRequest as error:
                refusals[account.name] = error.message
            else:
                able.append(account)
        if not able:
            raise _registry.unsupported(refusals, request)
        return able

    async def buy(
        self,
        request: VideoRequest,
        *,
        callback_url: str | bool | None,
        idempotency_key: str | None = None,
    ) -> Flight:
        """Record a new job and queue it, or join the one that already has the key."""
        await self._turns.take()
        accounts = self.route(request)
        ledger, wall = self._engine.ledger, self._engine.clock.wall()
        job_id = new_job_id(wall)
        first = Attempt(id=attempt_id(job_id, 1), job_id=job_id, number=1, account=accounts[0].key)
        job = JobRecord(id=job_id, request=request, created_at=wall, attempts=(first,))
        if idempotency_key is not None or ledger.durable:
            job = await _identified(job, request, idempotency_key)
        flight = Flight(
            job,
            accounts[0],
            self._engine.clock,
            request=request,
            fallbacks=tuple(accounts[1:]),
            callback_url=callback_url,
        )
        if idempotency_key is not None or not ledger.durable:
            record = await ledger.create(job)
            if record.id != job_id:
                return self._joined(record, request, job.files or {})
        else:
            self._engine.spawn(self._recorded(flight, job))
        if self._engine.closing:
            error = JobTimeout("The client was closed before the job was sent; open another.", charged="no")
            raise self._engine.explain(flight, error)
        self._engine.flights[job_id] = flight
        self._dispatch.enqueue(flight)
        return flight

    async def _recorded(self, flight: Flight, job: JobRecord) -> None:
        """Record a job that is queued already: a ledger keeps the order, so its claim comes after this."""
        try:
            await self._engine.ledger.create(job)
        except LedgerError as error:
            flight.cancelled = True
            flight.end(self._engine.explain(flight, error))
            self._engine.forget(flight)

    def _joined(self, record: JobRecord, wanted: VideoRequest, files: Mapping[str, str]) -> Flight:
        if not same_order(record, wanted, files):
            raise UnsupportedRequest(
                "This idempotency_key was used for another request; use a new key for a new video."
            )
        flight = self._engine.flights.get(record.id) or self.take_up(record, queued=True)
        if flight.unresolved:
            raise self._engine.explain(flight, unresolved(in_doubt(flight.record) or flight.record.newest))
        return flight

    def by_token(self, token: JobToken) -> Flight:
        """Find a job by its token; it is read from the ledger, or adopted, when somebody waits for it."""
        known = self._engine.flights.get(token.job_id)
        if known is not None:
            return known
        account = self._engine.accounts.get(f"{token.provider}:{token.label}")
        if account is None:
            raise ConfigError(
                f"The job belongs to {token.provider} (account {token.label}); open the client with that "
                "provider.",
                provider=token.provider,
            )
        state = AttemptState.QUEUED if token.task is None else AttemptState.RUNNING
        attempt = Attempt(
            id=attempt_id(token.job_id, 1),
            job_id=token.job_id,
            number=1,
            account=account.key,
            state=state,
            slot=token.task is not None,
            task=token.task,
            bound_by=None if token.task is None else "answer",
        )
        record = JobRecord(
            id=token.job_id, request=None, created_at=self._engine.clock.wall(), attempts=(attempt,)
        )
        flight = Flight(record, account, self._engine.clock)
        self._engine.flights[flight.id] = flight
        return flight

    async def settle_in(self, flight: Flight) -> None:
        """Read a job that came by its token from the ledger, or enter it there; once, at the first wait."""
        if flight.record.request is not None or flight.phase is not Phase.WAITING:
            return
        if flight.posted_at is not None:
            return
        entering = self._entering.get(flight.id)
        if entering is None:
            entering = self._entering[flight.id] = self._engine.spawn(self._enter(flight))
            entering.add_done_callback(partial(self._entered, flight.id))
        await asyncio.shield(entering)

    def _entered(self, job_id: str, entering: asyncio.Task[None]) -> None:
        del self._entering[job_id]
        if not entering.cancelled():
            entering.exception()  # those who waited may all have been cancelled

    async def _enter(self, flight: Flight) -> None:
        known = await self._engine.ledger.get(flight.id)
        if known is None and flight.task is None:
            self._engine.flights.pop(flight.id, None)
            raise ConfigError(
                "The token was made before the provider accepted the job, and this ledger does not know it; "
                "open the ledger that does.",
                provider=flight.account.name,
            )
        record = known or await self._engine.ledger.create(flight.record)
        flight.account = self._account(record)
        flight.record = record
        flight.request = cast("VideoRequest | None", flight.record.request)
        self._set_going(flight, queued=False)

    def take_up(self, record: JobRecord, *, queued: bool) -> Flight:
        """Go on with a job of the ledger; with *queued*, also buy it if it was never sent."""
        known = self._engine.flights.get(record.id)
        if known is not None:
            return known
        flight = Flight(
            record,
            self._account(record),
            self._engine.clock,
            request=cast("VideoRequest | None", record.request),
        )
        self._engine.flights[record.id] = flight
        self._set_going(flight, queued=queued)
        return flight

    def _account(self, record: JobRecord) -> Account:
        """Return the account of the newest attempt; raises `ConfigError` if one of an attempt is not open."""
        for attempt in record.attempts:
            if attempt.account not in self._engine.accounts:
                provider, _, label = attempt.account.partition(":")
                raise ConfigError(
                    f"Job {record.id} belongs to {provider} (account {label}); open the client with that "
                    "provider.",
                    provider=provider,
                )
        return self._engine.accounts[record.newest.account]

    def _set_going(self, flight: Flight, *, queued: bool) -> None:
        for attempt in flight.record.attempts:
            if attempt.slot:
                self._engine.accounts[attempt.account].limits.adopt()
        if queued and flight.record.newest.state is AttemptState.QUEUED:
            self._dispatch.enqueue(flight)
        else:
            flight.posted_at = self._engine.clock.now()
        self._engine.follow(flight)
        if self._engine.callbacks is not None:
            self._engine.inbox.wake()

    async def recover(self, *, queued: bool) -> AsyncIterator[Flight]:
        """Take up every job that the ledger holds unfinished and this process does not have yet."""
        for record in await self._engine.ledger.unfinished():
            if record.id in self._engine.flights:
                continue
            if not queued and all(a.state is AttemptState.QUEUED for a in record.attempts if a.state in OPEN):
                continue
            try:
                yield self.take_up(record, queued=queued)
            except ConfigError as error:
                log.warning("job %s is not recovered: %s", record.id, error)


async def _identified(job: JobRecord, request: VideoRequest, key: str | None) -> JobRecord:
    from attrs import evolve

    files = await hashes(request)
    job = evolve(job, files=files or None)
    return job if key is None else evolve(job, key=key, digest=digest(request, files))
