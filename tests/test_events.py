"""What happens to a job while it runs."""

from __future__ import annotations

import asyncio
import gc

import pytest

from pika_async import Generate, State
from pika_async.errors import AuthError, JobTimeout, JobUnresolved
from tests.engine.scripted import Scripted, capable, refusal, scene

pytestmark = pytest.mark.anyio


async def listen(events):
    """Return all events."""
    return [event async for event in events]


async def test_events_tell_state_and_progress_until_the_end():
    """The present state first, each change once, the end, and then nothing more."""
    async with scene() as s:
        s.host.render_time = 30
        job = await s.pika.submit(Generate("a cat"))
        heard = s.begin(listen(job.events()))
        await s.clock.advance(2)
        for said in (
            {"state": "queued"},
            {"state": "running", "progress": 0.1},
            {"progress": 0.1},
            {"progress": 0.6},
        ):
            s.host.tasks["t1"] |= said
            await s.clock.advance(6)
        del s.host.tasks["t1"]["state"]
        await s.clock.advance(30)
        told = [(event.state, event.progress) for event in heard.result()]
        assert told == [
            (State.RUNNING, None),
            (State.QUEUED, None),
            (State.RUNNING, 0.1),
            (State.RUNNING, 0.6),
            (State.SUCCEEDED, None),
        ]


async def test_events_of_an_ended_job_are_its_end():
    """Whether it went well or not."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        await s.clock.advance(30)
        assert [event.state for event in await listen(job.events())] == [State.SUCCEEDED]
        failed = await s.pika.submit(Generate("a dog"))
        s.host.tasks["t2"] |= {"state": "failed"}
        heard = s.begin(listen(failed.events()))
        await s.clock.advance(30)
        assert [event.state for event in heard.result()][-1] is State.FAILED
        assert [event.state for event in await listen(failed.events())] == [State.FAILED]


async def test_several_listeners_hear_the_same():
    """Each from when it began; one that stops early disturbs nobody."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        early = job.events()
        assert (await anext(early)).state is State.RUNNING
        heard = [s.begin(listen(job.events())) for _ in range(3)]
        await s.clock.advance(1)
        heard[0].cancel()
        del early
        gc.collect()
        await s.clock.advance(30)
        assert heard[0].cancelled()
        for one in heard[1:]:
            assert [event.state for event in one.result()] == [State.RUNNING, State.SUCCEEDED]


async def test_a_slow_listener_misses_nothing():
    """What happened meanwhile is told when it comes back."""
    async with scene() as s:
        s.host.render_time = 20
        job = await s.pika.submit(Generate("a cat"))
        events = job.events()
        await anext(events)
        for progress in (0.2, 0.4):
            s.host.tasks["t1"]["progress"] = progress
            await s.clock.advance(4)
        await s.clock.advance(30)
        assert [event.progress for event in await listen(events)] == [0.2, 0.4, None]


async def test_events_of_a_token_work():
    """Another process listens to what this one bought."""
    async with scene() as first:
        token = (await first.pika.submit(Generate("a cat"))).token
    async with scene(clock=first.clock, hosts=first.hosts) as s:
        heard = s.begin(listen(s.pika.job(token).events()))
        await s.clock.advance(30)
        assert [event.state for event in heard.result()] == [State.RUNNING, State.SUCCEEDED]


async def test_listening_costs_no_look():
    """The poller's looks are enough for everyone."""
    counts = []
    for listeners in (0, 20):
        async with scene() as s:
            job = await s.pika.submit(Generate("a cat"))
            heard = [s.begin(listen(job.events())) for _ in range(listeners)]
            await s.clock.advance(30)
            assert all(one.done() for one in heard)
            counts.append(len(s.host.asked))
    assert counts[0] == counts[1]


async def test_a_closed_client_ends_the_events():
    """Nobody listens for ever to a job that this client no longer follows."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        heard = s.begin(listen(job.events()))
        await s.clock.advance(1)
    await asyncio.sleep(0)
    assert isinstance(heard.exception(), JobTimeout)


async def test_what_ends_a_wait_ends_the_events():
    """A refused key, and a job that only a person can settle."""
    async with scene(Scripted(capabilities=capable(longest_render=60))) as s:
        s.host.render_time = 5000
        job = await s.pika.submit(Generate("a cat"))
        s.host.on_poll = lambda ids: refusal("AuthError", 401)
        heard = s.begin(listen(job.events()))
        await s.clock.advance(10)
        assert isinstance(heard.exception(), AuthError)
        s.host.on_poll = lambda ids: None
        heard = s.begin(listen(job.events()))
        await s.clock.advance(200)
        assert isinstance(heard.exception(), JobUnresolved)
