"""How a wait ends early, and what its caller is told."""

from __future__ import annotations

import asyncio

import pytest

from pika_async import JobTimeout
from pika_async.errors import BadReply, PikaError
from tests.engine.deaf import hold_back, shared_by_two
from tests.engine.scripted import Scripted, scene

pytestmark = pytest.mark.anyio


async def test_the_clients_time_limit_holds_for_every_call():
    """A call's own comes before it, and None is none."""
    async with scene(timeout=10) as s:
        s.host.render_time = 50
        first = s.begin(s.pika.generate("a cat"))
        second = s.begin(s.pika.generate("a dog", timeout=None))
        await s.clock.advance(20)
        assert isinstance(first.exception(), JobTimeout)
        await s.clock.advance(60)
        assert second.result()


async def test_awaiting_a_job_has_no_limit():
    """`wait` has one, of a quarter of an hour."""
    async with scene() as s:
        s.host.render_time = 1500
        job = await s.pika.submit("a cat")

        async def awaited():
            return await job

        whole, limited = s.begin(awaited()), s.begin(job.wait())
        await s.clock.advance(1000)
        assert isinstance(limited.exception(), JobTimeout)
        await s.clock.advance(700)
        assert whole.result().url


async def test_a_cancelled_wait_says_how_to_go_on():
    """Only where money may have gone."""
    async with scene(max_concurrency=1) as s:
        s.host.render_time = 50
        sent, unsent = s.begin(s.pika.generate("a cat")), s.begin(s.pika.generate("a dog"))
        await s.clock.advance(1)
        notes = []
        for wait in (sent, unsent):
            wait.cancel()
            try:
                await wait
            except asyncio.CancelledError as error:
                notes.append(getattr(error, "__notes__", []))
        assert "pika1." in notes[0][0]
        assert notes[1] == []


async def test_success_without_a_video_is_the_adapters_defect(monkeypatch):
    """The caller is told to report it."""
    read = Scripted.read_poll

    def empty(self, response, tasks, /):
        from attrs import evolve

        found = read(self, response, tasks)
        return {k: evolve(v, results=()) if hasattr(v, "results") else v for k, v in found.items()}

    monkeypatch.setattr(Scripted, "read_poll", empty)
    async with scene() as s:
        with pytest.raises(BadReply):
            await s.after(30, s.pika.generate("a cat"))


async def test_an_order_that_others_will_send_is_not_called_free():
    """Nobody sent it in time. It stays queued, and whoever ordered it again would pay for both."""
    async with shared_by_two() as (shop, worker):
        wait = shop.begin(shop.pika.generate("a cat", timeout=30))
        await shop.clock.advance(40)
        error = wait.exception()
        assert isinstance(error, JobTimeout)
        assert (error.charged, error.retryable, error.phase) == ("unknown", False, "submit")
        assert "stays queued" in error.message
        assert await worker.after(60, worker.pika.process(error.job.id)) == "succeeded"
        assert shop.host.billed == {"a cat": 1}


@pytest.mark.parametrize("mapped", [False, True])
async def test_an_order_that_another_process_sent_in_that_moment_is_not_called_free(mapped):
    """The ledger knows of it before this process has heard the news."""
    async with shared_by_two() as (shop, worker):

        async def first_of_a_map():
            async with shop.pika.map(["a cat"], timeout=30) as videos:
                return (await anext(videos)).video

        shop.host.render_time = 50
        wait = shop.begin(first_of_a_map() if mapped else shop.pika.generate("a cat", timeout=30))
        await shop.clock.advance(1)
        (job,) = await worker.pika.jobs()
        await worker.after(5, worker.pika.process(job.id, accepted=True))
        await shop.clock.advance(30)
        error = wait.exception()
        assert isinstance(error, JobTimeout)
        assert (error.charged, error.phase) == ("yes", "poll")


async def test_an_order_of_which_the_ledger_cannot_be_asked_is_not_called_free():
    """What another process did is not known then."""
    async with shared_by_two() as (shop, _):
        wait = shop.begin(shop.pika.generate("a cat", timeout=30))
        await shop.clock.advance(1)
        shop.engine.desk.ledger.down = True
        await shop.clock.advance(40)
        assert wait.exception().charged == "unknown"


async def test_a_draining_process_asks_the_ledger_what_its_queue_has_cost():
    """Another one may have sent what this one has queued, a moment ago."""
    async with shared_by_two(max_concurrency=1) as (_, worker):
        worker.begin(worker.pika.generate("first"))
        wait = worker.begin(worker.pika.generate("second", idempotency_key="two"))
        await worker.clock.advance(1)
        worker.engine.desk.ledger.down = True
        await worker.after(60, worker.pika.drain())
        assert wait.exception().charged == "unknown"


async def test_who_waits_in_vain_for_a_slot_gets_the_video_that_another_process_bought():
    """It ended there before this process heard of it: ordered again, it would be paid twice."""
    async with shared_by_two(shop_works=True) as (shop, worker):
        hold_back(shop)
        wait = shop.begin(shop.pika.generate("a cat", idempotency_key="k", queue_timeout=30))
        await shop.clock.advance(1)
        await worker.after(20, worker.pika.generate("a cat", idempotency_key="k"))
        await shop.clock.advance(15)
        assert wait.result().id == "t1"


async def test_an_order_that_leaves_the_queue_while_the_ledger_fails_is_not_called_free():
    """Another process may send it before the ledger hears that it is cancelled; then it is cancelled."""
    async with shared_by_two(shop_works=True) as (shop, worker):
        hold_back(shop)
        wait = shop.begin(shop.pika.generate("a cat", idempotency_key="k", queue_timeout=5))
        await shop.clock.advance(1)
        shop.engine.desk.ledger.full = True
        await shop.clock.advance(5)
        error = wait.exception()
        assert isinstance(error, JobTimeout)
        assert (error.charged, error.retryable) == ("unknown", False)
        assert "nothing was bought" not in error.message
        shop.engine.desk.ledger.full = False
        with pytest.raises(PikaError, match="cancelled before it was bought"):
            await shop.after(10, error.job.wait())
        assert not worker.host.billed


async def test_an_order_that_another_process_sends_while_the_ledger_fails_here_brings_its_video():
    """What the ledger says in the end holds, and not what this process had expected."""
    async with shared_by_two(shop_works=True) as (shop, worker):
        hold_back(shop)
        wait = shop.begin(shop.pika.generate("a cat", idempotency_key="k", queue_timeout=5))
        await shop.clock.advance(1)
        shop.engine.desk.ledger.full = True
        await shop.clock.advance(5)
        bought = await worker.after(20, worker.pika.generate("a cat", idempotency_key="k"))
        shop.engine.desk.ledger.full = False
        assert await shop.after(10, wait.exception().job.wait()) == bought
        assert shop.host.billed == {"a cat": 1}


async def test_who_leaves_the_queue_beside_another_caller_is_not_told_that_a_sent_order_is_free():
    """Another process has sent it, and this one knows: there is nothing to leave, and a video to wait for."""
    async with shared_by_two(shop_works=True) as (shop, worker):
        hold_back(shop)
        shop.host.render_time = 20
        leaving = shop.begin(shop.pika.generate("a cat", idempotency_key="k", queue_timeout=10))
        other = shop.begin(shop.pika.generate("a cat", idempotency_key="k"))
        await shop.clock.advance(1)
        worker.begin(worker.pika.generate("a cat", idempotency_key="k"))
        await shop.clock.advance(5)
        (flight,) = shop.engine.desk.flights.values()
        await shop.engine.desk.reread(flight)
        await shop.clock.advance(6)
        assert not leaving.done()
        await shop.clock.advance(60)
        await shop.engine.desk.reread(flight)
        await shop.clock.advance(1)
        assert leaving.result() == other.result()
        assert shop.host.billed == {"a cat": 1}
