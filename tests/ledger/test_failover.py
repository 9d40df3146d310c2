"""A standby that lags is promoted, and a pool stands before the database: nothing is bought twice."""

from __future__ import annotations

import asyncio
import logging

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


@pytest.mark.parametrize("lossless", [0, 1])
async def test_a_claim_that_a_lagging_standby_lost_is_not_granted_again(lossless, caplog):
    """Whoever finds another timeline calls in doubt what is queued, unless the address says otherwise."""
    with postgres.running() as primary:
        second = postgres.free_port()
        ways = f"127.0.0.1:{primary.port},127.0.0.1:{second}"
        dsn = f"postgresql://pika@{ways}/postgres?pika_lossless={lossless}"
        one, two = made(dsn), made(dsn)
        await one.open()
        await two.open()
        await one.create(job(name="sent"))
        await one.create(job(name="queued"))
        standby = primary.copied(second)
        assert (await one.apply("sent", claim(1, "sent"))).moved, "acknowledged, so it is sent"
        primary.kill()
        standby.start(port=second)
        standby.control("promote")
        try:
            with caplog.at_level(logging.WARNING, "pika_async"):
                again = await two.apply("sent", claim(1, "sent"))
                other = await two.apply("queued", claim(1, "queued"))
            if lossless:
                assert again.moved
            else:
                assert (again.moved, states(again.after), other.moved) == (False, "ambiguous", False)
                assert "2 attempts that it calls unsent may have been sent" in caplog.text
                assert await names(one.open_jobs({AttemptState.AMBIGUOUS})) == "sentqueued"
                assert states((await one.apply("sent", told(1, pending(), job_id="sent"))).after) == "running"
                assert (
                    await two.create(job(name="new"), claim(1, "new"))
                ).after.newest.claimed_at is not None
        finally:
            await one.aclose()
            await two.aclose()
            standby.control("-m", "immediate", "stop")


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
