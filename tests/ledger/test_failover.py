"""A standby that lags is promoted, and a pool stands before the database: nothing is bought twice."""

from __future__ import annotations

import asyncio
import logging
import time
from contextlib import asynccontextmanager

import pytest

from pika_async._ledger.records import AttemptState
from tests import postgres
from tests.ledger.records import ACCOUNT, claim, job, names, pending, states, told

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(postgres.MISSING is not None, reason=str(postgres.MISSING)),
]


def made(dsn: str, **options):
    """Return a ledger that is not open yet."""
    from pika_async._ledger.postgres import PostgresLedger

    return PostgresLedger(dsn, **options)


@asynccontextmanager
async def failed_over(lossless=0, **options):
    """Two ledgers; the first one's claim of `sent` is acknowledged, and lost with the primary."""
    with postgres.running() as primary:
        second = postgres.free_port()
        ways = f"127.0.0.1:{primary.port},127.0.0.1:{second}"
        dsn = f"postgresql://pika@{ways}/postgres?pika_lossless={lossless}"
        one, two = made(dsn, **options), made(dsn, **options)
        await one.open()
        await two.open()
        await one.create(job(name="sent"))
        await one.create(job(name="queued"))
        standby = primary.copied(second)
        assert (await one.apply("sent", claim(1, "sent"))).moved, "acknowledged, so it is sent"
        assert (await one.create(job(name="lost"), claim(1, "lost"))).moved
        primary.kill()
        standby.start(port=second)
        standby.control("promote")
        try:
            yield one, two
        finally:
            await one.aclose()
            await two.aclose()
            standby.control("-m", "immediate", "stop")


async def claimed(ledger, name, patience=20.0):
    """Claim until the ledger is held no more, and return what became of that."""
    async with asyncio.timeout(patience):
        while True:
            change = await ledger.apply(name, claim(1, name))
            if change.obstacle is None or change.obstacle.reason != "pace":
                return change
            await asyncio.sleep(0.05)


async def test_nothing_is_in_doubt_when_every_process_says_what_it_sent():
    """What the standby lost is put back, and what nobody sent is sent."""
    async with failed_over() as (one, two):
        one._link._ready = None  # otherwise it may answer before it is asked
        held = await two.apply("queued", claim(1, "queued"))
        assert (held.moved, held.obstacle.reason) == (False, "pace")
        assert states(held.after) == "queued"
        assert (await claimed(one, "queued")).moved
        assert states(await two.get("sent")) == states(await two.get("lost")) == "submitting"
        assert not (await two.apply("sent", claim(1, "sent"))).moved
        assert (await two.usage(ACCOUNT)).slots == 3


async def test_who_does_not_come_back_leaves_doubt(caplog):
    """A person decides on what was queued then; what is ordered afterwards is sent."""
    async with failed_over(roll_call=0.3) as (one, two):
        one._link._ready = None  # it is away, and comes when all is decided
        with caplog.at_level(logging.WARNING, "pika_async"):
            other = await claimed(two, "queued")
            again = await two.apply("sent", claim(1, "sent"))
        assert (again.moved, states(again.after), other.moved) == (False, "ambiguous", False)
        assert "2 attempts that it calls unsent may have been sent" in caplog.text
        assert await names(two.open_jobs({AttemptState.AMBIGUOUS})) == "sentqueued"
        assert states((await one.apply("sent", told(1, pending(), job_id="sent"))).after) == "running"
        assert (await two.create(job(name="new"), claim(1, "new"))).after.newest.claimed_at is not None


async def test_where_nothing_can_be_lost_nobody_is_waited_for():
    """The address says that the standby is synchronous."""
    async with failed_over(lossless=1) as (_, two):
        assert (await two.apply("queued", claim(1, "queued"))).moved


async def test_claims_are_held_after_a_leap_of_the_clock(dsn, monkeypatch):
    """For a minute, because leases were counted by it; whatever was learned is recorded all the same."""
    ledger = made(dsn)
    await ledger.open()
    await ledger.create(job(name="sent"), claim(1, "sent"))
    await ledger.create(job(name="queued"))
    ledger._clock.told(ledger._clock.database() + 6)
    held = await ledger.apply("queued", claim(1, "queued"))
    assert (held.moved, held.obstacle.reason) == (False, "pace")
    assert 50 < held.obstacle.until - ledger.now() <= 61
    assert (await ledger.apply("sent", told(1, pending(), job_id="sent"))).moved
    began = time.monotonic()
    monkeypatch.setattr("pika_async._ledger.postgres.clock.time.monotonic", lambda: began + 61)
    assert ledger._clock.unsteady_until == 0.0
    monkeypatch.undo()
    await ledger.aclose()


@pytest.mark.skipif(postgres.POOLER is None, reason="pgbouncer is not installed here")
async def test_a_ledger_works_through_a_pool(dsn, postgres_cluster, caplog):
    """In transaction mode: nothing is heard, which is said once, and others' changes are found by looking."""
    with postgres.pooled(postgres_cluster) as pool:
        one, two = made(pool.dsn()), made(pool.dsn(), listen_dsn=dsn)
        await one.open()
        await two.open()
        for ledger in (one, two):
            assert list(await ledger.news()) == []
        assert [record.name for record in caplog.records if "listen_dsn" in record.getMessage()] == [
            "pika_async"
        ]
        for number in range(20):
            await one.create(job(name=f"j{number}"))
        changes = await asyncio.gather(
            *((one, two)[n % 2].apply(f"j{n}", claim(1, f"j{n}", max_slots=12)) for n in range(20))
        )
        assert sum(change.moved for change in changes) == 12
        assert (await two.usage(ACCOUNT)).slots == 12
        mine = next(n for n in range(1, 20, 2) if changes[n].moved)
        await two.apply(f"j{mine}", told(1, pending(), job_id=f"j{mine}"))
        found: set[str] = set()
        async with asyncio.timeout(10):
            while f"j{mine}" not in found:
                found |= set(await one.news() or ())
                await asyncio.sleep(0.01)
        await one.apply(f"j{mine}", told(1, pending("t2"), "echo", job_id=f"j{mine}"))
        await one.aclose()
        await two.aclose()
        durable = "SELECT count(*) FROM pika.jobs"
        assert postgres_cluster.sql(durable) == [(20,)]
