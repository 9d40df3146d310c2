"""The ledgers of simulated processes: time passes at every call, and a commit may be lost or unheard."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from inspect import iscoroutinefunction
from typing import Any, Literal, Protocol, TypeAlias, TypeVar

from pika_async._ledger.change import Change
from pika_async._ledger.events import Event
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import JobRecord, Received
from pika_async._ledger.standing import OPEN
from pika_async.errors import LedgerError

T = TypeVar("T")
Fate: TypeAlias = Literal["kept", "lost", "unheard"]
"""What becomes of a commit: it is made and heard of, it never happens, or nobody hears that it did."""


class Disk(Protocol):
    """What a ledger meets: *pause* is the time of one call, *fate* what becomes of a commit.

    `passed` is told of each moment in which a process may die, `changed` of every change that was made.
    """

    def pause(self) -> float: ...
    def fate(self) -> Fate: ...
    def passed(self, what: str) -> None: ...
    def changed(self, change: Change) -> None: ...


class Turns:
    """Lets calls take effect, and be answered, in the order in which they are made."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self._free_at = 0.0

    def take(self) -> asyncio.Future[None]:
        """Return what ends when it is this call's turn."""
        loop = asyncio.get_running_loop()
        # Timers of one moment keep no order.
        self._free_at = max(self._free_at + 1e-7, loop.time() + self._disk.pause())
        turn = loop.create_future()
        loop.call_at(self._free_at, lambda: None if turn.done() else turn.set_result(None))
        return turn


class Store(MemoryLedger):
    """What the processes of a world share, as they would share a file: it outlives all of them."""

    def __init__(self) -> None:
        super().__init__()
        self.readers: list[Port] = []
        self.writer: Port | None = None

    def _decided(self, before: JobRecord, event: Event) -> Change:
        change = super()._decided(before, event)
        if change.moved:
            self.told(before.id)
        return change

    async def create(self, job: JobRecord, first: Event | None = None) -> Change:
        change = await super().create(job, first)
        if change.moved:
            self.told(job.id)
        return change

    def told(self, job_id: str) -> None:
        for reader in self.readers:
            if reader is not self.writer:
                reader.unread[job_id] = None

    @property
    def records(self) -> list[JobRecord]:
        """Return all jobs."""
        return [*self._jobs.values(), *self._ended.values()]

    @property
    def slots(self) -> dict[str, int]:
        """Return the slots that are counted, by account."""
        return {key: usage.slots for key, usage in self._accounts.figures.items()}

    def remove(self) -> None:
        """Do nothing: it is memory."""


class Port:
    """One process's way to a store. *shared* says whether other processes have one, or may have one later."""

    def __init__(self, store: Store, disk: Disk, *, shared: bool) -> None:
        self.store = store
        self.shared = self.remembers = shared
        self.unread: dict[str, None] = {}
        self._disk = disk
        self._turns = Turns(disk)
        self._began = False
        store.readers.append(self)

    @property
    def id(self) -> str:
        return self.store.id

    async def open(self, wall: Callable[[], float]) -> None:
        self.now = wall

    def die(self) -> None:
        """Be read no more."""
        if self in self.store.readers:
            self.store.readers.remove(self)

    async def aclose(self) -> None:
        await self._turns.take()
        self.die()

    def __getattr__(self, name: str) -> Any:
        """Take whatever else a ledger can do for a change of it."""
        known = getattr(self.store, name)
        if not iscoroutinefunction(known):
            return known
        return lambda *arguments, **options: self._write(lambda: known(*arguments, **options))

    async def _read(self, call: Callable[[], Awaitable[T]]) -> T:
        await self._turns.take()
        self.store.now = self.now
        return await call()

    async def _write(self, call: Callable[[], Awaitable[T]]) -> T:
        begun, answered = self._turns.take(), self._turns.take()
        await begun
        self._disk.passed("before a commit")
        if (fate := self._disk.fate()) == "lost":
            raise LedgerError("The disk is full.")
        self.store.now, self.store.writer = self.now, self
        result = await call()
        if isinstance(result, Change):
            self._disk.changed(result)
        self._disk.passed("after a commit")
        await answered
        if fate == "unheard":
            raise LedgerError("The line to the ledger is gone.")
        return result

    async def create(self, job: JobRecord, first: Event | None = None) -> Change:
        return await self._write(lambda: self.store.create(job, first))

    async def apply(self, job_id: str, event: Event) -> Change:
        return await self._write(lambda: self.store.apply(job_id, event))

    async def get(self, job_id: str) -> JobRecord | None:
        return await self._read(lambda: self.store.get(job_id))

    def known(self, job_id: str) -> JobRecord | None:
        return self.store.known(job_id)

    async def open_jobs(self, states: Any = OPEN, **options: Any) -> Sequence[JobRecord]:
        return await self._read(lambda: self.store.open_jobs(states, **options))

    async def usage(self, account: str) -> Any:
        return await self._read(lambda: self.store.usage(account))

    async def lease(self, name: str, owner: str, seconds: float) -> bool:
        return await self._write(lambda: self.store.lease(name, owner, seconds))

    async def learned(self, account: str, state: str | None = None) -> str | None:
        return await self._write(lambda: self.store.learned(account, state))

    async def news(self) -> Collection[str] | None:
        # Nothing to wait for where nothing is new: it is asked four times a second.
        if self._began and not self.unread:
            return ()
        await self._turns.take()
        told, self.unread = tuple(self.unread), {}
        began, self._began = self._began, True
        return told if began else ()

    def tells(self, call: Callable[[], None]) -> None:
        pass

    async def find(self, text: str) -> JobRecord | None:
        return await self._read(lambda: self.store.find(text))

    async def jobs(self, *arguments: Any) -> Sequence[JobRecord]:
        return await self._read(lambda: self.store.jobs(*arguments))

    async def history(self, job_id: str) -> Any:
        return await self._read(lambda: self.store.history(job_id))

    async def forget(self, job_id: str, *, media_only: bool = False) -> bool:
        return await self._write(lambda: self.store.forget(job_id, media_only=media_only))

    async def prune(self, older_than: float) -> int:
        return await self._write(lambda: self.store.prune(older_than))

    async def secret(self) -> bytes:
        return await self._read(self.store.secret)

    async def inbox_put(self, attempt_id: str, body: bytes, headers: Mapping[str, str]) -> bool:
        return await self._write(lambda: self.store.inbox_put(attempt_id, body, headers))

    async def inbox_pending(self, limit: int = 100, after: int = 0) -> Sequence[Received]:
        if not self.store._inbox.waiting:
            return ()  # it is asked ten times a second
        return await self._read(lambda: self.store.inbox_pending(limit, after))

    async def inbox_done(self, received_id: int) -> None:
        await self._write(lambda: self.store.inbox_done(received_id))
