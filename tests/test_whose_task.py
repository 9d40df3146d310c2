"""Whose task an answer is about: what echoes another token is a stranger's, and given to nobody."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import define

from pika_async import Generate, JobUnresolved, State
from pika_async._ledger.memory import MemoryLedger
from pika_async.callbacks import CallbackEvent, Callbacks
from pika_async.callbacks.token import token_in
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger, WatchedLedger
from tests.engine.pushes.pushing import Rememberer
from tests.engine.scripted import LOST, Historian, Host, Scripted, answer, scene

pytestmark = pytest.mark.anyio

STRANGER = {"id": "s1", "state": "running", "callback_url": "https://callback.invalid/x-1-y.forged"}


@define(eq=False)
class MixedUp(Host):
    """Takes the first POST, and answers it with what was meant for somebody else."""

    stray: Any = None

    async def _submit(self, request):
        if self.stray is None:
            return await super()._submit(request)
        self.accept(request)
        stray, self.stray = self.stray, None
        self.tasks["s1"] = {"id": "s1", "done_at": 0.0, "callback_url": STRANGER["callback_url"]}
        return answer(200, stray)


def mixed_up(stray=STRANGER, **options):
    """Open a client whose first POST gets a stray answer."""
    clock = FakeClock()
    hosts = {"scripted": MixedUp(clock, stray=stray)}
    return scene(Historian(), clock=clock, hosts=hosts, **options)


async def test_a_stray_answer_is_not_believed():
    """The look-up that finds its end echoes another token: our own task is found in the history instead."""
    ledger = WatchedLedger()
    async with mixed_up(ledger=ledger) as s:
        video = await s.after(900, s.pika.generate("a cat", timeout=None))
        assert video.id == "t1"
        assert ledger.job.newest.task.id == "t1"
        assert ledger.job.newest.bound_by == "echo"
        assert "Mismatch" in ledger.order
        assert s.host.billed == {"a cat": 1}


async def test_a_stray_answer_that_brings_a_video_is_not_given_away():
    """Even when the answer itself claims to be the end of the render."""
    async with mixed_up({**STRANGER, "state": "done", "url": "https://media.test/s1.mp4"}) as s:
        wait = s.begin(s.pika.generate("a cat", timeout=None))
        await s.clock.advance(900)
        assert wait.result().id == "t1"


@pytest.mark.parametrize("ledger", [MemoryLedger, SharedLedger])
async def test_a_token_made_of_a_stray_answer_brings_no_video_elsewhere(ledger):
    """It was read off before the first look; where no ledger knows the job, the echo still names another."""
    async with mixed_up() as s:
        s.host.render_time = 10_000
        token, hosts = (await s.pika.submit("a cat")).token, s.hosts
    async with scene(Historian(), ledger=ledger(), clock=s.clock, hosts=hosts) as other:
        job = other.pika.job(token)
        wait = other.begin(job.wait())
        await s.clock.advance(60)
        assert isinstance(wait.exception(), JobUnresolved)
        assert not job.results
        assert other.stats.in_flight == 0


async def test_an_answer_without_an_echo_costs_no_look_up_more():
    """Where the provider echoes our token, the look that finds the end confirms it: as many looks."""
    looks = {}
    for provider in (Scripted(), Historian()):
        async with scene(provider, poll_interval=1) as s:
            await s.after(30, s.pika.generate("a cat"))
            looks[type(provider).__name__] = len(s.wire.polls)
    assert looks["Historian"] == looks["Scripted"]


async def test_the_slot_stays_taken_while_our_own_task_is_looked_for():
    """Something of ours may well be rendering."""
    async with mixed_up(max_concurrency=1) as s:
        s.host.render_time = 10_000
        s.begin(s.pika.generate("a cat", timeout=None))
        await s.clock.advance(3)
        assert s.stats.in_flight == 1


async def test_without_a_history_a_mismatch_ends_before_a_person():
    """Nothing is bought again, and the job says what it is."""
    async with mixed_up() as s:
        wait = s.begin(s.pika.generate("a cat", timeout=None))
        await s.clock.advance(1)
        for id_ in tuple(s.host.tasks):
            if id_ != "s1":
                del s.host.tasks[id_]
        await s.clock.advance(3000)
        assert isinstance(wait.exception(), JobUnresolved)
        assert len(s.wire.submits) == 1


async def test_where_nothing_is_echoed_each_submit_has_its_own_connection(monkeypatch):
    """There an answer is tied to its request by the connection alone."""
    asked = []
    async with scene() as s:
        submit = type(s.wire).submit

        async def noting(self, request, fence=None, *, fresh_connection=False):
            asked.append(fresh_connection)
            return await submit(self, request, fence)

        monkeypatch.setattr(type(s.wire), "submit", noting)
        s.engine._dispatch._posts._may_ask_for_fresh = True
        await s.after(30, s.pika.generate("a cat"))
    async with scene(Historian()) as s:
        s.engine._dispatch._posts._may_ask_for_fresh = True
        await s.after(30, s.pika.generate("a cat"))
    assert asked == [True, False]


async def test_a_callback_that_names_a_strangers_task_binds_nothing():
    """The history lags, and the task's own record shows another address: our job stays ours."""
    ledger = WatchedLedger()
    callbacks = Callbacks(public_url="https://app.example.com/pika")
    async with scene(Rememberer(), ledger=ledger, callbacks=callbacks, poll_rate=None) as s:
        s.host.at_submit.append(LOST)
        wait = s.begin(s.pika.generate("a cat", timeout=None))
        await s.clock.advance(0.5)
        mine = s.host.tasks.pop("t1")
        s.host.tasks["s1"] = {"id": "s1", "done_at": 0.0, "callback_url": STRANGER["callback_url"]}
        url = s.wire.submits[0].body.value["callback_url"].reveal()
        event = CallbackEvent(
            attempt_id=token_in(url).rpartition(".")[0],
            content_type="application/json",
            headers={},
            body=json.dumps({"id": "s1", "state": "done", "url": "https://media.test/s1.mp4"}).encode(),
        )
        await s.engine.inbox.receive(event)
        await s.clock.advance(30)
        assert ledger.job.newest.task is None
        s.host.tasks["t1"] = mine
        await s.clock.advance(900)
        job = (await s.pika.jobs())[0]
        assert [video.id for video in job.results] == ["t1"]
        assert wait.done()


async def test_one_bot_check_page_is_weather():
    """A 403 without the provider's own code ends no wait; only a series of them does."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        page = {"error": "ProviderUnavailable"}
        s.host.at_poll.extend(answer(403, page) for _ in range(2))
        video = await s.after(60, job.wait())
        assert video.id == "t1"
        second = await s.pika.submit(Generate("a dog"))
        s.host.on_poll = lambda ids: answer(403, page)
        wait = s.begin(second.wait())
        await s.clock.advance(120)
        assert wait.exception().charged == "yes"
        assert second.state is State.RUNNING
