"""The handle of one job."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from pika_async import Generate, State
from pika_async._token import JobToken
from pika_async.errors import ContentBlocked, JobFailed, JobTimeout
from tests.engine.lost_answers import lost
from tests.engine.scripted import LOST, refusal, scene

pytestmark = pytest.mark.anyio


async def test_a_job_tells_its_story():
    """What is known of it, at each stage, without asking anybody."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        assert (job.state, job.provider, job.results, job.cost) == (State.RUNNING, "scripted", (), None)
        assert job.id in repr(job)
        assert "running" in repr(job)
        s.host.tasks["t1"] |= {"progress": 0.25, "state": "queued"}
        await s.clock.advance(3)
        assert (job.state, job.progress) == (State.QUEUED, 0.25)
        del s.host.tasks["t1"]["state"]
        await s.clock.advance(30)
        assert (job.state, job.trace_id, job.cost) == (State.SUCCEEDED, "trace", 0.5)
        assert [result.id for result in job.results] == ["t1"]
        assert job.raw["state"] == "done"


async def test_awaiting_a_job_is_waiting_for_it():
    """As often as one likes."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))

        async def wait():
            return await job

        assert (await s.after(30, wait())) == (await job) == (await job.wait()) == job.results[0]


async def test_a_failed_job_raises_each_time():
    """The same news, for whoever asks."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        s.host.tasks["t1"] |= {"state": "failed"}
        for seconds in (30, 0, 0):
            with pytest.raises(JobFailed):
                await s.after(seconds, job.wait())
        assert job.state is State.FAILED
        assert await job.refresh() is State.FAILED


async def test_the_default_timeout_is_a_quarter_of_an_hour():
    """Longer than renders take, shorter than forgetting."""
    async with scene() as s:
        s.host.render_time = 5000
        job = await s.pika.submit(Generate("a cat"))
        wait = s.begin(job.wait())
        await s.clock.advance(895)
        assert not wait.done()
        await s.clock.advance(10)
        error = wait.exception()
        assert isinstance(error, JobTimeout)
        assert "900 s" in error.message
        assert error.job.id == job.id


async def test_the_token_grows_with_what_is_known():
    """Before the answer it names the job only, after it the task as well."""
    async with scene() as s:
        s.host.hold()
        task = s.begin(s.pika.submit(Generate("a cat")))
        await s.clock.advance(1)
        (flight,) = s.engine.desk.flights.values()
        assert flight.task is None
        s.host.gate.set()
        await s.clock.advance(1)
        job = task.result()
        assert JobToken.decode(job.token) == JobToken(job_id=job.id, provider="scripted", task=flight.task)


async def test_several_outputs_are_all_there(monkeypatch):
    """`await job` gives the first that succeeded, `results` gives all."""
    from tests.engine import scripted

    one = scripted.snapshot

    def several(told):
        from attrs import evolve

        snapshot = one(told)
        results = getattr(snapshot, "results", ())
        if not results:
            return snapshot
        bad = evolve(results[0], id="bad", video_url=None, state=State.FAILED)
        return evolve(snapshot, results=(bad, *results))

    monkeypatch.setattr(scripted, "snapshot", several)
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        assert (await s.after(30, job.wait())).id == "t1"
        assert [result.id for result in job.results] == ["bad", "t1"]


async def test_a_handle_given_away_keeps_nothing_alive():
    """The engine works on the job, with or without handles."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        handle, id_ = weakref.ref(job), job.id
        del job
        gc.collect()
        assert handle() is None
        assert id_ in s.engine.desk.flights


async def test_a_job_in_doubt_can_be_waited_for():
    """The error's own handle goes on, and a cancelled wait does not disturb it."""
    async with scene() as s:
        s.host.at_submit.append(LOST)
        job = await lost(s)
        assert job.state is State.QUEUED
        assert job.trace_id is None
        wait = s.begin(job.wait())
        await s.clock.advance(1)
        wait.cancel()
        await s.clock.advance(1)
        assert wait.cancelled()
        assert job.id in s.engine.desk.flights


async def test_a_wait_with_no_time_left_still_gets_what_is_there():
    """A finished job needs no time."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        await s.after(30, job.wait())
        assert (await job.wait(timeout=0)).id == "t1"


async def test_asyncios_own_timeout_works_as_ever():
    """It cancels the wait, and the job lives on."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0):
                await job
        assert (await s.after(30, job.wait())).id == "t1"


async def test_a_refused_jobs_handle_says_failed():
    """Nothing runs, nothing was bought."""
    async with scene() as s:
        s.host.at_submit.append(refusal("ContentBlocked"))
        with pytest.raises(ContentBlocked) as caught:
            await s.pika.generate("a cat")
        assert caught.value.job.state is State.FAILED
        assert caught.value.job.results == ()
