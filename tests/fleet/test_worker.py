"""What a worker does with its tasks, and how it ends."""

from __future__ import annotations

import asyncio

import pytest

from pika_async import ConfigError, LedgerError, State
from pika_async._engine import attendance
from pika_async.fleet import Work, work
from tests.fleet.conftest import until

pytestmark = pytest.mark.anyio


async def test_an_enqueued_order_reaches_a_worker_and_its_video_whoever_waits(place):
    """The shop needs no key, and sends nothing."""
    async with place.working(), place.client() as shop:
        job = await shop.enqueue("a cat", idempotency_key="order-1")
        video = await job.wait(20)
        assert video.video_url
        assert place.provider.billed == {"a cat": 1}
    assert place.tasks() == {"succeeded": 1}


async def test_orders_from_before_the_first_worker_are_found(place):
    """They could get no task: the tables for that were not made yet."""
    async with place.client() as shop:
        jobs = [await shop.enqueue(f"cat {number}") for number in range(3)]
        async with place.working():
            await asyncio.gather(*(job.wait(20) for job in jobs))
    assert place.provider.billed == {f"cat {number}": 1 for number in range(3)}


async def test_a_worker_takes_no_job_of_a_provider_that_it_does_not_serve(place):
    """It lacks the key."""
    async with place.working("duomi"), place.client() as shop:
        job = await shop.enqueue("a cat")
        await asyncio.sleep(1)
        assert place.tasks() == {"todo": 1}
        async with place.working("acedata"):
            await job.wait(20)


async def test_a_worker_that_ends_leaves_its_unsent_orders_to_another(place):
    """A deployment loses nothing, and leaves no doubt."""
    async with place.client() as shop:
        async with place.working(max_concurrency=1):
            jobs = [await shop.enqueue(f"cat {number}") for number in range(4)]
            await jobs[0].wait(20)
        async with place.working(max_concurrency=4):
            await asyncio.gather(*(job.wait(20) for job in jobs))
    assert set(place.provider.billed.values()) == {1}
    states = place.cluster.sql("SELECT DISTINCT state FROM pika.attempts")
    assert {state for (state,) in states} <= {"succeeded", "refused"}


async def test_a_worker_that_ended_is_listed_no_more_and_holds_no_lease(place):
    """Its place as the one that looks up is free at once."""
    async with place.working(), place.client() as shop:
        await (await shop.enqueue("a cat")).wait(20)
    now = "extract(epoch FROM now())"
    assert place.cluster.sql(f"SELECT count(*) FROM pika.leases WHERE until > {now}") == [(0,)]
    assert place.cluster.sql("SELECT count(*) FROM procrastinate_workers") == [(0,)]


async def test_a_worker_whose_key_is_refused_fails_no_order(place):
    """It takes no tasks for a while, and the others finish all."""
    async with place.working(key="wrong-key"), place.client() as shop:
        first = await shop.enqueue("first")
        await until(lambda: place.cluster.sql("SELECT 1 FROM pika.attempts WHERE state = 'refused'"))
        async with place.working():
            others = [await shop.enqueue(f"cat {number}") for number in range(5)]
            await asyncio.gather(*(job.wait(20) for job in (first, *others)))
    assert set(place.provider.billed.values()) == {1}


async def test_an_outdated_worker_ends_by_itself_and_says_why(place, monkeypatch):
    """Newer ones do the rest; it says so once the tables are theirs alone."""
    monkeypatch.setattr(attendance, "ALIVE", 0.3)

    async def until_it_ends(shop):
        async with place.working(max_concurrency=1):
            jobs.extend([await shop.enqueue(f"cat {number}") for number in range(3)])
            await until(lambda: place.provider.billed)
            place.cluster.sql("UPDATE pika.meta SET value = '9' WHERE name = 'min_reader'")
            await until(lambda: place.cluster.sql("SELECT count(*) = 0 FROM procrastinate_workers")[0][0])

    jobs = []
    async with place.client() as shop:
        with pytest.raises(LedgerError, match="Upgrade pika_async"):
            await until_it_ends(shop)
        place.cluster.sql("UPDATE pika.meta SET value = '1' WHERE name = 'min_reader'")
        async with place.working():
            await asyncio.gather(*(job.wait(20) for job in jobs))
    assert place.provider.billed == {f"cat {number}": 1 for number in range(3)}
    assert place.cluster.sql("SELECT count(*) FROM pika.history WHERE after = 'ambiguous'") == [(0,)]


async def test_of_different_caps_the_least_holds_for_all(place, caplog):
    """And the others say so."""
    async with place.working(max_concurrency=2), place.working(max_concurrency=9), place.client() as shop:
        await until(lambda: "9 here and 2 in another process" in caplog.text)
        jobs = [await shop.enqueue(f"cat {number}") for number in range(6)]
        most = 0

        async def under_way():
            nonlocal most
            most = max(most, place.cluster.sql("SELECT max(slots) FROM pika.accounts")[0][0])
            return all(job.state is State.SUCCEEDED for job in jobs)

        await until(under_way)
        assert 0 < most <= 2


async def test_workers_share_the_cap_on_money(place, tmp_path):
    """Two of them buy no more than one would; what does not fit waits for a higher cap."""
    (tmp_path / "prices.toml").write_text('[[price]]\nprovider = "acedata"\namount = 0.4\n')
    caps = {"max_cost": 1, "prices": tmp_path / "prices.toml"}
    async with place.client() as shop:
        jobs = [await shop.enqueue(f"cat {number}") for number in range(5)]
        async with place.working(options=caps), place.working(options=caps):
            await until(lambda: place.cluster.sql("SELECT sum(attempts) >= 3 FROM procrastinate_jobs")[0][0])
            await until(lambda: sum(job.state is State.SUCCEEDED for job in jobs) == 2)
        assert place.provider.billed.total() == 2
        assert place.cluster.sql("SELECT micros FROM pika.spending") == [(800_000,)]
        states = place.cluster.sql("SELECT state, count(*) FROM pika.attempts GROUP BY 1 ORDER BY 1")
        assert states == [("queued", 3), ("succeeded", 2)]


async def test_it_says_whether_it_lives_and_whether_it_works(place):
    """An orchestrator asks."""
    import aiohttp

    async with place.working(health="127.0.0.1:0") as told, aiohttp.ClientSession() as session:
        address = told[0].split()[4].removesuffix("/healthz")

        async def ready():
            return (await session.get(f"{address}/readyz")).status == 200

        await until(ready)
        assert (await session.get(f"{address}/healthz")).status == 200


async def test_what_cannot_work_is_said_at_once(place):
    """Before anything was opened."""
    stop = asyncio.Event()
    with pytest.raises(ConfigError, match="at least one"):
        await work(Work(providers=(), ledger=place.dsn), stop)
    with pytest.raises(ConfigError, match="No hook"):
        await work(Work(providers=("acedata",), ledger=place.dsn, hook="nothing"), stop)
    with pytest.raises(ConfigError, match="host:port"):
        await work(
            Work(providers=("acedata",), ledger=place.dsn, health="8080x", options={"api_key": "k"}), stop
        )


async def test_an_order_goes_on_at_a_worker_of_its_second_provider(place):
    """A task in the queue of the first moves to that of the account which comes next."""
    async with place.working("duomi"):
        pass
    async with place.client() as shop:
        await shop.enqueue("a cat")
    # As the worker of the first provider leaves it that was refused, and does not know the second.
    place.cluster.sql("UPDATE pika.attempts SET account = 'duomi:default'")
    async with place.working("acedata"):
        moved = (
            "SELECT 1 FROM procrastinate_jobs WHERE queue_name = 'pika1 duomi:default' AND status = 'todo'"
        )
        await until(lambda: place.cluster.sql(moved))
