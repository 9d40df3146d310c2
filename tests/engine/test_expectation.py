"""For how long a job is waited for: a timeout runs from the POST, a queue timeout until then."""

from __future__ import annotations

import asyncio

import pytest

from pika_async import Generate
from pika_async._ledger.events import Claim
from pika_async._ledger.memory import MemoryLedger
from pika_async.errors import JobTimeout
from pika_async.results import State
from tests.engine.scripted import Scripted, capable, failed, refusal, scene

pytestmark = pytest.mark.anyio


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
