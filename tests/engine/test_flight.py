"""Who waits for a job, for how long, and how a wait ends."""

from __future__ import annotations

import asyncio
import gc

import pytest

from pika_async import Generate
from pika_async._ledger.events import Claim
from pika_async._ledger.memory import MemoryLedger
from pika_async.errors import JobTimeout, PikaError, SubmitUnknown
from pika_async.results import State
from tests.engine.scripted import LOST, UNSENT, Scripted, capable, refusal, scene

pytestmark = pytest.mark.anyio


async def failed(task):
    """Return the error of a task that has ended."""
    assert task.done()
    error = task.exception()
    assert isinstance(error, PikaError), error
    return error


async def test_timeout_runs_from_the_post():
    """A job that waits long for its slot has its whole timeout left once it is sent."""
    async with scene(max_concurrency=1) as s:
        s.host.render_time = 60
        first = s.begin(s.pika.generate("first"))
        second = s.begin(s.pika.generate("second", timeout=70))
        await s.clock.advance(65)
        assert first.done()
        assert not second.done()
        await s.clock.advance(60)
        assert second.result().id == "t2"


async def test_timeout_of_a_later_wait_runs_from_now():
    """Waiting for a job that was sent long ago gets the whole timeout too."""
    async with scene() as s:
        s.host.render_time = 100
        job = await s.pika.submit(Generate("a cat"))
        await s.clock.advance(80)
        wait = s.begin(job.wait(timeout=30))
        await s.clock.advance(25)
        assert wait.result().id == "t1"


async def test_timeout_leaves_the_job_alive():
    """The error holds the job, says that it is paid, and waiting for it again gives the video."""
    async with scene() as s:
        s.host.render_time = 60
        wait = s.begin(s.pika.generate("a cat", timeout=30))
        await s.clock.advance(31)
        error = await failed(wait)
        assert isinstance(error, JobTimeout)
        assert isinstance(error, TimeoutError)
        assert error.charged == "yes"
        assert error.job.state is State.RUNNING
        video = await s.after(60, error.job.wait())
        assert video.id == "t1"
        assert s.host.billed["a cat"] == 1


async def test_no_timeout_waits_for_ever():
    """None is no bound."""
    async with scene() as s:
        s.host.render_time = 5000
        wait = s.begin(s.pika.generate("a cat", timeout=None))
        await s.clock.advance(1700)
        assert not wait.done()
        wait.cancel()


@pytest.mark.parametrize("call", ["generate", "submit"])
async def test_queue_timeout_buys_nothing(call):
    """A job that gets no slot in time is cancelled unsent, and its place in the queue is gone."""
    async with scene(max_concurrency=1) as s:
        s.host.render_time = 60
        first = s.begin(s.pika.generate("first"))
        if call == "generate":
            second = s.begin(s.pika.generate("second", queue_timeout=5))
        else:
            second = s.begin(s.pika.submit(Generate("second"), queue_timeout=5))
        await s.clock.advance(6)
        error = await failed(second)
        assert isinstance(error, JobTimeout)
        assert error.charged == "no"
        assert error.retryable
        await s.clock.advance(120)
        assert first.done()
        assert s.host.billed == {"first": 1}
        assert s.stats.queued == 0


@pytest.mark.parametrize("call", ["generate", "submit"])
@pytest.mark.parametrize("first", ["slot", "patience"])
async def test_queue_timeout_in_the_moment_of_the_post_is_sent_or_is_not(call, first):
    """When the slot comes free just as the patience ends, nobody is told an untruth about money."""
    async with scene(max_concurrency=1) as s:
        s.begin(s.pika.generate("first"))
        await s.clock.advance(0)
        bought = (
            s.pika.generate("second", queue_timeout=5, timeout=None)
            if call == "generate"
            else s.pika.submit(Generate("second"), queue_timeout=5)
        )
        second = s.begin(bought)
        await s.clock.advance(1)
        flight = next(f for f in s.engine.desk.flights.values() if f.request.prompt == "second")
        line = s.engine._lines["scripted:default"]
        line.account.max_concurrency = 2
        steps = [lambda: s.engine._dispatch.pump(line), flight._waits[0].timer.callback]
        for step in steps if first == "slot" else reversed(steps):
            step()
        await s.clock.advance(0)
        await s.clock.advance(60)
        if s.host.billed["second"]:
            assert second.exception() is None
        else:
            assert (await failed(second)).charged == "no"


class LateWord(MemoryLedger):
    """Says only once `told` is set that a claim is committed."""

    def __init__(self):
        super().__init__()
        self.told = asyncio.Event()

    async def create(self, job, first=None):
        change = await super().create(job, first)
        if isinstance(first, Claim):
            await self.told.wait()
        return change


@pytest.mark.parametrize("call", ["generate", "submit"])
async def test_queue_timeout_while_the_claim_is_under_way(call):
    """The ledger's word may come late: the job is then stopped at the fence, provably unsent."""
    ledger = LateWord()
    async with scene(ledger=ledger) as s:
        bought = (
            s.pika.generate("a cat", queue_timeout=5, timeout=None)
            if call == "generate"
            else s.pika.submit(Generate("a cat"), queue_timeout=5)
        )
        wait = s.begin(bought)
        await s.clock.advance(5)
        ledger.told.set()
        await s.clock.advance(60)
        assert (await failed(wait)).charged == "no"
        assert not s.wire.submits


async def test_queue_timeout_of_one_caller_does_not_cancel_the_other():
    """Two callers share a job by its key; the one with patience gets the video."""
    async with scene(max_concurrency=1) as s:
        s.host.render_time = 20
        s.begin(s.pika.generate("first"))
        hasty = s.begin(s.pika.generate("second", idempotency_key="k", queue_timeout=5))
        patient = s.begin(s.pika.generate("second", idempotency_key="k"))
        await s.clock.advance(6)
        assert isinstance(await failed(hasty), JobTimeout)
        await s.clock.advance(60)
        assert patient.result().id == "t2"
        assert s.host.billed["second"] == 1


async def test_timeout_runs_anew_at_the_fallback():
    """A refused POST does not use up the time of the next one, not even while that waits for a slot."""
    second = Scripted(capabilities=capable("second"))
    async with scene(Scripted(), second, max_concurrency=1) as s:
        s.hosts["second"].render_time = 50
        s.host.at_submit.append(refusal("InsufficientBalance"))
        blocker = s.begin(s.pika.generate("first"))
        s.host.at_submit.append(refusal("InsufficientBalance"))
        await s.clock.advance(0)
        wait = s.begin(s.pika.generate("other", timeout=30))
        await s.clock.advance(49)
        assert not wait.done()
        s.hosts["second"].render_time = 25
        await s.clock.advance(30)
        assert blocker.done()
        assert wait.result().id == "t2"


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
