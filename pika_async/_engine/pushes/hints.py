"""What a callback means: a hint about a task, which one look-up confirms before anything ends.

Early, late, repeated and contradictory ones follow the table of docs/pay-once.md.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from attrs import evolve

from pika_async._engine.account import Account
from pika_async._engine.clock import Clock
from pika_async._engine.desk import Desk
from pika_async._engine.flight import Flight
from pika_async._engine.ids import job_of
from pika_async._engine.looks.looks import Looks
from pika_async._engine.pushes.bindings import Binding, Bindings, may_bind, names
from pika_async._engine.pushes.signing_keys import SigningKeys
from pika_async._ledger.records import Attempt, AttemptState, Received
from pika_async._ledger.standing import OVER, TOO_EARLY
from pika_async.callbacks.token import ACCOUNT
from pika_async.results import Pending, Snapshot, State, Task

log = logging.getLogger("pika_async")


class NotYet(Exception):
    """Something has to happen first; the callback stays in the inbox."""


class Hints:
    """Processes callbacks; *wake* is called when deferred callbacks may be retried."""

    def __init__(
        self,
        desk: Desk,
        looks: Mapping[str, Looks],
        clock: Clock,
        bindings: Bindings,
        wake: Callable[[], None],
    ) -> None:
        self._desk = desk
        self._looks = looks
        self._keys = SigningKeys(desk, clock, wake)
        self._bindings = bindings
        self._orphans_up_to = 0

    async def recheck(self) -> None:
        """Take over what became of attempts that a callback alone has bound."""
        await self._bindings.recheck()

    def stop(self) -> None:
        """Ask nobody any more."""
        self._bindings.stop()
        self._keys.stop()

    def may_go_on(self, attempt_id: str) -> bool:
        """Return whether a callback that was left can be worked off now."""
        if attempt_id.startswith(ACCOUNT):
            return True
        flight = self._desk.flights.get(job_of(attempt_id))
        attempt = flight.record.attempt(attempt_id) if flight is not None else None
        return attempt is not None and attempt.state not in TOO_EARLY and attempt_id not in self._bindings

    async def dealt_with(self, received: Received) -> bool:
        """Work off one callback; False leaves it for later, or for the process that has its job."""
        try:
            return await self._understood(received)
        except NotYet:
            return False

    def _of_account(self, received: Received) -> bool:
        """Deal with a callback to an account's own address: its task tells which attempt it is about."""
        key = received.attempt_id.removeprefix(ACCOUNT).rpartition(":")[0]
        if (account := self._desk.accounts.get(key)) is None:
            return True
        snapshot = self._read(account, received)
        if snapshot is not None and (found := self._looks[key].of_task(snapshot.task.id)) is not None:
            flight, attempt = found
            self._learn(flight, account, attempt, snapshot)
        return True

    async def _understood(self, received: Received) -> bool:
        if received.attempt_id.startswith(ACCOUNT):
            return self._of_account(received)
        if received.attempt_id in self._bindings:
            return False
        flight = self._desk.flights.get(job_of(received.attempt_id))
        if flight is None or flight.record.attempt(received.attempt_id) is None:
            return await self._of_no_flight(received)
        await self._catch_up(flight)
        attempt = flight.record.attempt(received.attempt_id)
        if attempt is None or attempt.state in OVER:
            return attempt is not None
        if (account := self._desk.accounts.get(attempt.account)) is None:
            return False
        # Nothing calls back for what was not sent, unless the ledger is older than what it tells of.
        restored = attempt.state is AttemptState.QUEUED and account.searches
        if attempt.state in TOO_EARLY and not restored:
            return False
        if attempt.task is not None and account.reader is None:
            self._looks[account.key].confirm(attempt.id)
            return True
        snapshot = self._read(account, received)
        if snapshot is None:
            return True
        if attempt.task is None:
            return self._bind(account, received, attempt, snapshot)
        self._learn(flight, account, attempt, snapshot)
        return True

    async def _catch_up(self, flight: Flight) -> None:
        """Take over what another process has made of this very callback."""
        if self._desk.ledger.shared and (current := await self._desk.ledger.get(flight.id)) is not None:
            self._desk.seen(flight, current)

    async def _of_no_flight(self, received: Received) -> bool:
        """Deal with a callback about a job that is not in flight here, or that lacks the attempt."""
        job_id = job_of(received.attempt_id)
        record = await self._desk.ledger.get(job_id)
        if record is None:
            return self._orphaned(received, job_id)
        attempt = record.attempt(received.attempt_id)
        if attempt is not None and attempt.state is not AttemptState.REFUSED:
            return attempt.state in OVER
        account = self._desk.accounts.get((attempt or record.newest).account)
        if account is None:
            return False
        snapshot = self._read(account, received)
        if snapshot is None:
            return True
        known = next((a for a in record.attempts if names(record, a.id, snapshot.task)), None)
        if known is not None:
            # The token that adopted the job names no attempt, so its row here has an id of its own.
            self._looks[account.key].confirm(known.id)
            return True
        return self._bind(account, received, attempt, snapshot)

    def _orphaned(self, received: Received, job_id: str) -> bool:
        # Memory forgets what is settled, so a late callback is nothing there; a file forgets nothing.
        if not self._desk.ledger.remembers:
            return True
        if received.id > self._orphans_up_to:
            self._orphans_up_to = received.id
            log.warning("a genuine callback names job %s, which this ledger does not know", job_id)
        return False

    def _read(self, account: Account, received: Received) -> Snapshot | None:
        """Have the adapter read a callback; raises `NotYet` until there are keys to verify it with."""
        reader = account.reader
        if reader is None:
            return None
        signs = account.signer is not None
        keys = self._keys.of(account) if signs else account.loaded.shared_secret
        if signs and keys is None:
            raise NotYet
        try:
            snapshot = reader.read_callback(received.body, received.headers, received.received_at, keys)
        except Exception as error:  # noqa: BLE001 - a stranger's adapter reads what a stranger sends
            log.warning("%s: a callback is not understood (%s)", account.key, type(error).__name__)
            snapshot = None
        if snapshot is None and signs and self._keys.doubt(account):
            raise NotYet
        return snapshot

    def _bind(
        self, account: Account, received: Received, attempt: Attempt | None, snapshot: Snapshot
    ) -> bool:
        """Have a task confirmed for an attempt that knows of none; tells whether that cannot be."""
        job_id = job_of(received.attempt_id)
        if attempt is not None and not may_bind(account, attempt):
            log.warning("job %s: a callback tells of a %s attempt; it is ignored", job_id, attempt.state)
            return True
        binding = Binding(received=received, job_id=job_id, attempt=attempt, task=snapshot.task)
        self._bindings.add(account, binding)
        return False

    def _learn(self, flight: Flight, account: Account, attempt: Attempt, snapshot: Snapshot) -> None:
        if attempt.task is None or attempt.task.id != snapshot.task.id:
            log.warning("job %s: a callback names another task; it is ignored", flight.id)
        elif not isinstance(snapshot, Pending):
            self._looks[account.key].confirm(attempt.id)
        else:
            self._looks[account.key].called_back()
            if (news := _progress(flight.snapshot, attempt.task, snapshot)) is not None:
                flight.progressed(news)


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
