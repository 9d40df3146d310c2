"""A fleet from outside: processes that die and are replaced, and a provider that counts."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from tests.fleet.conftest import until
from tests.fleet_story import counted, enqueued, fleet

pytestmark = pytest.mark.anyio


@pytest.fixture
def environment(monkeypatch):
    """Let nothing of this machine decide."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("ACEDATA_API_KEY", raising=False)


async def test_workers_that_stop_die_and_are_replaced_buy_everything_once(postgres_cluster, dsn, environment):
    """One is stopped and goes on, one is killed, all are replaced: nothing is lost, doubled or cancelled."""
    loop = asyncio.get_running_loop()
    prompts = [f"cat {number}" for number in range(10)]
    async with fleet(postgres_cluster, 1.0) as made:
        await made.start(2)
        began = loop.time()
        async with made.client() as shop:
            jobs = [await enqueued(shop, prompt) for prompt in prompts]
            await made.suspend(Random(1), 0.5)
            await asyncio.gather(made.roll(), made.cut(3))
            await until(lambda: made.provider.billed.total() >= len(prompts), 60)
            made.workers.pop().kill()
            tally = await counted(made, prompts, jobs, began, 100.0)
    assert tally.well, tally
