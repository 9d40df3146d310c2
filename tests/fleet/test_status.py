"""What people see of a fleet."""

from __future__ import annotations

import pytest

from pika_async.fleet import status
from tests.fleet.conftest import until

pytestmark = pytest.mark.anyio


async def test_it_shows_workers_and_what_waits_on_each_account(place):
    """Also before there is anything."""
    assert await status(place.dsn) == type(await status(place.dsn))(workers=(), accounts=())
    async with place.client() as shop, place.working("duomi", places=7, max_concurrency=3):
        await shop.enqueue("a cat")
        await until(lambda: place.cluster.sql("SELECT 1 FROM pika.workers"))
        seen = await status(place.dsn)
        (worker,) = seen.workers
        assert (worker.places, worker.max_concurrency, worker.accounts) == (7, 3, ("duomi:default",))
        assert worker.silent < 10
        account = next(one for one in seen.accounts if one.account == "acedata:default")
        assert account.queued == 1
        assert account.oldest_queued is not None
        assert account.running == 0
