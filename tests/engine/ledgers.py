"""Ledgers for tests of the engine: watched, failing, outliving the process, or shared by several clients."""

from __future__ import annotations

from pika_async._ledger.events import Claim
from pika_async._ledger.memory import MemoryLedger
from pika_async.errors import LedgerError


class WatchedLedger(MemoryLedger):
    """Notes what is committed, in its order, and keeps every job to look at afterwards."""

    def __init__(self):
        super().__init__()
        self.order = []
        self.last = {}

    def _decided(self, before, event):
        change = super()._decided(before, event)
        self.order.append(type(event).__name__)
        self.last[before.id] = change.after
        return change

    async def create(self, job, first=None):
        change = await super().create(job, first)
        self.last[change.after.id] = change.after
        return change

    @property
    def job(self):
        """Return the only job there was."""
        (job,) = self.last.values()
        return job


class FailingLedger(WatchedLedger):
    """Fails on one kind of event: before it is committed, or after, when only the word of it is lost."""

    def __init__(self, kind, *, committed):
        super().__init__()
        self.kind, self.committed = kind, committed

    async def create(self, job, first=None):
        if not isinstance(first, self.kind):
            return await super().create(job, first)
        self.kind = ()
        if self.committed:
            await super().create(job, first)
        raise LedgerError("The disk is full.")

    async def apply(self, job_id, event):
        if not isinstance(event, self.kind):
            return await super().apply(job_id, event)
        self.kind = ()
        if self.committed:
            await super().apply(job_id, event)
        raise LedgerError("The disk is full.")


class SharedLedger(WatchedLedger):
    """Serves several clients as a file does that processes share; there is always news."""

    shared = True
    remembers = True

    async def news(self):
        return None


class KeptLedger(WatchedLedger):
    """Outlives the process, so that an order does as well; `claims` may fail, or wait for `gate`."""

    remembers = True

    def __init__(self):
        super().__init__()
        self.failing, self.gate = False, None

    async def create(self, job, first=None):
        await self._maybe(first)
        return await super().create(job, first)

    async def apply(self, job_id, event):
        await self._maybe(event)
        return await super().apply(job_id, event)

    async def _maybe(self, event):
        if isinstance(event, Claim):
            if self.failing:
                raise LedgerError("The disk is full.")
            if self.gate is not None:
                await self.gate.wait()
