"""Many requests through one client: pulled as slots free up, given back as jobs end."""

from __future__ import annotations

import asyncio
import gc
import itertools
import weakref

import pytest

from pika_async import Generate, Style
from pika_async._item import Item
from pika_async.errors import (
    ConfigError,
    JobFailed,
    JobTimeout,
    SubmitRefused,
    SubmitUnknown,
    UnsupportedRequest,
)
from pika_async.testing import FakeClock, settle
from tests.engine.scripted import LOST, Scripted, capable, refusal, scene

pytestmark = pytest.mark.anyio


def requests(count):
    """Return plain requests."""
    return [Generate(f"{n:04}") for n in range(count)]


async def collect(items):
    """Return every item."""
    return [item async for item in items]


async def asynchronous(some, pause=None):
    """Return *some* as an async generator does."""
    for one in some:
        if pause is not None:
            await pause()
        yield one


@pytest.mark.parametrize(
    "source",
    [list, tuple, iter, lambda some: (one for one in some), asynchronous],
    ids=["list", "tuple", "iterator", "generator", "async generator"],
)
async def test_any_iterable_is_mapped(source):
    """Each request comes back once, with its job and its video."""
    async with scene(max_concurrency=8) as s:
        wanted = requests(40)
        items = await s.after(300, collect(s.pika.map(source(wanted))))
        assert sorted(item.request.prompt for item in items) == [r.prompt for r in wanted]
        assert all(item.result and item.error is None and not item.running for item in items)
        assert len({item.job.id for item in items}) == 40
        assert all(item.job.results == (item.result,) for item in items)
        assert set(s.host.billed.values()) == {1}
        assert not s.engine.desk.flights


@pytest.mark.parametrize("source", [list, asynchronous])
async def test_nothing_to_do_is_done(source):
    """An empty iterable ends at once."""
    async with scene() as s:
        assert await s.after(0, collect(s.pika.map(source([])))) == []


async def test_items_come_as_their_jobs_end():
    """Not in the order of the requests."""
    async with scene(poll_rate=None) as s:
        items = s.begin(collect(s.pika.map(requests(4))))
        await s.clock.advance(0)
        for number, seconds in enumerate((40, 10, 30, 20), 1):
            s.host.tasks[f"t{number}"]["done_at"] = s.clock.now() + seconds
        await s.clock.advance(60)
        assert [item.result.id for item in items.result()] == ["t2", "t4", "t3", "t1"]


async def test_an_endless_iterable_needs_no_more_than_the_slots():
    """No more is pulled than fits, and none while nobody takes what is ready."""
    pulled = []

    def endless():
        for n in itertools.count():
            pulled.append(n)
            yield Generate(str(n))

    most = taken = 0
    async with scene(max_concurrency=6, poll_rate=None) as s:
        mapping = s.pika.map(endless())
        item = s.begin(anext(mapping))
        while taken < 200:
            await s.clock.advance(1)
            while item.done():
                taken += 1
                item = s.begin(anext(mapping))
                await settle(4)
            most = max(most, len(s.engine.desk.flights))
            assert len(pulled) - taken <= 6
        item.cancel()
        await settle()
        assert most == 6
        assert len(await mapping.aclose()) <= 6


async def test_a_slow_consumer_is_not_run_over():
    """Jobs end while nobody takes the items: nothing more is pulled or bought meanwhile."""
    pulled = []

    def source():
        for n in itertools.count():
            pulled.append(n)
            yield Generate(str(n))

    async with scene(max_concurrency=4) as s:
        mapping = s.pika.map(source())
        await s.after(30, anext(mapping))
        count = len(pulled)
        await s.clock.advance(500)
        assert len(pulled) == count <= 2 * 4
        assert s.stats.in_flight == 0
        await mapping.aclose()


async def test_an_async_source_is_asked_while_jobs_run():
    """A source that waits holds up neither items nor the end."""
    clock, gate = FakeClock(), asyncio.Event()

    async def source():
        yield Generate("first")
        await gate.wait()
        yield Generate("second")

    async with scene(clock=clock) as s:
        mapping = s.pika.map(source())
        assert (await s.after(30, anext(mapping))).request.prompt == "first"
        second = s.begin(anext(mapping))
        await clock.advance(100)
        assert not second.done()
        gate.set()
        await clock.advance(30)
        assert second.result().request.prompt == "second"
        with pytest.raises(StopAsyncIteration):
            await anext(mapping)


async def test_a_bad_request_is_an_item_with_its_error():
    """What cannot be expressed, and what is no request at all, spoil only themselves."""
    wanted = [
        Generate("a"),
        Style("b", style="Inflate"),
        42,
        Generate("c", motion=1),
        Generate("d"),
    ]
    async with scene() as s:
        items = await s.after(60, collect(s.pika.map(wanted)))
        bad = [item for item in items if item.error]
        assert [item.request for item in bad] == wanted[1:4]
        assert all(isinstance(item.error, UnsupportedRequest) for item in bad)
        assert all(item.job is None and not item.running for item in bad)
        assert s.host.billed == {"a": 1, "d": 1}


async def test_only_bad_requests_end_too():
    """However many there are."""
    async with scene(max_concurrency=2) as s:
        items = await s.after(1, collect(s.pika.map(Style(str(n), style="Inflate") for n in range(50))))
        assert len(items) == 50


async def test_whatever_becomes_of_a_job_is_in_its_item():
    """Refused, failed, in doubt, too late: each with its own error and its job."""
    async with scene() as s:
        s.host.at_submit.extend([None, refusal("SubmitRefused"), None, LOST])
        s.host.render_time = 20
        items = s.begin(collect(s.pika.map(requests(4), timeout=60)))
        await s.clock.advance(0)
        s.host.tasks["t1"] |= {"state": "failed"}
        s.host.tasks["t2"]["done_at"] += 500
        await s.clock.advance(100)
        found = {item.request.prompt: item for item in items.result()}
        kinds = [type(found[f"{n:04}"].error) for n in range(4)]
        assert kinds == [JobFailed, SubmitRefused, JobTimeout, SubmitUnknown]
        assert all(item.job is not None and item.result is None for item in found.values())
        late = found["0002"].error.job
        assert (await s.after(500, late.wait())).id == "t2"


async def test_a_source_that_fails_ends_with_its_own_error():
    """After the items of what was pulled before; the jobs live on."""

    def source():
        yield Generate("first")
        raise ZeroDivisionError

    async with scene() as s:
        mapping = s.pika.map(source())
        with pytest.raises(ZeroDivisionError):
            await s.after(30, anext(mapping))
        assert [item.request.prompt for item in await s.after(30, collect(mapping))] == ["first"]


async def test_an_async_source_that_fails_ends_with_its_own_error():
    """The same, when it waits."""

    async def source():
        yield Generate("first")
        raise ZeroDivisionError

    async with scene() as s:
        mapping = s.pika.map(source())
        with pytest.raises(ZeroDivisionError):
            await s.after(30, anext(mapping))
        assert [item.request.prompt for item in await s.after(30, collect(mapping))] == ["first"]


async def test_closing_gives_what_is_ready_and_what_still_runs():
    """No job is lost: its item says that it is running, and its token finds it."""
    clock = FakeClock()
    async with scene(clock=clock, max_concurrency=4) as s:
        async with s.pika.map(requests(100)) as mapping:
            first = s.begin(anext(mapping))
            await clock.advance(0)
            s.host.tasks["t2"]["done_at"] = s.host.tasks["t3"]["done_at"] = 0
            await clock.advance(5)
            assert first.done()
            left = await mapping.aclose()
            assert await mapping.aclose() == []
            with pytest.raises(StopAsyncIteration):
                await anext(mapping)
        assert sum(item.result is not None for item in left) == 1
        running = [item for item in left if item.running]
        assert [item.request.prompt for item in running] == ["0000", "0003"]
        assert all(isinstance(item, Item) and item.error is None for item in running)
        tokens = [item.job.token for item in running]
        assert s.host.billed.total() == 4
    async with scene(clock=clock, hosts=s.hosts) as later:
        waits = asyncio.gather(*(later.pika.job(token).wait() for token in tokens))
        assert {video.id for video in await later.after(60, waits)} == {"t1", "t4"}


@pytest.mark.parametrize("source", [iter, asynchronous])
async def test_a_loop_left_early_leaves_nothing_behind(source, caplog):
    """After `break` the iterator is dropped: nothing more is pulled, the jobs that run live on."""
    async with scene(max_concurrency=4) as s:

        async def take_one():
            async for item in s.pika.map(source(requests(100))):
                return item.job.id
            return None

        assert await s.after(30, take_one())
        gc.collect()
        await s.clock.advance(100)
        assert s.host.billed.total() <= 8
        assert not s.engine.desk.flights
        gc.collect()
    assert "never retrieved" not in caplog.text


async def test_a_loop_left_while_its_source_waits_leaves_nothing_behind(caplog):
    """The source's own wait is cancelled with it."""
    ended = []

    async def source():
        try:
            yield Generate("first")
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async with scene() as s:

        async def take_one():
            async for item in s.pika.map(source()):
                return item.job.id
            return None

        await s.after(30, take_one())
        gc.collect()
        await settle()
        assert ended
    assert "never retrieved" not in caplog.text


@pytest.mark.parametrize("source", [iter, asynchronous])
async def test_a_cancelled_consumer_leaves_nothing_behind(source):
    """The jobs that were sent live on, the others are not bought."""
    async with scene(max_concurrency=4) as s:
        consumer = s.begin(collect(s.pika.map(source(requests(100)))))
        await s.clock.advance(5)
        consumer.cancel()
        await s.clock.advance(0)
        assert consumer.cancelled()
        gc.collect()
        assert len(s.engine.desk.flights) == 4
        await s.clock.advance(100)
        assert s.host.billed.total() == 4
        assert not s.engine.desk.flights


async def test_a_dropped_map_is_freed_at_once():
    """Nothing that runs on holds it."""
    async with scene() as s:
        mapping = s.pika.map(requests(5))
        first = s.begin(anext(mapping))
        await s.clock.advance(1)
        first.cancel()
        await settle()
        reference = weakref.ref(mapping)
        del mapping, first
        gc.collect()
        assert reference() is None


async def test_a_map_on_a_closed_client_ends():
    """What ran is told as running on; what is left cannot be mapped any more, and that is said."""
    async with scene(max_concurrency=2) as s:
        mapping = s.pika.map(requests(10))
        first = s.begin(anext(mapping))
        await s.clock.advance(1)
        await s.pika.aclose()
        await settle()
        items = [first.result(), await anext(mapping)]
        assert all(isinstance(item.error, JobTimeout) for item in items)
        with pytest.raises(ConfigError, match="closed"):
            await anext(mapping)


async def test_two_maps_share_the_slots():
    """Neither starves the other."""
    async with scene(max_concurrency=4) as s:
        one, two = (s.begin(collect(s.pika.map(requests(20)))) for _ in range(2))
        most = 0
        while not (one.done() and two.done()):
            await s.clock.advance(2)
            most = max(most, s.stats.in_flight)
            assert abs(len(s.host.billed)) <= 20
        assert most == 4
        assert len(one.result()) == len(two.result()) == 20


async def test_mapped_jobs_use_the_clients_callback_address():
    """As every other way of buying does."""
    async with scene(callback_url=False) as s:
        await s.after(30, collect(s.pika.map(requests(2))))
        assert [r.body.value["callback_url"] for r in s.wire.submits] == [None, None]


async def test_several_providers_are_used_as_ever():
    """The first that can, and the next after a refusal."""
    async with scene(Scripted(), Scripted(capabilities=capable("other"))) as s:
        s.host.at_submit.append(refusal("InsufficientBalance"))
        items = await s.after(60, collect(s.pika.map(requests(3))))
        assert sorted(item.job.provider for item in items) == ["other", "scripted", "scripted"]
