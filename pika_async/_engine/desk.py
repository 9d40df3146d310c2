"""The one door through which the engine changes a job: an event in, its effects carried out.

It owns the flights, and what the ledger could not take yet. It knows none of the parts that carry effects
out; `engine` wires them.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from pika_async._engine.account import Account
from pika_async._engine.callers import Callers
from pika_async._engine.clock import Clock
from pika_async._engine.effects import Effect, Forget, effects
from pika_async._engine.flight import Flight
from pika_async._engine.flights import Flights
from pika_async._engine.outbox import Outbox
from pika_async._ledger import Ledger
from pika_async._ledger.change import Change
from pika_async._ledger.events import (
    Abandon,
    Cancel,
    Claim,
    Event,
    LeaseOver,
    NothingFound,
    PassedOver,
    ReplayOver,
    Resubmit,
    SlotOver,
)
from pika_async._ledger.evolve import evolve
from pika_async._ledger.machine import settle
from pika_async._ledger.records import AttemptState, JobRecord, Usage
from pika_async._ledger.standing import moves
from pika_async.errors import ConfigError, JobHandle, LedgerError

T = TypeVar("T")
log = logging.getLogger("pika_async")

_NEEDS_THE_LEDGER = (Claim, Resubmit, Abandon, LeaseOver, NothingFound, PassedOver, ReplayOver, SlotOver)
"""Nothing follows from these unless the ledger has granted them. What only time says is found again by the
next sweep, and is true of the ledger's row alone: this process may not know yet that the attempt was sent."""


class Desk:
    """Holds the jobs in flight of one client; `tell` applies an event and carries out what follows."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        ledger: Ledger,
        clock: Clock,
        owner: str,
        handle: Callable[[Flight], JobHandle],
    ) -> None:
        self.accounts = accounts
        self.ledger = ledger
        self.clock = clock
        self.owner = owner
        self.closing = False
        self.flights = Flights(accounts, clock, remembers=ledger.remembers)
        self.outbox = Outbox(ledger, clock, self._delivered, self.spawn)
        callers = Callers(handle)
        self.explain = callers.explain
        self._acts: dict[type, Callable[[Flight, Any], None]] = {**callers.acts, Forget: self._forget}
        self._errands: set[asyncio.Task[Any]] = set()

    def carries_out(self, effect: type, act: Callable[[Flight, Any], None]) -> None:
        """Let *act* carry out every *effect*, after what carries it out already."""
        before = self._acts.get(effect)
        if before is None:
            self._acts[effect] = act
        else:

            def both(flight: Flight, what: Any) -> None:
                before(flight, what)
                act(flight, what)

            self._acts[effect] = both

    def act(self, flight: Flight, effect: Effect) -> None:
        """Carry out one effect."""
        if (act := self._acts.get(type(effect))) is not None:
            act(flight, effect)

    async def tell(self, flight: Flight, event: Event) -> Change:
        """Let the ledger decide on *event* and carry out what follows.

        What was learned is never lost to a ledger that fails: it waits in the outbox, and this process goes
        on with it. A claim and a person's word need the ledger: for them this raises `LedgerError`. Nothing
        follows from a cancellation before the ledger hears it, where another process may send the order.
        """
        needs = isinstance(event, _NEEDS_THE_LEDGER)
        try:
            self.outbox.refuse_before_others(flight.id)
            change = await self._applied(flight, event)
        except LedgerError as error:
            if needs:
                raise
            self.outbox.put(flight.id, event, error, None if flight.recorded else _to_record(flight))
            now = self.ledger.now()
            after = flight.record
            if not (isinstance(event, Cancel) and self.ledger.shared and flight.recorded):
                after, _ = settle(flight.record, event, now, Usage(), None)
            moved = after is not flight.record
            change = Change(before=flight.record, after=after, event=event, moved=moved, at=now)
        self.follow(flight, change)
        return change

    async def tell_all(self, told: Sequence[tuple[Flight, Event]]) -> None:
        """Tell many events; a ledger on a disk commits them together."""
        if self.ledger.remembers and len(told) > 1:
            await asyncio.gather(*(self.tell(flight, event) for flight, event in told))
            return
        for flight, event in told:
            await self.tell(flight, event)

    async def tell_of(self, job_id: str, event: Event) -> JobRecord:
        """Tell an event about a job that need not be in flight here, and return its record."""
        flight = self.flights.get(job_id)
        if flight is None and (record := await self.ledger.get(job_id)) is not None:
            try:
                flight = self.take_up(record)
            except ConfigError:
                flight = None  # an account of it is not open here: its processes will see the change
        change = await (self.ledger.apply(job_id, event) if flight is None else self.tell(flight, event))
        return change.after

    async def _applied(self, flight: Flight, event: Event) -> Change:
        if flight.recorded:
            return await self.ledger.apply(flight.id, event)
        change = await self.ledger.create(_to_record(flight), event)
        flight.recorded, flight.adopted = True, False
        if change.moved:
            return change
        return await self.ledger.apply(flight.id, event)

    async def record(self, flight: Flight) -> None:
        """Keep a job that is not recorded yet; it stays as it is when the ledger fails."""
        if not flight.recorded and not flight.adopted:
            flight.recorded = True  # the ledger takes orders in turn: what is told next comes after this
            try:
                await self.ledger.create(flight.record)
            except LedgerError as error:
                flight.recorded = False
                log.warning("job %s: not recorded yet: %s", flight.id, error)

    def follow(self, flight: Flight, change: Change) -> None:
        """Take over what a ledger says of a job, and carry out what follows from it."""
        if not change.moved and moves(change.after) == moves(flight.record):
            return
        is_ours = change.before is None or change.before is flight.record
        seen = change if is_ours else evolve(change, before=flight.record)
        flight.record = change.after
        self._carry_out(flight, seen)

    def seen(self, flight: Flight, record: JobRecord) -> None:
        """Take over a record that another process may have written.

        While this process sends an attempt, or holds what the ledger could not take yet, it knows more than
        the record does; what it knows is told against what is recorded then.
        """
        knows_more = flight.sending or self.outbox.holds(flight.id)
        if not knows_more and moves(record) > moves(flight.record):
            self.follow(flight, Change(before=flight.record, after=record, at=self.ledger.now()))

    async def reread(self, flight: Flight) -> bool:
        """Take over what the ledger knows of a job; return False, and change nothing, when it fails."""
        with suppress(LedgerError):
            if (record := await self.ledger.get(flight.id)) is not None:
                self.seen(flight, record)
            return True
        return False

    def enter(self, flight: Flight) -> None:
        """Take a job into flight that the ledger has, or that a token names."""
        self.flights[flight.id] = flight
        flight.entered = True
        if flight.posted_at is None:
            flight.posted_at = self.clock.now() - self._age(flight.record)
        self._carry_out(flight, Change(before=None, after=flight.record, at=self.ledger.now()))

    def _age(self, record: JobRecord) -> float:
        """Return the seconds since the newest claim: a task of long ago must not pass for a new one."""
        claims = [attempt.claimed_at for attempt in record.attempts if attempt.claimed_at is not None]
        return max(0.0, self.ledger.now() - claims[-1]) if claims else 0.0

    def take_up(self, record: JobRecord) -> Flight:
        """Return the flight of a job of the ledger, made when there is none; raises `ConfigError`."""
        self.flights.account_of(record)
        flight = self.flights.get(record.id)
        if flight is None:
            flight = self.flights.of(record)
        if not flight.entered:
            self.enter(flight)
        return flight

    def watch(self, record: JobRecord) -> None:
        """Take a job of another process into flight, of which at least one account is open here.

        Its tasks on that account are looked up; what belongs to another account is left to other processes.
        """
        here = [self.accounts[a.account] for a in record.attempts if a.account in self.accounts]
        self.enter(self.flights.on(here[-1], record))

    def _carry_out(self, flight: Flight, change: Change) -> None:
        acts = self._acts
        for effect in effects(change, self.owner):
            if (act := acts.get(type(effect))) is not None:
                act(flight, effect)

    def spawn(self, errand: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run *errand* in a task that closing the client waits for."""
        task = asyncio.get_running_loop().create_task(errand)
        self._errands.add(task)
        task.add_done_callback(self._errands.discard)
        return task

    async def aclose(self, patience: float) -> None:
        """Wait for what is still being told, and for the outbox, for *patience* seconds at most."""
        await asyncio.gather(*self._errands, return_exceptions=True)
        await self.outbox.aclose(patience)

    def _delivered(self, job_id: str, change: Change) -> None:
        if (flight := self.flights.get(job_id)) is not None:
            flight.recorded, flight.adopted = True, False
            self.follow(flight, evolve(change, moved=True))

    def _forget(self, flight: Flight, _: Forget) -> None:
        self.flights.forget(flight)


def _to_record(flight: Flight) -> JobRecord:
    """Return the job as the ledger is to have it, before the first event that it is told of it."""
    record = flight.record
    if not flight.adopted:
        return record
    # Neither a slot nor a row before the provider vouched for the task that the token names.
    return evolve(record, attempts=(evolve(record.newest, state=AttemptState.AMBIGUOUS, task=None),))
