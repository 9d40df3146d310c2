"""Orders in the user's own transaction: `enqueue(connection=...)`."""

from __future__ import annotations

import asyncio

import psycopg
import pytest

from pika_async import ConfigError, LedgerError, Pika, UnsupportedRequest

pytestmark = pytest.mark.anyio


@pytest.fixture
async def connection(place):
    """Return a connection of the user's, in a database with the tables of workers."""
    async with place.working("duomi"):
        pass
    async with await psycopg.AsyncConnection.connect(place.dsn) as opened:
        yield opened
        await opened.rollback()


def orders(place):
    """Return how many orders and how many tasks there are."""
    return (
        place.cluster.sql("SELECT count(*) FROM pika.jobs")[0][0],
        sum(place.tasks().values()),
    )


async def test_the_order_and_its_task_are_committed_with_the_users_rows(place, connection):
    """Nobody sees them before; then a worker brings the video."""
    async with place.client() as shop:
        await connection.execute("CREATE TEMP TABLE orders (job text)")
        job = await shop.enqueue("a cat", idempotency_key="order-1", connection=connection)
        await connection.execute("INSERT INTO orders VALUES (%s)", (job.token,))
        assert orders(place) == (0, 0)
        await connection.commit()
        assert orders(place) == (1, 1)
        async with place.working():
            assert (await job.wait(20)).video_url


async def test_a_rollback_leaves_nothing(place, connection):
    """Also when the enqueue was the first thing in the transaction."""
    async with place.client() as shop:
        job = await shop.enqueue("a cat", idempotency_key="k", connection=connection)
        await connection.rollback()
        assert orders(place) == (0, 0)
        with pytest.raises(ConfigError):
            await job.wait(1)
        again = await shop.enqueue("a cat", idempotency_key="k")
        assert again.id != job.id


async def test_a_key_of_an_open_transaction_is_waited_for_two_seconds_beside_other_traffic(place, connection):
    """The error can be tried again, the transaction that met it goes on, and nobody else waits."""
    async with place.client() as shop, place.client() as other:
        held = await shop.enqueue("a cat", idempotency_key="k", connection=connection)
        async with await psycopg.AsyncConnection.connect(place.dsn) as second:
            await second.execute("SET lock_timeout = '7s'")

            async def meet():
                with pytest.raises(LedgerError, match="holds this idempotency key") as caught:
                    await other.enqueue("a cat", idempotency_key="k", connection=second)
                return caught.value

            began = asyncio.get_running_loop().time()
            meeting = asyncio.create_task(meet())
            beside = [await other.enqueue(f"cat {number}") for number in range(5)]
            assert asyncio.get_running_loop().time() - began < 1.5
            assert (await meeting).retryable
            assert (await (await second.execute("SHOW lock_timeout")).fetchone()) == ("7s",)
            await connection.commit()
            joined = await other.enqueue("a cat", idempotency_key="k", connection=second)
            assert joined.id == held.id
            await second.commit()
        assert orders(place)[0] == len(beside) + 1


async def test_a_key_means_one_request_on_a_connection_too(place, connection):
    """Nothing is written for another one."""
    async with place.client() as shop:
        await shop.enqueue("a cat", idempotency_key="k")
        with pytest.raises(UnsupportedRequest, match="another request"):
            await shop.enqueue("a dog", idempotency_key="k", connection=connection)


async def test_what_is_no_connection_to_the_ledger_is_refused(place, tmp_path):
    """A file cannot be part of a transaction of Postgres."""
    async with place.client() as shop:
        with pytest.raises(ConfigError, match="AsyncConnection"):
            await shop.enqueue("a cat", connection=object())
    async with Pika("acedata", ledger=tmp_path / "jobs.db", work=False) as shop:
        with pytest.raises(ConfigError, match="on Postgres"):
            await shop.enqueue("a cat", connection=object())
