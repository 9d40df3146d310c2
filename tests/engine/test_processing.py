"""Orders that one process records and another works on: `enqueue`, `process` and `drain`."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from pika_async import Generate, State
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.errors import (
    ConfigError,
    InsufficientBalance,
    JobTimeout,
    JobUnresolved,
    ProviderUnavailable,
    RateLimited,
    UnsupportedRequest,
)
from pika_async.provider import HttpResponse
from pika_async.testing import FakeClock
from tests.engine.deaf import hold_back, shared_by_two
from tests.engine.ledgers import SharedLedger, WatchedLedger
from tests.engine.lost_answers import NEVER_ARRIVED
from tests.engine.scripted import UNSENT, Historian, Host, Scripted, capable, refusal, scene

pytestmark = pytest.mark.anyio
PNG = b"\x89PNG\r\n\x1a\n" + bytes(32)


class Remembering(WatchedLedger):
    """Says that it outlives the process, though nobody shares it."""

    remembers = True


@asynccontextmanager
async def two(*adapters):
    """Open a client that only records, and one that works, on one ledger."""
    clock = FakeClock()
    adapters = adapters or (Scripted(),)
    hosts = {adapter.capabilities.name: Host(clock) for adapter in adapters}
    together = {"ledger": SharedLedger(), "clock": clock, "hosts": hosts}
    async with scene(*adapters, work=False, **together) as shop, scene(*adapters, **together) as worker:
        yield shop, worker


async def test_an_enqueued_order_is_committed_when_it_returns_and_sent_by_nobody_yet():
    """A web application's answer says that the order is safe, and costs nothing."""
    async with two() as (shop, _):
        job = await shop.pika.enqueue("a cat", idempotency_key="order-1")
        await shop.clock.advance(60)
        assert job.state is State.QUEUED
        assert (await shop.engine.desk.ledger.get(job.id)).key == "order-1"
        assert not shop.host.billed
        assert not shop.wire.submits


async def test_whoever_waits_is_woken_by_the_process_that_works():
    """The waiting process sends nothing and looks up nothing."""
    async with two() as (shop, worker):
        job = await shop.pika.enqueue("a cat")
        video = shop.begin(job.wait(None))
        processed = worker.begin(worker.pika.process(job.id))
        await shop.clock.advance(60)
        assert processed.result() == "succeeded"
        assert video.result().id == "t1"
        assert not shop.wire.submits
        assert not shop.wire.polls
        assert job.state is State.SUCCEEDED


async def test_a_job_is_processed_any_number_of_times_and_bought_once():
    """Queues deliver at least once."""
    async with two() as (shop, worker):
        job = await shop.pika.enqueue("a cat")
        every = [worker.begin(worker.pika.process(name)) for name in (job.id, job.token, job.id)]
        await shop.clock.advance(60)
        every.append(worker.begin(worker.pika.process(job.id)))
        await shop.clock.advance(1)
        assert [each.result() for each in every] == ["succeeded"] * 4
        assert shop.host.billed == {"a cat": 1}


async def test_a_task_may_end_once_the_provider_has_the_job():
    """A render of two minutes holds no place of a worker."""
    async with two() as (shop, worker):
        job = await shop.pika.enqueue("a cat")
        assert await worker.after(1, worker.pika.process(job.id, accepted=True)) == "running"
        video = shop.begin(job.wait(None))
        await shop.clock.advance(60)
        assert video.result().id == "t1"


async def test_one_key_is_one_order_whoever_enqueues_it():
    """A request that a browser repeats is the same order."""
    async with two() as (shop, worker):
        first = await shop.pika.enqueue("a cat", idempotency_key="k")
        again = await worker.pika.enqueue("a cat", idempotency_key="k")
        assert first.id == again.id
        with pytest.raises(UnsupportedRequest, match="another request"):
            await shop.pika.enqueue("a dog", idempotency_key="k")


async def test_an_enqueued_order_outlives_the_caller_who_waited():
    """A browser that hangs up cancels a request, not an order."""
    async with two() as (shop, worker):
        job = await shop.pika.enqueue("a cat")
        for wait in (shop.begin(job.wait(None)), worker.begin(worker.pika.generate("a", timeout=1))):
            await shop.clock.advance(0)
            wait.cancel()
        await shop.clock.advance(1)
        processing = worker.begin(worker.pika.process(job.id))
        await asyncio.sleep(0)
        processing.cancel()
        assert await worker.after(60, worker.pika.process(job.id)) == "succeeded"


async def test_a_client_that_does_not_work_buys_through_those_that_do():
    """`generate` is the same call everywhere."""
    async with two() as (shop, worker):
        video = shop.begin(shop.pika.generate("a cat", idempotency_key="k"))
        await shop.clock.advance(5)
        job = await worker.pika.enqueue("a cat", idempotency_key="k")
        worker.begin(worker.pika.process(job.id))
        await shop.clock.advance(60)
        assert video.result().id == "t1"
        assert not shop.wire.submits


async def test_an_enqueued_file_becomes_bytes_of_the_ledger(tmp_path):
    """The worker does not have the web server's files."""
    async with two() as (shop, worker):
        image = tmp_path / "cat.png"
        image.write_bytes(PNG)
        job = await shop.pika.enqueue(Generate("a cat", image=image))
        image.unlink()
        assert await worker.after(60, worker.pika.process(job.id)) == "succeeded"
        assert shop.host.billed == {"a cat": 1}


async def test_a_file_over_20_mb_is_refused_with_a_way_out(tmp_path):
    """A ledger is no place for it."""
    async with two() as (shop, _):
        image = tmp_path / "cat.png"
        with image.open("wb") as file:
            file.write(PNG)
            file.truncate(20_000_001)
        for medium in (image, PNG + bytes(20_000_001)):
            with pytest.raises(UnsupportedRequest, match="give a URL"):
                await shop.pika.enqueue(Generate("a cat", image=medium))
        assert await shop.pika.jobs() == []


async def test_a_missing_file_is_refused_before_anything_is_recorded():
    """It would fail at the worker's, where nobody sees it."""
    async with two() as (shop, _):
        with pytest.raises(UnsupportedRequest, match="cannot be read"):
            await shop.pika.enqueue(Generate("a cat", image=Path("missing.png")))
        assert await shop.pika.jobs() == []


async def test_an_order_keeps_its_fallbacks_and_its_callback_address():
    """Whoever works on it knows the second provider and the user's receiver."""
    adapters = [Scripted(capabilities=capable(name)) for name in ("first", "second")]
    async with two(*adapters) as (shop, worker):
        hosts = shop.hosts
        hosts["first"].at_submit.append(refusal("SubmitRefused"))
        job = await shop.pika.enqueue("a cat", callback_url="https://shop.test/done")
        assert await worker.after(60, worker.pika.process(job.id)) == "succeeded"
        assert hosts["second"].billed == {"a cat": 1}
        assert hosts["second"].tasks["t1"]["callback_url"].startswith("https://shop.test/done")


async def test_an_order_goes_on_at_a_worker_that_serves_its_second_provider():
    """The first worker does not know that provider, and the second not the first."""
    clock, ledger = FakeClock(), SharedLedger()
    first, second = (Scripted(capabilities=capable(name)) for name in ("first", "second"))
    hosts = {name: Host(clock) for name in ("first", "second")}
    together = {"ledger": ledger, "clock": clock, "hosts": hosts}
    async with (
        scene(first, second, work=False, **together) as shop,
        scene(first, **together) as one,
        scene(second, **together) as other,
    ):
        hosts["first"].at_submit.append(refusal("SubmitRefused"))
        job = await shop.pika.enqueue("a cat")
        with pytest.raises(JobTimeout, match="not sent"):
            await one.after(10, one.pika.process(job.id, patience=5))
        with pytest.raises(ConfigError, match="second"):
            await one.pika.process(job.id)
        assert await other.after(60, other.pika.process(job.id)) == "succeeded"
        assert hosts["second"].billed == {"a cat": 1}


async def test_what_is_about_the_account_leaves_the_order_queued_for_the_next_try():
    """An empty balance fails no order: the queue tries again, and that alone asks the provider nothing."""
    async with two() as (shop, worker):
        shop.host.at_submit.append(refusal("InsufficientBalance", 402))
        job = await shop.pika.enqueue("a cat")
        for _ in range(3):
            with pytest.raises(InsufficientBalance):
                await worker.after(5, worker.pika.process(job.id))
        assert len(worker.wire.submits) == 1
        assert (await shop.engine.desk.ledger.get(job.id)).state == "open"
        await shop.clock.advance(60)
        assert await worker.after(60, worker.pika.process(job.id)) == "succeeded"
        assert shop.host.billed == {"a cat": 1}


@pytest.mark.parametrize("trouble", [refusal("RateLimited", 429, retry_after="30"), UNSENT])
async def test_a_full_provider_or_a_broken_network_fails_no_enqueued_order(trouble):
    """Its queue brings it again, and until then its account is left in peace."""
    async with two() as (shop, worker):
        shop.host.at_submit.append(trouble)
        job = await shop.pika.enqueue("a cat")
        with pytest.raises((RateLimited, ProviderUnavailable)):
            await worker.after(5, worker.pika.process(job.id))
        again = worker.begin(worker.pika.process(job.id))
        await shop.clock.advance(20)
        if isinstance(trouble, HttpResponse):
            assert len(worker.wire.submits) == 1
        await shop.clock.advance(60)
        assert again.result() == "succeeded"
        assert shop.host.billed == {"a cat": 1}


async def test_no_slot_within_the_patience_of_a_task_leaves_the_order_queued():
    """A task waits for a slot, but not for ever: its place serves another account meanwhile."""
    async with two() as (shop, worker):
        worker.engine.desk.accounts["scripted:default"].max_concurrency = 1
        running = await shop.pika.enqueue("first")
        waiting = await shop.pika.enqueue("second")
        assert await worker.after(1, worker.pika.process(running.id, accepted=True)) == "running"
        with pytest.raises(JobTimeout, match="not sent within 2 s"):
            await worker.after(3, worker.pika.process(waiting.id, patience=2))
        assert await worker.after(120, worker.pika.process(waiting.id)) == "succeeded"
        assert shop.host.billed == {"first": 1, "second": 1}


async def test_a_lost_answer_ends_a_task_and_only_a_person_ends_the_job():
    """Nothing is sent twice, and the state says why nothing goes on."""
    async with scene(Historian(), ledger=Remembering()) as s:
        s.host.at_submit.append(NEVER_ARRIVED)
        job = await s.pika.enqueue("a cat")
        assert await s.after(5, s.pika.process(job.id, accepted=True)) == "ambiguous"
        ended = s.begin(s.pika.process(job.id))
        await s.clock.advance(1800)
        assert ended.result() == "unresolved"
        assert await s.pika.process(job.id) == "unresolved"
        with pytest.raises(JobUnresolved):
            await s.after(1, job.wait(None))
        assert len(s.wire.submits) == 1


async def test_a_draining_process_ends_its_posts_and_leaves_the_rest():
    """A deploy loses nothing and leaves no doubt."""
    async with two() as (shop, worker):
        worker.engine.desk.accounts["scripted:default"].max_concurrency = 1
        shop.host.hold()
        sent, waiting = [await shop.pika.enqueue(prompt) for prompt in ("first", "second")]
        tasks = [worker.begin(worker.pika.process(job.id, accepted=True)) for job in (sent, waiting)]
        await shop.clock.advance(1)
        draining = worker.begin(worker.pika.drain())
        await shop.clock.advance(1)
        assert not draining.done()
        with pytest.raises(JobTimeout, match="stays queued"):
            tasks[1].result()
        shop.host.gate.set()
        await shop.clock.advance(1)
        assert draining.done()
        assert tasks[0].result() == "running"
        with pytest.raises(JobTimeout, match="stays queued"):
            await worker.after(30, worker.pika.process(waiting.id, patience=20))
        assert shop.host.billed == {"first": 1}


async def test_an_unknown_job_is_said_to_be_unknown():
    """The queue and the ledger are not of the same place."""
    async with two() as (_, worker):
        with pytest.raises(ConfigError, match="knows no job") as unknown:
            await worker.pika.process("nothing")
        assert unknown.value.charged == "unknown"


async def test_a_memory_ledger_has_nobody_to_leave_an_order_to():
    """It would be forgotten with the process."""
    async with scene() as s:
        with pytest.raises(ConfigError, match="ledger="):
            await s.pika.enqueue("a cat")
    with pytest.raises(ConfigError, match="work=False"):
        async with scene(work=False):
            pass


async def test_two_processes_on_a_file_do_the_same(tmp_path):
    """What holds for a ledger in memory holds for a file."""
    clocks = [FakeClock(), FakeClock()]
    hosts = {"scripted": Host(clocks[1])}
    shop = scene(work=False, ledger=SqliteLedger(tmp_path / "jobs.db"), clock=clocks[0], hosts=hosts)
    worker = scene(ledger=SqliteLedger(tmp_path / "jobs.db"), clock=clocks[1], hosts=hosts)
    async with shop as s, worker as w:
        job = await s.pika.enqueue(Generate("a cat", image=PNG), idempotency_key="k")
        video, processed = s.begin(job.wait(None)), w.begin(w.pika.process(job.id))
        for _ in range(200):
            for clock in clocks:
                await clock.advance(0.25)
            await s.engine.desk.ledger.usage("scripted:default")
            await w.engine.desk.ledger.usage("scripted:default")
            if video.done() and processed.done():
                break
        assert processed.result() == "succeeded"
        assert video.result().id == "t1"


async def test_an_order_that_another_worker_sent_meanwhile_is_not_called_free():
    """The news of it has not come here yet."""
    async with shared_by_two(shop_works=True) as (slow, worker):
        hold_back(slow)
        job = await slow.pika.enqueue(Generate("a cat"))
        working = slow.begin(slow.pika.process(job.id, patience=10))
        await slow.clock.advance(1)
        worker.host.render_time = 50
        await worker.after(1, worker.pika.process(job.id, accepted=True))
        await slow.clock.advance(10)
        assert working.exception().charged == "yes"
        assert "another one may have sent it" in working.exception().message
