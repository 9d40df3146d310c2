"""The flight of a job that a token or a record names: the one that is here, or a new one; nobody is asked."""

from __future__ import annotations

import pytest
from attrs import evolve

from pika_async import Generate
from pika_async._ledger.records import AttemptState, JobState
from pika_async._token import JobToken
from pika_async.errors import ConfigError
from pika_async.results import Task
from tests.engine.scripted import Scripted, capable, scene
from tests.ledger.records import attempt, job, succeeded

pytestmark = pytest.mark.anyio

TOKEN = JobToken(job_id="0pf3k2", provider="scripted", label="default", task=Task("t9"))


async def test_a_token_of_a_job_that_is_here_is_that_job():
    """While it is under way, and until its end is told."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        assert s.engine.orders.known.by_token(JobToken.decode(job.token)) is job._flight
        await s.clock.advance(30)
        assert s.engine.orders.known.by_token(JobToken.decode(job.token)) is job._flight


async def test_a_token_alone_names_a_task_that_nobody_vouched_for():
    """It bears no slot, and the same token gives the same flight while somebody holds it."""
    async with scene() as s:
        flight = s.engine.orders.known.by_token(TOKEN)
        newest = flight.record.newest
        assert (newest.state, newest.task, newest.slot) == (AttemptState.RUNNING, Task("t9"), False)
        assert (flight.adopted, flight.recorded, flight.entered) == (True, False, False)
        assert s.engine.orders.known.by_token(TOKEN) is flight
        assert not s.wire.polls


async def test_a_token_from_before_the_acceptance_names_no_task():
    """Only the ledger that recorded the order can say more."""
    async with scene() as s:
        flight = s.engine.orders.known.by_token(evolve(TOKEN, task=None))
        assert (flight.record.newest.state, flight.task) == (AttemptState.QUEUED, None)


@pytest.mark.parametrize("other", [{"provider": "else"}, {"label": "work"}, {"address": "elsewhere"}])
async def test_a_token_of_another_account_is_refused(other):
    """Its task would be asked for with a key that does not know it."""
    async with scene() as s:
        with pytest.raises(ConfigError, match="open"):
            s.engine.orders.known.by_token(evolve(TOKEN, **other))


async def test_an_open_job_of_the_ledger_waits_until_somebody_waits_for_it():
    """One that has ended shows its end at once."""
    async with scene() as s:
        known, account = s.engine.orders.known, "scripted:default"
        running = attempt(state=AttemptState.RUNNING, task=Task("t9"), account=account)
        flight = known.of_record(job(running))
        assert not flight.entered
        assert known.of_record(job(running)) is flight
        done = attempt(job_id="k", state=AttemptState.SUCCEEDED, outcome=succeeded(), account=account)
        ended = known.of_record(job(done, name="k", state=JobState.SUCCEEDED, winner="k-1"))
        assert ended.ended
        assert known.taken_up(job(evolve(running, id="l-1", job_id="l"), name="l")).entered


async def test_a_job_that_is_here_for_its_look_ups_alone_may_not_be_ours():
    """Another process has the account of its other attempt; that it is paid is in its record."""
    async with scene(Scripted(), Scripted(capabilities=capable("second"))) as s:
        flight = (await s.pika.submit(Generate("a cat")))._flight
        flight.record = evolve(
            flight.record, attempts=(attempt(account="elsewhere:default"), *flight.record.attempts)
        )
        assert s.engine.orders.known.get(flight.id) is flight
        flight.wanted = False
        with pytest.raises(ConfigError, match="elsewhere") as other:
            s.engine.orders.known.get(flight.id)
        assert other.value.charged == "yes"
