"""Who waits for a job, and how a wait ends."""

from __future__ import annotations

import asyncio
import gc

import pytest

from pika_async import Generate
from pika_async.errors import JobTimeout, PikaError, SubmitUnknown
from tests.engine.scripted import LOST, UNSENT, failed, scene

pytestmark = pytest.mark.anyio


async def test_cancelled_caller_does_not_stop_the_post():
    """The POST runs in a task of the client's, so its answer is not lost."""
    async with scene() as s:
        s.host.hold()
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(0)
        (flight,) = s.engine.desk.flights.values()
        wait.cancel()
        await s.clock.advance(0)
        assert wait.cancelled()
        s.host.gate.set()
        await s.clock.advance(0)
        assert flight.task.id == "t1"


async def test_cancelled_caller_in_the_queue_buys_nothing():
    """A job nobody waits for and nobody has sent is dropped."""
    async with scene(max_concurrency=1) as s:
        first = s.begin(s.pika.generate("first"))
        second = s.begin(s.pika.generate("second"))
        await s.clock.advance(1)
        second.cancel()
        await s.clock.advance(60)
        assert first.done()
        assert s.host.billed == {"first": 1}
        assert not s.engine.desk.flights


async def test_several_waiters_get_the_same_video():
    """Each with its own timeout; one that is over does not end the others."""
    async with scene() as s:
        s.host.render_time = 20
        job = await s.pika.submit(Generate("a cat"))
        short, long, other = (s.begin(job.wait(timeout=t)) for t in (5, 60, None))
        await s.clock.advance(6)
        assert isinstance(await failed(short), JobTimeout)
        other.cancel()
        await s.clock.advance(30)
        assert long.result().id == "t1"
        assert other.cancelled()


async def test_trouble_ends_the_waits_but_not_the_job():
    """After a lost answer every wait ends, the job stays open, and a new wait is possible."""
    async with scene() as s:
        s.host.at_submit.append(LOST)
        s.host.hold()
        task = s.begin(s.pika.submit(Generate("a cat")))
        await s.clock.advance(0)
        (flight,) = s.engine.desk.flights.values()
        s.host.gate.set()
        await s.clock.advance(0)
        error = await failed(task)
        assert isinstance(error, SubmitUnknown)
        assert not flight.ended
        again = s.begin(error.job.wait(timeout=10))
        await s.clock.advance(5)
        assert not again.done()
        await s.clock.advance(6)
        assert isinstance(await failed(again), JobTimeout)


async def test_end_with_an_error_reaches_every_waiter_and_later_ones():
    """A failed job raises the same for whoever asks, and whenever."""
    async with scene() as s:
        s.host.at_submit.append(UNSENT)
        with pytest.raises(PikaError) as caught:
            await s.pika.generate("a cat")
        with pytest.raises(type(caught.value)):
            await caught.value.job


async def test_waiter_cancelled_in_the_moment_of_trouble_leaves_no_warning(caplog):
    """An error that nobody is left to read is not reported as forgotten."""
    async with scene() as s:
        s.host.render_time = 50
        wait = s.begin(s.pika.generate("a cat", timeout=10))
        await s.clock.advance(5)
        (flight,) = s.engine.desk.flights.values()
        flight._waits[0].timer.callback()
        wait.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del flight, wait
        gc.collect()
        assert "never retrieved" not in caplog.text
