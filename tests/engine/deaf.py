"""Two clients on one ledger, of which none hears what the other one did."""

from __future__ import annotations

from contextlib import asynccontextmanager

from pika_async.errors import LedgerError
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger
from tests.engine.scripted import Host, scene


class Deaf:
    """A way to a shared ledger without news; *down*, no job can be read, and *full*, none can be changed."""

    def __init__(self, store):
        self.store = store
        self.down = self.full = False

    def __getattr__(self, name):
        return getattr(self.store, name)

    async def news(self):
        return ()

    async def get(self, job_id):
        if self.down:
            raise LedgerError("The ledger does not answer.")
        return await self.store.get(job_id)

    async def apply(self, job_id, event):
        if self.full:
            raise LedgerError("The disk is full.")
        return await self.store.apply(job_id, event)


@asynccontextmanager
async def shared_by_two(*, shop_works=False, **settings):
    """Open a client that takes orders and need not send them, and one that works, on one ledger."""
    clock, store = FakeClock(), SharedLedger()
    together = {"clock": clock, "hosts": {"scripted": Host(clock)}, **settings}
    async with (
        scene(work=shop_works, ledger=Deaf(store), **together) as shop,
        scene(ledger=Deaf(store), **together) as worker,
    ):
        yield shop, worker


def hold_back(scene, until=1000.0):
    """Let *scene* send nothing before *until*: what it is asked for waits in its line."""
    scene.engine._lines["scripted:default"].opens_at = scene.clock.now() + until
