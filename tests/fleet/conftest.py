"""Workers inside the test, on a real Postgres, in front of the sandbox."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from pika_async import Pika
from pika_async.fleet import Work, work
from pika_async.sandbox import Sandbox

KEY = "sandbox-key"


async def until(seen, patience=20.0):
    """Wait until *seen* returns something, and return that."""
    async with asyncio.timeout(patience):
        while True:
            answer = seen()
            if answer := await answer if asyncio.iscoroutine(answer) else answer:
                return answer
            await asyncio.sleep(0.05)


class Workplace:
    """A database, a provider, and workers that begin and end within the test."""

    def __init__(self, cluster, dsn, provider, monkeypatch):
        self.cluster, self.dsn, self.provider = cluster, dsn, provider
        monkeypatch.setenv("ACEDATA_BASE_URL", provider.url)
        monkeypatch.setenv("DUOMI_BASE_URL", provider.url)
        monkeypatch.setenv("PIKA_ASYNC_MEDIA_HOST", provider.media_host)

    def client(self, *providers, **options):
        """Return a client that records and waits, without a key."""
        return Pika(*(providers or ("acedata",)), ledger=self.dsn, work=False, **options)

    @asynccontextmanager
    async def working(self, *providers, key=KEY, **options):
        """Run a worker; yields what it told."""
        stop, told = asyncio.Event(), []
        ready = asyncio.Event()

        def tell(line):
            told.append(line)
            ready.set()

        polls = {"poll_rate": None, "poll_interval": 0.05, "api_key": key, **options.pop("options", {})}
        task = Work(providers=providers or ("acedata",), ledger=self.dsn, options=polls, **options)
        running = asyncio.create_task(work(task, stop, told=tell))
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if running.done():
            running.result()
        try:
            yield told
        finally:
            stop.set()
            await running

    def tasks(self, name="pika.process"):
        """Return how many tasks called *name* are in each state."""
        return dict(
            self.cluster.sql(
                f"SELECT status::text, count(*) FROM procrastinate_jobs WHERE task_name = '{name}' GROUP BY 1"
            )
        )


@pytest.fixture
async def place(postgres_cluster, dsn, monkeypatch):
    """Return a workplace in a database without anything."""
    made = "procrastinate_jobs, procrastinate_workers, procrastinate_periodic_defers, procrastinate_events"
    if postgres_cluster.sql("SELECT to_regclass('procrastinate_jobs') IS NOT NULL")[0][0]:
        postgres_cluster.sql(f"TRUNCATE {made} CASCADE")
    async with Sandbox(render_time=0.2) as provider:
        yield Workplace(postgres_cluster, dsn, provider, monkeypatch)
