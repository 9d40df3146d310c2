"""What those who wait are told of a change, and what the log says of it."""

from __future__ import annotations

import pytest

from pika_async._engine.effects import Accepted, Ended
from pika_async.errors import SubmitRefused
from tests.engine.scripted import LOST, scene

pytestmark = pytest.mark.anyio


async def test_an_end_is_told_once():
    """Whatever is learned afterwards, nobody is told another error."""
    async with scene() as s:
        job = await s.pika.submit("a cat")
        video = await s.after(30, job.wait())
        s.engine.desk.act(job._flight, Ended(SubmitRefused("too late")))
        assert job._flight.error is None
        assert (await job.wait()).id == video.id


async def test_acceptance_never_takes_an_end_back():
    """Evidence of another task may come later."""
    async with scene() as s:
        job = await s.pika.submit("a cat")
        await s.after(30, job.wait())
        s.engine.desk.act(job._flight, Accepted())
        assert job._flight.ended


async def test_a_doubt_is_a_warning_in_the_log(caplog):
    """Everything else is told at INFO."""
    async with scene() as s:
        caplog.set_level("INFO", logger="pika_async")
        s.host.at_submit.append(LOST)
        s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
    levels = {
        r.getMessage().rpartition(" ")[2]: r.levelname
        for r in caplog.records
        if "attempt 1" in r.getMessage()
    }
    assert levels["ambiguous"] == "WARNING"
    assert levels["submitting"] == "INFO"
