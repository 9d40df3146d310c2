"""A fleet of real workers: look-ups of several, a 429 and a wrong key told to one, a pool in front."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import asynccontextmanager
from typing import Any

from benchmarks._report import Cell, Figure, Report
from benchmarks.fleet import succeeded
from pika_async._ledger.events import Claim, Evidence, Sending
from pika_async._ledger.postgres import PostgresLedger
from pika_async._ledger.records import Attempt, JobRecord
from pika_async.results import Pending, Task
from tests import postgres
from tests.fleet_story import Fleet, Tally, counted, enqueued, fleet

CLAIM = "look-ups of several workers over one's, submits within a Retry-After, orders failed by a wrong key"
_ACCOUNT = "acedata:default"
_PACE = 0.4
_PATIENCE = 600.0
"""Longer than a killed worker's claim and the search for its answer."""


async def bought(made: Fleet, count: int, pace: float = 0.0) -> Tally:
    """Enqueue *count* orders, one each *pace* seconds, and wait until all have ended."""
    prompts = [f"cat {number}" for number in range(count)]
    began = time.monotonic()
    async with made.client() as shop:
        jobs = []
        for number, prompt in enumerate(prompts):
            await asyncio.sleep(began + number * pace - time.monotonic())
            jobs.append(await enqueued(shop, prompt))
        return await counted(made, prompts, jobs, began, _PATIENCE)


@asynccontextmanager
async def working(workers: int, render_time: float, *options: str) -> Any:
    """Start a database, a provider and *workers*."""
    with postgres.running(max_connections=150) as cluster:
        async with fleet(cluster, render_time, *options) as made:
            await made.start(workers)
            yield made


async def looks(workers: int, jobs: int) -> int:
    """Return how many requests *workers* made beside the POSTs that bought *jobs* videos.

    Orders come at a pace that many processes on two cores can follow: looks are made once a second for as
    long as something renders, so a fleet that takes longer to send would make more of them.
    """
    async with working(workers, 8.0, "--max-concurrency", "200") as made:
        tally = await bought(made, jobs, _PACE)
        assert tally.well, tally
        return made.provider.requests.total() - made.provider.billed.total()


async def submits_after_429() -> int:
    """Return how many POSTs three workers made within the two seconds that a 429 to one of them asked for."""
    async with working(3, 1.0) as made, made.client() as shop:
        provider = made.provider
        await shop.enqueue("sandbox-retry-after", idempotency_key="refused")
        while not provider.requests:  # noqa: ASYNC110 - the provider tells nobody
            await asyncio.sleep(0.01)
        told = time.monotonic()
        before = provider.requests.total()
        await asyncio.sleep(0.1)  # until the answer is in the ledger
        for number in range(12):
            await enqueued(shop, f"cat {number}")
        await asyncio.sleep(max(0.0, told + 1.9 - time.monotonic()))
        return provider.requests.total() - before


async def failed_by_a_wrong_key(jobs: int) -> int:
    """Return how many orders did not end with a video, with one of three workers' keys wrong."""
    async with working(2, 1.0) as made:
        made.environment["ACEDATA_API_KEY"] = "wrong"
        await made.start()
        tally = await bought(made, jobs)
        return jobs - tally.states["succeeded"] + tally.double


async def unwell_behind_a_pool(jobs: int) -> int:
    """Return how many orders were lost, doubled or not done behind pgbouncer, with a worker killed."""
    from random import Random

    with (
        postgres.running(max_connections=150) as cluster,
        postgres.pooled(cluster, default_pool_size=40) as pool,
    ):
        async with fleet(cluster, 1.0, pool=pool) as made:
            await made.start(3)
            buying = asyncio.create_task(bought(made, jobs))
            await asyncio.sleep(2.0)
            await made.kill(Random(1))
            tally = await buying
            return tally.double + tally.lost + jobs - tally.states["succeeded"]


async def many(dsn: str, queued: int, in_flight: int) -> None:
    """Queue so many orders, then bring all to their end with so many under way at a time."""
    ledger = PostgresLedger(dsn)
    await ledger.open()
    names = [f"m{number:06}" for number in range(queued)]

    async def create(name: str) -> None:
        attempt = Attempt(id=f"{name}-1", job_id=name, number=1, account=_ACCOUNT)
        await ledger.create(JobRecord(id=name, request=None, created_at=time.time(), attempts=(attempt,)))

    async def submit(name: str) -> None:
        attempt = f"{name}-1"
        for event in (
            Claim(attempt=attempt, owner="bench", max_slots=in_flight),
            Sending(attempt=attempt, owner="bench"),
            Evidence(attempt=attempt, snapshot=Pending(task=Task(name)), source="answer"),
        ):
            assert (await ledger.apply(name, event)).moved

    async def end(name: str) -> None:
        event = Evidence(attempt=f"{name}-1", snapshot=succeeded(Task(name)), source="echo")
        assert (await ledger.apply(name, event)).moved

    for start in range(0, queued, in_flight):
        await asyncio.gather(*map(create, names[start : start + in_flight]))
    for start in range(0, queued, in_flight):
        for act in (submit, end):
            await asyncio.gather(*map(act, names[start : start + in_flight]))
    await ledger.aclose()


def accounts_after(queued: int, in_flight: int) -> tuple[float, float]:
    """Return the megabytes of the accounts' table after `many`, and how many seconds that took."""
    with postgres.running() as cluster:
        began = time.monotonic()
        asyncio.run(many(cluster.dsn(), queued, in_flight))
        seconds = time.monotonic() - began
        ((size,),) = cluster.sql("SELECT pg_total_relation_size('pika.accounts')")
        ((done,),) = cluster.sql("SELECT count(*) FROM pika.jobs WHERE state = 'succeeded'")
        assert done == queued
        return size / 1e6, seconds


def measure(*, full: bool) -> Report:
    """60 orders each and 100,000 queued; in quick form 20 and 2,000."""
    jobs = 60 if full else 20
    queued, in_flight = (100_000, 10_000) if full else (2_000, 200)
    one = asyncio.run(looks(1, jobs))
    several = {count: asyncio.run(looks(count, jobs)) for count in ((3, 10) if full else (3,))}
    further = asyncio.run(submits_after_429())
    failed = asyncio.run(failed_by_a_wrong_key(jobs))
    unwell = asyncio.run(unwell_behind_a_pool(jobs)) if postgres.POOLER else None
    size, seconds = accounts_after(queued, in_flight)
    rows: Sequence[dict[str, Cell]] = [
        {"case": "look-ups of one worker", "count": one},
        *({"case": f"look-ups of {count} workers", "count": found} for count, found in several.items()),
        {"case": f"{queued} queued, {in_flight} in flight: seconds", "count": round(seconds)},
    ]
    figures = [
        *(
            Figure(name=f"look-ups of {count} over one's", value=found / one, goal=1.1)
            for count, found in several.items()
        ),
        Figure(name="submits within a Retry-After", value=further, goal=0),
        Figure(name="orders failed by a wrong key", value=failed, goal=0),
        Figure(name="accounts' table", value=size, goal=1, unit="MB"),
    ]
    if unwell is not None:
        figures.append(Figure(name="orders lost, doubled or not done behind a pool", value=unwell, goal=0))
    return Report(name="workers", claim=CLAIM, quick=not full, rows=rows, figures=figures)
