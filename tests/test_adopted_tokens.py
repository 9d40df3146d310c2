"""Job tokens that no ledger vouches for: they cost nothing before the provider knows their task."""

from __future__ import annotations

import gc

import pytest

from pika_async import ConfigError, JobUnresolved, State
from pika_async._ledger.records import AttemptState, JobState
from pika_async._token import JobToken
from pika_async.results import Task
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger
from tests.engine.scripted import Historian, Host, Scripted, scene
from tests.ledger.records import attempt, job

pytestmark = pytest.mark.anyio


def made_up(number):
    """Return a whole token that nobody ever made."""
    return JobToken(job_id=f"j{number}", provider="scripted", task=Task(f"nobody-{number}")).encode()


async def test_forty_made_up_tokens_take_no_slot_and_leave_no_row():
    """They are looked up within the budget, told apart, and forgotten."""
    ledger = SharedLedger()
    async with scene(ledger=ledger, max_concurrency=4) as s:
        waits = [s.begin(s.pika.job(made_up(number)).wait()) for number in range(40)]
        await s.clock.advance(3)
        assert s.stats.in_flight == 0
        assert await s.after(30, s.pika.generate("a cat"))
        await s.clock.advance(300)
        assert {type(wait.exception()) for wait in waits} == {JobUnresolved}
        assert [job.request.prompt for job in ledger.last.values()] == ["a cat"]
        assert s.stats.polled == 0
        assert not s.engine.desk.flights


async def test_a_job_that_is_only_made_asks_nobody():
    """Turning a token into a job costs nothing."""
    async with scene() as s:
        for number in range(40):
            assert s.pika.job(made_up(number)).state is State.RUNNING
        await s.clock.advance(60)
        assert not s.wire.polls


async def test_tokens_that_are_only_looked_at_leave_nothing_behind():
    """An anonymous page that shows the state of any token must not fill the memory."""
    async with scene() as s:
        for number in range(400):
            assert s.pika.job(made_up(number)).state is State.RUNNING
        gc.collect()
        assert not s.engine.desk.flights
        assert not s.engine.desk.flights.named
        one, same = s.pika.job(made_up(0)), s.pika.job(made_up(0))
        assert one._flight is same._flight


async def test_a_token_and_the_ledger_that_learns_of_it_mean_one_job():
    """Named before this process could read its row, and taken up from the ledger afterwards."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as first:
        first.host.render_time = 30
        token = (await first.pika.submit("a cat")).token
        async with scene(ledger=ledger, clock=clock, hosts=first.hosts) as s:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(ledger, "known", lambda job_id: None)
                named = s.pika.job(token)
            (taken,) = await s.pika.recover()
            waits = [s.begin(job.wait()) for job in (named, taken)]
            await clock.advance(60)
            assert [wait.result().id for wait in waits] == ["t1", "t1"]
            assert s.host.billed == {"a cat": 1}


@pytest.mark.parametrize("provider", [Scripted, Historian])
async def test_a_real_token_is_adopted_by_the_first_look_up(provider):
    """From then on it has its row and its slot, and its video comes."""
    async with scene(provider()) as first:
        first.host.render_time = 60
        job = await first.pika.submit("a cat")
        token, hosts = job.token, first.hosts
    ledger = SharedLedger()
    async with scene(provider(), ledger=ledger, clock=first.clock, hosts=hosts) as s:
        wait = s.begin(s.pika.job(token).wait(timeout=None))
        await s.clock.advance(20)
        assert s.stats.in_flight == 1
        assert ledger.job.id == job.id
        await s.clock.advance(90)
        assert wait.result().id == "t1"
        assert s.stats.in_flight == 0
        assert s.host.billed == {"a cat": 1}


async def test_a_token_of_another_address_is_refused_unasked():
    """Two gateways with one name are told apart by the address, which the token does not hold."""
    async with scene() as s:
        token = JobToken(job_id="j" * 16, provider="scripted", task=Task("t1"), address="0" * 12)
        with pytest.raises(ConfigError, match=r"belongs to scripted .* at another address"):
            s.pika.job(token.encode())


async def test_a_made_up_token_takes_no_task_from_the_job_that_a_callback_bound_to_it():
    """A genuine callback says more than a token that anybody may write, where look-ups echo nothing."""
    ledger, clock = SharedLedger(), FakeClock()
    host = Host(clock, render_time=60)
    host.tasks["t1"] = {"id": "t1", "done_at": clock.now() + 60}
    bound = attempt(
        state=AttemptState.RUNNING, task=Task("t1"), bound_by="callback", account="scripted:default"
    )
    await ledger.create(job(bound))
    async with scene(Scripted(), ledger=ledger, clock=clock, hosts={"scripted": host}) as s:
        token = JobToken(job_id="made-up", provider="scripted", task=Task("t1")).encode()
        stolen = s.begin(s.pika.job(token).wait(timeout=90))
        await clock.advance(30)
        assert (await ledger.get("j")).newest.task == Task("t1")
        await clock.advance(90)
        assert (await ledger.get("j")).state is JobState.SUCCEEDED
        assert stolen.exception() is not None
