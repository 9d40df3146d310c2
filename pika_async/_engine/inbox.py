"""What callbacks mean: a hint about a task, which one look-up confirms before anything ends.

Early, late, repeated and contradictory ones follow the table of docs/pay-once.md; no job depends on them.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from pika_async._engine.clock import Timer
from pika_async._ledger.events import Evidence
from pika_async._ledger.records import FINAL, Attempt, AttemptState, JobRecord, Received
from pika_async._transport import Sender
from pika_async.errors import LedgerError
from pika_async.provider import ReadsCallbacks, Signs
from pika_async.results import Pending, Snapshot

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._engine.engine import Engine
    from pika_async._engine.flight import Flight
    from pika_async.callbacks import CallbackEvent

log = logging.getLogger("pika_async")

_WATCH = 0.05
_KEYS_LIVE = 3600.0
_PAGE = 500


class EngineInbox:
    """Commits callbacks to the ledger, and works off those of the jobs that are in flight here."""

    def __init__(self, engine: Engine, transport: Sender) -> None:
        self._engine = engine
        self._transport = transport
        self._keys: dict[str, tuple[float, bytes]] = {}
        self._working: asyncio.Task[None] | None = None
        self._again = False
        self._timer: Timer | None = None
        self._version = -1

    async def receive(self, event: CallbackEvent) -> None:
        """Commit *event*; work goes on behind the provider's back. Raises `LedgerError`."""
        await self._engine.ledger.inbox_put(
            event.attempt_id, event.body, event.headers, self._engine.clock.wall()
        )
        self.wake()

    def wake(self) -> None:
        """Look into the inbox soon."""
        if self._engine.closing:
            return
        self._again = True
        if self._working is None or self._working.done():
            self._working = self._engine.spawn(self._work())

    def watch(self) -> None:
        """Notice what other processes commit to a shared ledger, within a tenth of a second."""
        if self._timer is None and not self._engine.closing and self._engine.ledger.durable:
            self._timer = self._engine.clock.call_at(self._engine.clock.now() + _WATCH, self._glance)

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()

    def _glance(self) -> None:
        self._timer = None
        if self._engine.flights and not self._engine.closing:
            self._engine.spawn(self._glance_at_ledger())

    async def _glance_at_ledger(self) -> None:
        try:
            version = await self._engine.ledger.version()
        except LedgerError as error:
            log.warning("the ledger cannot be watched: %s", error)
        else:
            if version != self._version:
                self._version = version
                self.wake()
        self.watch()

    async def _work(self) -> None:
        while self._again:
            self._again = False
            last = 0
            while page := await self._engine.ledger.inbox_pending(_PAGE, last):
                last = page[-1].id
                for received in page:
                    if await self._dealt_with(received):
                        await self._engine.ledger.inbox_done(received.id)

    async def _dealt_with(self, received: Received) -> bool:
        """Work off one callback; False leaves it for later, or for the process that has its job."""
        job_id = received.attempt_id.rsplit("-", 2)[0]
        flight = self._engine.flights.get(job_id)
        record = flight.record if flight is not None else await self._engine.ledger.get(job_id)
        if record is None:
            # Memory forgets what is settled, so a late callback is nothing there; a file forgets nothing.
            level = logging.WARNING if self._engine.ledger.durable else logging.DEBUG
            log.log(level, "a genuine callback names job %s, which this ledger does not know", job_id)
            return True
        attempt = record.attempt(received.attempt_id)
        if flight is None or attempt is None:
            return _nothing_to_learn(record, attempt)
        if attempt.state is AttemptState.SUBMITTING:
            return False
        account = self._engine.accounts[attempt.account]
        account.poller.called_back()
        if attempt.state in FINAL or "reads_callbacks" not in account.loaded.powers:
            return True
        snapshot = await self._read(account, received)
        if snapshot is not None:
            await self._learn(flight, account, attempt, snapshot)
        return True

    async def _read(self, account: Account, received: Received) -> Snapshot | None:
        reader = cast(ReadsCallbacks, account.provider)
        try:
            keys = await self._keys_of(account)
            return reader.read_callback(received.body, received.headers, received.received_at, keys)
        except Exception as error:  # noqa: BLE001 - a stranger's adapter reads what a stranger sends
            log.warning("%s: a callback is not understood: %r", account.key, error)
            return None

    async def _keys_of(self, account: Account) -> bytes | None:
        """Fetch the provider's public keys, once an hour."""
        if "signs" not in account.loaded.powers:
            return None
        now = self._engine.clock.now()
        fetched_at, keys = self._keys.get(account.key, (-_KEYS_LIVE, b""))
        if now - fetched_at >= _KEYS_LIVE:
            request = account.guarded(cast(Signs, account.provider).build_keys())
            keys = (await self._transport.poll(request)).body
            self._keys[account.key] = (now, keys)
        return keys

    async def _learn(
        self, flight: Flight, account: Account, attempt: Attempt, snapshot: Snapshot
    ) -> None:
        if attempt.task is None:
            await self._bind(flight, account, attempt, snapshot)
        elif attempt.task.id != snapshot.task.id:
            log.warning("job %s: a callback names another task; it is ignored", flight.id)
        elif isinstance(snapshot, Pending):
            self._engine.observe(flight, snapshot)
        else:
            account.poller.confirm(attempt.id)

    async def _bind(
        self, flight: Flight, account: Account, attempt: Attempt, snapshot: Snapshot
    ) -> None:
        """Bind a task to an attempt whose own answer was lost, after the provider has confirmed the task."""
        lost = attempt.state in {AttemptState.AMBIGUOUS, AttemptState.UNRESOLVED}
        if not lost and not account.capabilities.echoes_token:
            return
        confirmed = await account.poller.ask(snapshot.task)
        if confirmed is None:
            log.warning("job %s: a callback names a task that the provider does not know", flight.id)
            return
        await self._engine.apply(
            flight, Evidence(attempt=attempt.id, snapshot=confirmed, source="callback"), keep=True
        )
        self._engine.observe(flight, confirmed)


def _nothing_to_learn(record: JobRecord, attempt: Attempt | None) -> bool:
    return record.settled or attempt is None
