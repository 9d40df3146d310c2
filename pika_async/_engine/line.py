"""The jobs of one account that wait to be sent by this process, and what keeps them waiting."""

from __future__ import annotations

import heapq
from itertools import count

from attrs import define, field

from pika_async._engine.account import Account
from pika_async._engine.flight import Flight
from pika_async._ledger.records import JobRecord, Usage
from pika_async._ledger.sharing import slots_for
from pika_async._ledger.standing import is_queued
from pika_async.errors import AuthError, PikaError

POSTS_AT_ONCE = 64
"""POSTs on the wire at once; wider gains nothing on one loop, and the claim-to-byte time must stay short."""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 5.0
_TELL_AFTER = 60.0
_REFUSED_FOR = 30.0
_ANEW = 1.0
"""Seconds after a refusal from which what is asked for is tried: a long list must not be refused row by row,
and a person who tops the account up takes longer."""

_places = count(1)


@define(eq=False)
class Line:
    """Jobs in the order in which they came; times are monotonic seconds, handed in.

    *usage* is what the account is known to use over all processes, *slots* its slots with what was learned
    since; *claiming* counts the slots that this process asks for now. Nothing starts before *opens_at*.
    """

    account: Account
    owner: str = ""
    usage: Usage = field(factory=Usage)
    slots: int = 0
    claiming: int = 0
    on_the_wire: int = 0
    opens_at: float = 0.0
    _waiting: list[tuple[int, Flight]] = field(factory=list)
    _failing_since: float | None = None
    _pause: float = _FIRST_PAUSE
    _refused: PikaError | None = None
    _refused_at: float = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, flight: Flight) -> bool:
        return any(waiting is flight for _, waiting in self._waiting)

    def add(self, flight: Flight) -> None:
        """Let *flight* wait in the place that it had, or behind all others."""
        if not flight.place:
            flight.place = next(_places)
        heapq.heappush(self._waiting, (flight.place, flight))

    def first(self) -> Flight | None:
        """Return the job that is next, leaving out those that need not be sent any more."""
        while self._waiting:
            flight = self._waiting[0][1]
            if not (flight.cancelled or flight.ended) and self._is_here(flight.record):
                return flight
            heapq.heappop(self._waiting)
            flight.place = 0
        return None

    def _is_here(self, record: JobRecord) -> bool:
        """Return whether *record* waits for this account: another process may have moved it to a fallback."""
        return is_queued(record) and record.newest.account == self.account.key

    def take(self) -> Flight:
        """Take the first job out, with a slot and a place on the wire reserved for it."""
        self.claiming += 1
        self.on_the_wire += 1
        return heapq.heappop(self._waiting)[1]

    def set_aside(self) -> Flight:
        """Take the first job out, to be prepared; it keeps its place, and no slot."""
        return heapq.heappop(self._waiting)[1]

    def clear(self) -> list[Flight]:
        """Take all jobs out."""
        flights = [flight for _, flight in sorted(self._waiting)]
        self._waiting.clear()
        return flights

    @property
    def limit(self) -> int:
        """Return the account's cap: the least of those of all processes of the ledger."""
        own, least = self.account.max_concurrency, self.usage.max_slots
        return own if least is None else min(own, least)

    def _slots(self) -> int:
        slots = slots_for(self.owner, self.account.max_concurrency, self.usage)
        return self.account.max_concurrency if slots is None else slots

    def is_full(self) -> bool:
        """Return whether the account holds as many slots as this process may fill now."""
        return self.slots + self.claiming >= self._slots()

    def filled(self, usage: Usage | None) -> None:
        """Note that the ledger refused a claim for want of a slot."""
        if usage is not None:
            self.slots = max(usage.slots, self._slots() - self.claiming)

    @property
    def waits(self) -> bool:
        """Return whether a job waits for a slot that another process may free."""
        if self.usage.members <= 1:
            return False
        if self.owner in self.usage.waiting:  # a claim that is asked for now may be refused
            return bool(self._waiting) or self.claiming > 0
        return bool(self._waiting) and self.is_full()

    def may_start(self, now: float) -> bool:
        """Return whether a slot, a place on the wire and the pace allow a submit."""
        return not self.is_full() and self.on_the_wire < POSTS_AT_ONCE and now >= self.opens_at

    def learn(self, usage: Usage | None, ledger_now: float, now: float) -> None:
        """Take over what the ledger says of the account."""
        if usage is not None:
            self.usage, self.slots = usage, usage.slots
            opens_at = max(usage.next_submit_at, usage.held_until)
            self.opens_at = max(self.opens_at, now + opens_at - ledger_now)

    def ledger_failed(self, now: float) -> bool:
        """Note that a claim failed; return whether that has gone on for so long that callers must know."""
        if self._failing_since is None:
            self._failing_since = now
        self.opens_at = max(self.opens_at, now + self._pause)
        self._pause = min(self._pause * 2, _LONGEST_PAUSE)
        return now - self._failing_since >= _TELL_AFTER

    def ledger_works(self) -> None:
        """Note that the ledger answered a claim."""
        self._failing_since, self._pause = None, _FIRST_PAUSE

    def refused(self, error: PikaError, ledger_now: float) -> None:
        """Note that the provider refuses this process's key or its account: for half a minute that holds."""
        self._refused, self._refused_at = error, ledger_now

    def key_refused(self, ledger_now: float) -> tuple[float, str] | None:
        """Return until when the provider is taken to refuse this process's key, and what it said."""
        refused = self.refuses(0.0, ledger_now)
        if not isinstance(refused, AuthError):
            return None
        return self._refused_at + _REFUSED_FOR, refused.message

    def accepted(self) -> None:
        """Note that the provider took a job."""
        self._refused = None

    def refuses(self, asked_at: float, ledger_now: float) -> PikaError | None:
        """Return the error of a refusal, for what was asked for before it or in the same moment."""
        asked_anew = asked_at >= self._refused_at + _ANEW
        over = ledger_now >= self._refused_at + _REFUSED_FOR
        return None if asked_anew or over else self._refused

    def paused(self, ledger_now: float) -> str | None:
        """Return why what waits is not sent, in the provider's or the ledger's words."""
        if (refused := self.refuses(0.0, ledger_now)) is not None:
            return refused.message
        if self._failing_since is not None:
            return "The ledger fails; submits wait for it."
        return self.usage.paused_why if ledger_now < self.usage.paused_until else None
