"""What a callback means: a hint about a task, which one look-up confirms before anything ends.

Early, late, repeated and contradictory ones follow the table of docs/pay-once.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from attrs import evolve

from pika_async._engine.claims import Claim, Claims, may_be_claimed, names, remembers
from pika_async._engine.signing_keys import SigningKeys
from pika_async._ledger.records import FINAL, Attempt, AttemptState, Received
from pika_async._transport import Sender
from pika_async.results import Pending, Snapshot, State, Task

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._engine.engine import Engine
    from pika_async._engine.flight import Flight
    from pika_async.provider import ReadsCallbacks

log = logging.getLogger("pika_async")

_TOO_EARLY = frozenset({AttemptState.QUEUED, AttemptState.SUBMITTING})
_OVER = FINAL | {AttemptState.CANCELLED}


class NotYet(Exception):
    """Something has to happen first; the callback stays in the inbox."""


class Hints:
    """Takes callbacks for what they are worth.

    *done* is told of each that was left and needs no more, *wake* when it is worth going on with others.
    """

    def __init__(
        self, engine: Engine, transport: Sender, done: Callable[[Received], None], wake: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._keys = SigningKeys(engine, transport, wake)
        self._claims = Claims(engine, transport, done)
        self._orphans_up_to = 0

    async def recheck(self) -> None:
        """Take over what became of attempts that a callback alone has bound."""
        await self._claims.recheck()

    def stop(self) -> None:
        """Ask nobody any more."""
        self._claims.stop()
        self._keys.stop()

    def may_go_on(self, attempt_id: str) -> bool:
        """Return whether a callback that was left can be worked off now."""
        flight = self._engine.flights.get(_job_of(attempt_id))
        attempt = flight.record.attempt(attempt_id) if flight is not None else None
        return attempt is not None and attempt.state not in _TOO_EARLY and attempt_id not in self._claims

    async def dealt_with(self, received: Received) -> bool:
        """Work off one callback; False leaves it for later, or for the process that has its job."""
        try:
            return await self._understood(received)
        except NotYet:
            return False

    async def _understood(self, received: Received) -> bool:
        if received.attempt_id in self._claims:
            return False
        flight = self._engine.flights.get(_job_of(received.attempt_id))
        if flight is None or flight.record.attempt(received.attempt_id) is None:
            return await self._of_no_flight(received)
        await self._catch_up(flight)
        attempt = flight.record.attempt(received.attempt_id)
        if attempt is None or attempt.state in _OVER:
            return attempt is not None
        account = self._engine.accounts[attempt.account]
        # Nothing calls back for what was not sent, unless the ledger is older than what it tells of.
        restored = attempt.state is AttemptState.QUEUED and remembers(account)
        if attempt.state in _TOO_EARLY and not restored:
            return False
        if attempt.task is not None and "reads_callbacks" not in account.loaded.powers:
            account.poller.confirm(attempt.id)
            return True
        snapshot = self._read(account, received)
        if snapshot is None:
            return True
        if attempt.task is None:
            return self._claim(account, received, attempt, snapshot)
        self._learn(flight, account, attempt, snapshot)
        return True

    async def _catch_up(self, flight: Flight) -> None:
        """Take over what another process has made of this very callback."""
        if not self._engine.ledger.durable:
            return
        current = await self._engine.ledger.get(flight.id)
        if current is not None and current is not flight.record and current != flight.record:
            self._engine.update(flight, current)
            self._engine.follow(flight)

    async def _of_no_flight(self, received: Received) -> bool:
        """Deal with a callback about a job that is not in flight here, or that lacks the attempt."""
        job_id = _job_of(received.attempt_id)
        record = await self._engine.ledger.get(job_id)
        if record is None:
            return self._orphaned(received, job_id)
        attempt = record.attempt(received.attempt_id)
        if attempt is not None and attempt.state is not AttemptState.REFUSED:
            return attempt.state in _OVER
        account = self._engine.accounts.get((attempt or record.newest).account)
        if account is None:
            return False
        snapshot = self._read(account, received)
        if snapshot is None:
            return True
        known = next((a for a in record.attempts if names(record, a.id, snapshot.task)), None)
        if known is not None:
            # The token that adopted the job names no attempt, so its row here has an id of its own.
            account.poller.confirm(known.id)
            return True
        return self._claim(account, received, attempt, snapshot)

    def _orphaned(self, received: Received, job_id: str) -> bool:
        # Memory forgets what is settled, so a late callback is nothing there; a file forgets nothing.
        if not self._engine.ledger.durable:
            return True
        if received.id > self._orphans_up_to:
            self._orphans_up_to = received.id
            log.warning("a genuine callback names job %s, which this ledger does not know", job_id)
        return False

    def _read(self, account: Account, received: Received) -> Snapshot | None:
        """Have the adapter read a callback; raises `NotYet` until there are keys to verify it with."""
        if "reads_callbacks" not in account.loaded.powers:
            return None
        signs = "signs" in account.loaded.powers
        keys = self._keys.of(account) if signs else None
        if signs and keys is None:
            raise NotYet
        reader = cast("ReadsCallbacks", account.provider)
        try:
            snapshot = reader.read_callback(received.body, received.headers, received.received_at, keys)
        except Exception as error:  # noqa: BLE001 - a stranger's adapter reads what a stranger sends
            log.warning("%s: a callback is not understood (%s)", account.key, type(error).__name__)
            snapshot = None
        if snapshot is None and signs and self._keys.doubt(account):
            raise NotYet
        return snapshot

    def _claim(
        self, account: Account, received: Received, attempt: Attempt | None, snapshot: Snapshot
    ) -> bool:
        """Have a task confirmed for an attempt that knows of none; tells whether that cannot be."""
        job_id = _job_of(received.attempt_id)
        if attempt is not None and not may_be_claimed(account, attempt):
            log.warning("job %s: a callback tells of a %s attempt; it is ignored", job_id, attempt.state)
            return True
        claim = Claim(received=received, job_id=job_id, attempt=attempt, task=snapshot.task)
        self._claims.add(account, claim)
        return False

    def _learn(self, flight: Flight, account: Account, attempt: Attempt, snapshot: Snapshot) -> None:
        if attempt.task is None or attempt.task.id != snapshot.task.id:
            log.warning("job %s: a callback names another task; it is ignored", flight.id)
        elif not isinstance(snapshot, Pending):
            account.poller.confirm(attempt.id)
        else:
            account.poller.called_back()
            if (news := _progress(flight.snapshot, attempt.task, snapshot)) is not None:
                self._engine.observe(flight, news)


def _job_of(attempt_id: str) -> str:
    return attempt_id.rsplit("-", 2)[0]


def _progress(known: Snapshot | None, task: Task, told: Pending) -> Pending | None:
    """Return what an unconfirmed callback adds to what is known: a sign of life, nothing that goes back."""
    if known is not None and not isinstance(known, Pending):
        return None
    base = known or Pending(task=task, state=State.QUEUED)
    backwards = base.state is State.RUNNING and told.state is State.QUEUED
    slower = told.progress is not None and base.progress is not None and told.progress < base.progress
    if known is not None and (backwards or slower):
        return None
    progress = base.progress if told.progress is None else told.progress
    return evolve(base, state=told.state, progress=progress, queue_position=told.queue_position)
