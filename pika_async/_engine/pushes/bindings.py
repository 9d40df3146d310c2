"""Callbacks for attempts without a task id. The task id in the callback is used only after a look-up confirms
it.

Where the provider echoes our token, only that echo binds. Elsewhere a bare token binds only what nothing else
has answered, and yields to the POST's own answer (docs/pay-once.md).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence

from attrs import define

from pika_async._engine.account import Account
from pika_async._engine.addresses import Addresses
from pika_async._engine.clock import Clock
from pika_async._engine.desk import Desk
from pika_async._ledger.events import Evidence
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, Received, Source
from pika_async._ledger.standing import FINAL, LOST, OPEN
from pika_async._sender import SendError
from pika_async.errors import LedgerError, PikaError
from pika_async.results import Pending, Snapshot, Task

log = logging.getLogger("pika_async")

_RETRY = 5.0
_LOOKS = 3
"""Looks that may miss a task before a callback about it is given up: a provider may push too early."""


@define(eq=False)
class Binding:
    """A callback says that *task* is what became of *attempt*; the row may be missing in our ledger."""

    received: Received
    job_id: str
    attempt: Attempt | None
    task: Task
    looks: int = 0


class Bindings:
    """Confirms bindings, many in one look-up; *done* is called for each callback that needs no more.

    *search* looks for attempts in the provider's history.
    """

    def __init__(
        self,
        desk: Desk,
        clock: Clock,
        addresses: Addresses,
        search: Callable[[Account, Sequence[Attempt]], Awaitable[None]],
        done: Callable[[Received], None],
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._addresses = addresses
        self._search = search
        self._done = done
        self._waiting: dict[str, dict[str, Binding]] = {}
        self._working: dict[str, asyncio.Task[None]] = {}
        self._bound: dict[str, str] = {}

    def __contains__(self, attempt_id: str) -> bool:
        return any(attempt_id in bindings for bindings in self._waiting.values())

    def add(self, account: Account, binding: Binding) -> None:
        """Have *binding* confirmed soon."""
        self._waiting.setdefault(account.key, {})[binding.received.attempt_id] = binding
        self._go_on(account)

    async def recheck(self) -> None:
        """Take over what became of attempts bound by a callback: another's own answer may name their task."""
        for attempt_id, job_id in tuple(self._bound.items()):
            flight = self._desk.flights.get(job_id)
            current = await self._desk.ledger.get(job_id)
            attempt = current.attempt(attempt_id) if current is not None else None
            if flight is not None and current is not None:
                self._desk.seen(flight, current)
            if flight is None or attempt is None or attempt.bound_by != "callback" or attempt.state in FINAL:
                del self._bound[attempt_id]

    def stop(self) -> None:
        """Ask no more; what was claimed stays in the ledger."""
        for task in self._working.values():
            task.cancel()

    def _go_on(self, account: Account) -> None:
        if account.key not in self._working and not self._desk.closing:
            self._working[account.key] = self._desk.spawn(self._work(account))

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
            self._clock.call_at(self._clock.now() + _RETRY, lambda: self._go_on(account))

    async def _confirm(self, account: Account, bindings: Sequence[Binding]) -> bool:
        """Settle what can be settled of *bindings*; False when the rest has to wait."""
        bindings = await self._without_those_in_history(account, bindings)
        if not bindings:
            return True
        found = await self._look_up(account, [binding.task for binding in bindings])
        if found is None:
            return False
        for binding in bindings:
            snapshot = found.get(binding.task.id)
            known = snapshot is not None and snapshot.task.id == binding.task.id
            source = self._source(binding, snapshot) if known and snapshot is not None else None
            if snapshot is not None and source is not None:
                await self._bind(account, binding, snapshot, source)
                continue
            binding.looks += 1
            if snapshot is not None and known:
                log.warning("job %s: a callback names a task that echoes another address", binding.job_id)
                self._settle(account, binding)
            elif binding.looks >= _LOOKS:
                log.warning("job %s: a callback names a task that the provider does not know", binding.job_id)
                self._settle(account, binding)
        return not any(binding.received.attempt_id in self._waiting[account.key] for binding in bindings)

    def _source(self, binding: Binding, snapshot: Snapshot) -> Source | None:
        """Return what proves that the task is the attempt's; None when nothing does.

        A task that echoes another address is a stranger's, whatever the callback says.
        """
        named = self._addresses.named(snapshot.callback_url)
        if named is None:
            return "callback"
        return "echo" if named == binding.received.attempt_id else None

    async def _without_those_in_history(
        self, account: Account, bindings: Sequence[Binding]
    ) -> Sequence[Binding]:
        """Have the history searched for the attempts; return the bindings that only callbacks tell of."""
        attempts = [binding.attempt for binding in bindings if binding.attempt is not None]
        if attempts and account.searches:
            await self._search(account, attempts)
        left = []
        for binding in bindings:
            record = await self._desk.ledger.get(binding.job_id)
            attempt = record.attempt(binding.received.attempt_id) if record is not None else None
            if record is not None and (attempt is None or (attempt.task is None and attempt.state in LOST)):
                left.append(binding)
                continue
            if attempt is not None and attempt.task is None:
                log.warning("job %s: a callback names a task of a %s attempt", binding.job_id, attempt.state)
            self._settle(account, binding)
        return left

    async def _look_up(self, account: Account, named: Iterable[Task]) -> dict[str, Snapshot] | None:
        tasks = tuple({task.id: task for task in named}.values())
        try:
            return dict(await account.look_up(tasks))
        except (SendError, PikaError) as error:
            log.info("%s: callbacks cannot be confirmed yet: %s", account.key, error)
        return None

    async def _bind(self, account: Account, binding: Binding, snapshot: Snapshot, source: Source) -> None:
        attempt_id = binding.received.attempt_id
        event = Evidence(attempt=attempt_id, snapshot=snapshot, source=source, account=account.key)
        record = await self._desk.tell_of(binding.job_id, event)
        if names(record, attempt_id, snapshot.task):
            log.info("job %s: its task is known by a callback", binding.job_id)
            self._bound[attempt_id] = binding.job_id
            flight = self._desk.flights.get(binding.job_id)
            if flight is not None and isinstance(snapshot, Pending):
                flight.progressed(snapshot)
        else:
            log.warning("job %s: a callback names a task that belongs to another job", binding.job_id)
        self._settle(account, binding)

    def _settle(self, account: Account, binding: Binding) -> None:
        waiting = self._waiting[account.key]
        if waiting.get(binding.received.attempt_id) is binding:
            del waiting[binding.received.attempt_id]
        self._done(binding.received)


def names(record: JobRecord, attempt_id: str, task: Task) -> bool:
    """Return whether *record* holds *task* for the attempt."""
    attempt = record.attempt(attempt_id)
    return attempt is not None and attempt.task is not None and attempt.task.id == task.id


def may_bind(account: Account, attempt: Attempt) -> bool:
    """Return whether a callback about an *attempt* without a task can be evidence of one."""
    if attempt.state in LOST:
        return True
    return attempt.state in {*OPEN, AttemptState.REFUSED} and account.searches
