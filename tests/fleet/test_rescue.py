"""Tasks and orders that lost each other find each other again."""

from __future__ import annotations

import asyncio

import pytest

from pika_async import AuthError, Pika
from pika_async._secret import Secret
from pika_async._tasks import connected
from pika_async.fleet.rescue import rescue, tidy
from pika_async.fleet.tables import make_tables

pytestmark = pytest.mark.anyio


@pytest.fixture
async def app(place):
    """Return an app on the tables of workers."""
    async with place.client():
        pass
    dsn = Secret(place.dsn)
    made = connected(dsn)
    async with made.open_async():
        await make_tables(dsn, made)
        yield made


async def test_an_order_whose_task_was_lost_gets_another(place, app):
    """Its process died between the commit and the task, or the task was deleted."""
    async with place.client() as shop:
        await shop.enqueue("a cat")
        place.cluster.sql(
            "DELETE FROM procrastinate_jobs", "UPDATE pika.jobs SET created_at = created_at - 9"
        )
        await rescue(app)
        await rescue(app)
    assert place.tasks() == {"todo": 1}


async def test_an_order_that_nobody_enqueued_is_not_sent_for_a_caller_who_died(place, app, monkeypatch):
    """A plain order is bought for whoever asks for it, as on every other ledger."""
    monkeypatch.setenv("ACEDATA_API_KEY", "wrong")
    async with Pika("acedata", ledger=place.dsn) as caller:
        with pytest.raises(AuthError):
            await caller.generate("a cat")
    assert place.cluster.sql("SELECT 1 FROM pika.attempts WHERE state = 'queued'")
    place.cluster.sql("UPDATE pika.jobs SET created_at = created_at - 9")
    await rescue(app)
    assert place.tasks() == {}


async def test_an_order_that_has_a_task_gets_no_second_one(place, app):
    """Whether that waits or is in work."""
    async with place.client() as shop:
        await shop.enqueue("a cat")
        place.cluster.sql("UPDATE pika.jobs SET created_at = created_at - 9")
        await rescue(app)
        assert place.tasks() == {"todo": 1}
        place.cluster.sql(
            "INSERT INTO procrastinate_workers DEFAULT VALUES",
            "UPDATE procrastinate_jobs SET status = 'doing', "
            "worker_id = (SELECT max(id) FROM procrastinate_workers)",
        )
        await rescue(app)
    assert place.tasks() == {"doing": 1}


async def test_the_task_of_a_dead_worker_is_brought_back(place, app):
    """Its heart beats no more."""
    async with place.client() as shop:
        await shop.enqueue("a cat")
    place.cluster.sql(
        "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 minute')",
        "UPDATE procrastinate_jobs SET status = 'doing', "
        "worker_id = (SELECT max(id) FROM procrastinate_workers)",
    )
    await rescue(app)
    assert place.tasks() == {"todo": 1}


async def test_tables_are_made_once_though_many_workers_start_together(place):
    """Nobody fails, whoever is first."""
    place.cluster.sql("DROP TABLE IF EXISTS pika.workers")
    dsn = Secret(place.dsn)
    async with place.client():
        pass
    apps = [connected(dsn) for _ in range(4)]
    for app in apps:
        await app.open_async()
    try:
        await asyncio.gather(*(make_tables(dsn, app) for app in apps))
    finally:
        for app in apps:
            await app.close_async()


async def test_tasks_that_ended_long_ago_are_forgotten_and_those_that_failed_are_kept(place, app):
    """What comes back every ten seconds would fill the database."""
    async with place.client() as shop:
        for prompt in ("done", "failed", "new"):
            await shop.enqueue(prompt)
    ids = [row[0] for row in place.cluster.sql("SELECT id FROM procrastinate_jobs ORDER BY id")]
    place.cluster.sql(
        f"UPDATE procrastinate_jobs SET status = 'succeeded' WHERE id = {ids[0]}",
        f"UPDATE procrastinate_jobs SET status = 'failed' WHERE id = {ids[1]}",
        "UPDATE procrastinate_events SET at = now() - interval '80 hours'",
    )
    await tidy(app, ["pika1 acedata:default"])
    assert place.tasks() == {"failed": 1, "todo": 1}
