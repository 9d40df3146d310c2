"""How a job that is here already goes on: taken over from the ledger, by its token, or by a queue."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from functools import partial

from pika_async._engine.desk import Desk
from pika_async._engine.dispatch import Dispatch
from pika_async._engine.flight import Flight
from pika_async._engine.known import Known
from pika_async._engine.looks.looks import Looks
from pika_async._engine.verdict import refused_look
from pika_async._ledger.records import AttemptState, JobRecord
from pika_async._ledger.standing import OPEN, is_queued, is_watched, unsent
from pika_async.errors import ConfigError, LedgerError
from pika_async.requests import VideoRequest

log = logging.getLogger("pika_async")

_PAGE = 500


class Resuming:
    """Sets jobs on the way that their records call for: what is queued is sent, what runs is looked up."""

    def __init__(self, desk: Desk, known: Known, dispatch: Dispatch, looks: Mapping[str, Looks]) -> None:
        self._desk = desk
        self._known = known
        self._dispatch = dispatch
        self._looks = looks
        self._entering: dict[str, asyncio.Task[None]] = {}

    def work_on(self, record: JobRecord) -> Flight:
        """Send what a job of the ledger has queued, and look at what it has running; returns its flight.

        Raises `ConfigError` when an account of it is not open here.
        """
        flight = self._desk.take_up(record)
        self._desk.seen(flight, record)
        flight.kept = flight.held = flight.wanted = True
        # A queue is no person: however often it asks, what pauses the account holds the order.
        flight.asked_at = max(flight.asked_at, record.created_at)
        self._look_soon(flight)
        self.send_queued(flight)
        return flight

    def send_queued(self, flight: Flight) -> None:
        """Send what the job has queued, unless it has a place in the line already."""
        if is_queued(flight.record) and not flight.ended and not flight.place:
            flight.requeued()
            self._dispatch.add(flight)

    async def settle_in(self, flight: Flight) -> None:
        """Take a job into flight that came by its token or from the ledger; once, at the first wait."""
        if flight.entered:
            return
        entering = self._entering.get(flight.id)
        if entering is None:
            entering = self._entering[flight.id] = self._desk.spawn(self._enter(flight))
            entering.add_done_callback(partial(self._entered, flight.id))
        await asyncio.shield(entering)

    def _entered(self, job_id: str, entering: asyncio.Task[None]) -> None:
        del self._entering[job_id]
        if not entering.cancelled():
            entering.exception()  # those who waited may all have been cancelled

    async def _enter(self, flight: Flight) -> None:
        known = await self._read(flight)
        if known is None and flight.task is None:
            self._desk.flights.pop(flight.id, None)
            raise ConfigError(
                "The token was made before the provider accepted the job, and this ledger does not know it; "
                "open the ledger that does.",
                provider=flight.account.name,
                charged="unknown",
            )
        if known is not None:
            flight.account = self._desk.flights.account_of(known)
            flight.record, flight.request = known, _request(known)
            flight.recorded, flight.adopted = True, False
        flight.asked(self._desk.ledger.now())
        self._desk.enter(flight)
        self._look_soon(flight)

    async def _read(self, flight: Flight) -> JobRecord | None:
        try:
            return await self._desk.ledger.get(flight.id)
        except LedgerError as error:
            error.charged = "unknown"  # the record alone says what the job has cost
            self._desk.explain(flight, error)
            raise

    async def recover(self, *, queued: bool) -> AsyncIterator[Flight]:
        """Take up every job that the ledger holds unfinished and that nobody in this process has."""
        after: str | None = None
        while True:
            page = await self._desk.ledger.open_jobs(after=after, limit=_PAGE)
            for record in page:
                flight = self._desk.flights.get(record.id)
                if flight is not None and flight.wanted:
                    self._desk.seen(flight, record)
                    if queued:
                        self.send_queued(flight)
                    continue
                if not queued and all(
                    a.state is AttemptState.QUEUED for a in record.attempts if a.state in OPEN
                ):
                    continue
                try:
                    flight = self._known.taken_up(record)
                except ConfigError as error:
                    log.warning("job %s is not recovered: %s", record.id, error)
                    continue
                flight.asked(self._desk.ledger.now())
                self._look_soon(flight)
                if queued:
                    self.send_queued(flight)
                yield flight
            if len(page) < _PAGE:
                return
            after = page[-1].id

    async def resume(self, flight: Flight) -> None:
        """Make sure that a process works on *flight* before it is waited for."""
        if flight.ended:
            return
        self.must_be_open()
        self._looks[flight.account.key].resume()
        await self.settle_in(flight)

    def must_be_open(self) -> None:
        """Raise `ConfigError` once the client is closed, or closes."""
        if self._desk.closing:
            raise ConfigError("The client is closed; open another and use the job's token there.")

    async def taken_on(self, flight: Flight) -> Flight:
        """Make sure that a process works on *flight*, and return what to wait for.

        Whoever was told that an order was left unsent, and waits for its job all the same, asks for it again.
        A token alone is no such word: the order is perhaps still queued in another process.
        """
        left = flight.ended and flight.recorded and is_queued(flight.record) and unsent(flight.record)
        if left and not self._desk.closing:
            if (taken_up := self._desk.flights.get(flight.id)) is not None:
                flight = taken_up
            elif (record := await self._read(flight)) is not None:
                flight.reopened(record)
                self._desk.enter(flight)
            flight.asked(self._desk.ledger.now())
            self.send_queued(flight)
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
            refused = self._desk.accounts[attempt.account].refused_look
            if refused is not None and not flight.ended:
                raise self._desk.explain(flight, refused_look(refused, flight.account.name))


def _request(record: JobRecord) -> VideoRequest | None:
    return record.request if isinstance(record.request, VideoRequest) else None
