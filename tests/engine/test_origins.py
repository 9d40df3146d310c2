"""Which job a video came from, and its present link."""

from __future__ import annotations

import pytest
from attrs import evolve

from pika_async._engine.effects import Ended
from pika_async._token import JobToken
from pika_async.errors import JobFailed
from tests.engine.scripted import LOST, Scripted, answer, refusal, scene

pytestmark = pytest.mark.anyio


async def test_a_delivered_video_names_its_job():
    """The token is the job's own; a video of somebody else names none."""
    async with scene() as s:
        job = await s.pika.submit("a cat")
        video = await s.after(30, job.wait())
        token = s.engine.orders.origins.token_of(video)
        assert token == JobToken.decode(job.token)
        assert s.engine.orders.origins.token_of(evolve(video, id="another")) is None


async def test_a_job_that_failed_has_no_video():
    """Nothing is noted."""
    async with scene() as s:
        job = await s.pika.submit("a cat")
        s.host.tasks["t1"]["state"] = "failed"
        with pytest.raises(JobFailed):
            await s.after(30, job.wait())
        s.engine.desk.act(job._flight, Ended(JobFailed("no")))
        assert not len(s.engine.orders.origins._tokens)


async def test_the_present_link_is_that_of_the_same_video():
    """A task may hold several."""

    class Twins(Scripted):
        def read_poll(self, response, tasks, /):
            found = Scripted.read_poll(self, response, tasks)
            return {
                task: evolve(one, results=(evolve(one.results[0], id="first"), *one.results))
                for task, one in found.items()
                if getattr(one, "results", ())
            }

    async with scene(Twins()) as s:
        job = await s.pika.submit("a cat")
        await s.after(30, job.wait())
        _, second = job.results
        s.host.tasks["t1"]["url"] = "https://media.test/fresh.mp4"
        assert await s.after(2, s.engine.orders.origins.fresh_link(second)) == "https://media.test/fresh.mp4"


@pytest.mark.parametrize("said", [LOST, refusal("AuthError", 401), answer(200, [])])
async def test_a_link_that_cannot_be_asked_for_is_none(said):
    """The download then says what is wrong with the old one."""
    async with scene() as s:
        video = await s.after(30, s.pika.generate("a cat"))
        s.host.at_poll.append(said)
        assert await s.after(2, s.engine.orders.origins.fresh_link(video)) is None
