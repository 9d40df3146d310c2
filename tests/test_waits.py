"""How a wait ends early, and what its caller is told."""

from __future__ import annotations

import asyncio

import pytest

from pika_async import JobTimeout
from pika_async.errors import BadReply
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
