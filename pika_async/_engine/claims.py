"""Tasks that callbacks name for attempts which know of none: believed once the provider confirms them.

A provider that echoes our token is asked for the attempt in its history. Beyond that a bare token binds only
what nothing else has answered, and yields to the POST's own answer (docs/pay-once.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from attrs import define

from pika_async._ledger.events import Evidence
from pika_async._ledger.records import FINAL, OPEN, Attempt, AttemptState, JobRecord, Received
from pika_async._transport import Sender, SendError
from pika_async.errors import LedgerError, PikaError
from pika_async.results import Snapshot, Task

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._engine.engine import Engine

log = logging.getLogger("pika_async")

_RETRY = 5.0
_LOOKS = 3
"""Looks that may miss a task before a callback about it is given up: a provider may push too early."""

_LOST = frozenset({AttemptState.AMBIGUOUS, AttemptState.UNRESOLVED})


@define(eq=False)
class Claim:
    """A callback's word that *task* is what became of *attempt*; the row may be missing in our ledger."""

    received: Received
    job_id: str
    attempt: Attempt | None
    task: Task
    looks: int = 0


class Claims:
    """Confirms claims, many in one look-up; *done* is told of each callback that needs no more."""

    def __init__(self, engine: Engine, transport: Sender, done: Callable[[Received], None]) -> None:
        self._engine = engine
        self._transport = transport
        self._done = done
        self._waiting: dict[str, dict[str, Claim]] = {}
        self._working: dict[str, asyncio.Task[None]] = {}
        self._bound: dict[str, str] = {}

    def __contains__(self, attempt_id: str) -> bool:
        return any(attempt_id in claims for claims in self._waiting.values())

    def add(self, account: Account, claim: Claim) -> None:
        """Have *claim* confirmed soon."""
        self._waiting.setdefault(account.key, {})[claim.received.attempt_id] = claim
        self._go_on(account)

    async def recheck(self) -> None:
        """Take over what became of attempts bound by a callback: another's own answer may name their task."""
        for attempt_id, job_id in tuple(self._bound.items()):
            flight = self._engine.flights.get(job_id)
            current = await self._engine.ledger.get(job_id)
            attempt = current.attempt(attempt_id) if current is not None else None
            if flight is not None and current is not None and current != flight.record:
                self._engine.update(flight, current)
                self._engine.follow(flight)
            if flight is None or attempt is None or attempt.bound_by != "callback" or attempt.state in FINAL:
                del self._bound[attempt_id]

    def stop(self) -> None:
        """Ask no more; what was claimed stays in the ledger."""
        for task in self._working.values():
            task.cancel()

    def _go_on(self, account: Account) -> None:
        if account.key not in self._working and not self._engine.closing:
            self._working[account.key] = self._engine.spawn(self._work(account))

    async def _work(self, account: Account) -> None:
        waiting = self._waiting[account.key]
        try:
            while waiting:
                # All callbacks of this moment are there before the first one is asked about.
                await asyncio.sleep(0)
                some = tuple(waiting.values())[: account.capabilities.poll_batch]
                if not await self._confirm(account, some):
                    break
        except LedgerError as error:
            log.warning("%s: callbacks wait for the ledger: %s", account.key, error)
        finally:
            del self._working[account.key]
        if waiting:
            clock = self._engine.clock
            clock.call_at(clock.now() + _RETRY, lambda: self._go_on(account))

    async def _confirm(self, account: Account, claims: Sequence[Claim]) -> bool:
        """Settle what can be settled of *claims*; False when the rest has to wait."""
        claims = await self._without_those_in_history(account, claims)
        if not claims:
            return True
        found = await self._look_up(account, [claim.task for claim in claims])
        if found is None:
            return False
        for claim in claims:
            snapshot = found.get(claim.task.id)
            if snapshot is None or snapshot.task.id != claim.task.id:
                claim.looks += 1
                if claim.looks >= _LOOKS:
                    log.warning(
                        "job %s: a callback names a task that the provider does not know", claim.job_id
                    )
                    self._settle(account, claim)
            else:
                await self._bind(account, claim, snapshot)
        return not any(claim.received.attempt_id in self._waiting[account.key] for claim in claims)

    async def _without_those_in_history(self, account: Account, claims: Sequence[Claim]) -> Sequence[Claim]:
        """Have the history searched for the attempts; give the claims that only callbacks tell of."""
        attempts = [claim.attempt for claim in claims if claim.attempt is not None]
        if attempts and remembers(account):
            await self._engine.sweeper.search_history(account, attempts)
        left = []
        for claim in claims:
            record = await self._engine.ledger.get(claim.job_id)
            attempt = record.attempt(claim.received.attempt_id) if record is not None else None
            if record is not None and (attempt is None or (attempt.task is None and attempt.state in _LOST)):
                left.append(claim)
                continue
            if attempt is not None and attempt.task is None:
                log.warning("job %s: a callback names a task of a %s attempt", claim.job_id, attempt.state)
            self._settle(account, claim)
        return left

    async def _look_up(self, account: Account, named: Iterable[Task]) -> dict[str, Snapshot] | None:
        tasks = tuple({task.id: task for task in named}.values())
        if not await account.poller.spend():
            return None
        provider = account.provider
        try:
            response = await self._transport.poll(account.guarded(provider.build_poll(tasks)))
            return dict(provider.read_poll(response, tasks))
        except (SendError, PikaError) as error:
            log.info("%s: callbacks cannot be confirmed yet: %s", account.key, error)
        except Exception:
            log.exception("%s: callbacks cannot be confirmed", account.key)
        return None

    async def _bind(self, account: Account, claim: Claim, snapshot: Snapshot) -> None:
        attempt_id = claim.received.attempt_id
        event = Evidence(attempt=attempt_id, snapshot=snapshot, source="callback", account=account.key)
        flight = self._engine.flights.get(claim.job_id)
        if flight is None:
            record = await self._engine.ledger.apply(claim.job_id, event, self._engine.clock.wall())
        else:
            await self._engine.apply(flight, event, keep=True)
            record = flight.record
        if names(record, attempt_id, snapshot.task):
            log.info("job %s: its task is known by a callback", claim.job_id)
            self._bound[attempt_id] = claim.job_id
            if flight is not None:
                self._engine.observe(flight, snapshot)
        else:
            log.warning("job %s: a callback names a task that belongs to another job", claim.job_id)
        self._settle(account, claim)

    def _settle(self, account: Account, claim: Claim) -> None:
        waiting = self._waiting[account.key]
        if waiting.get(claim.received.attempt_id) is claim:
            del waiting[claim.received.attempt_id]
        self._done(claim.received)


def names(record: JobRecord, attempt_id: str, task: Task) -> bool:
    """Return whether *record* holds *task* for the attempt."""
    attempt = record.attempt(attempt_id)
    return attempt is not None and attempt.task is not None and attempt.task.id == task.id


def remembers(account: Account) -> bool:
    """Return whether the provider's history can be searched for our tokens."""
    return "finds" in account.loaded.powers and account.capabilities.echoes_token


def may_be_claimed(account: Account, attempt: Attempt) -> bool:
    """Return whether a callback about an *attempt* without a task can be evidence of one (row 5)."""
    if attempt.state in _LOST:
        return True
    return attempt.state in {*OPEN, AttemptState.REFUSED} and remembers(account)
