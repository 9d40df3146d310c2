"""What users decide of a job: to send it again, to abandon it, or to wait no more."""

from __future__ import annotations

import pytest

from pika_async import Generate
from pika_async._ledger.records import AttemptState, JobState
from pika_async.errors import (
    ConfigError,
)
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger, WatchedLedger
from tests.engine.lost_answers import NEVER_ARRIVED, lost
from tests.engine.scripted import LOST, Historian, scene

pytestmark = pytest.mark.anyio


async def test_a_first_caller_who_is_cancelled_does_not_cancel_the_second():
    """Somebody still waits for the job, so it is bought."""
    async with scene(max_concurrency=1) as s:
        s.begin(s.pika.generate("first"))
        one, two = (s.begin(s.pika.generate("a cat", idempotency_key="k")) for _ in range(2))
        await s.clock.advance(1)
        one.cancel()
        await s.clock.advance(60)
        assert two.result().id == "t2"


async def test_a_resubmitted_job_is_reconciled_even_when_its_new_attempt_waits():
    """A word was given and its process died before the POST: what may have been paid is still looked for."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(Historian(), ledger=ledger, clock=clock, max_concurrency=1) as first:
        first.host.at_submit.append(LOST)
        job = await lost(first)
        hidden = first.host.tasks.pop("t1")
        await clock.advance(2100)
        first.host.render_time = 10_000
        first.begin(first.pika.generate("other"))
        await clock.advance(1)
        await job.resubmit()
        await clock.advance(1)
        assert ledger.last[job.id].newest.state is AttemptState.QUEUED
    first.host.tasks["t1"] = hidden
    async with scene(Historian(), ledger=ledger, clock=clock, hosts=first.hosts) as s:
        jobs = {job.id: job async for job in s.pika.recover()}
        assert (await s.after(60, jobs[job.id].wait())).id == "t1"
        assert s.host.billed == {"a cat": 1, "other": 1}


async def test_a_word_is_acted_on_although_the_client_closes_at_once():
    """A person said that the order is to be sent again, and does not wait for it."""
    ledger = WatchedLedger()
    async with scene(Historian(), ledger=ledger) as s:
        s.host.at_submit.append(LOST)
        job = await lost(s)
        s.host.tasks.clear()
        await s.clock.advance(1000)
        await job.resubmit()
    assert s.host.billed.total() == 2
    assert ledger.job.newest.state is AttemptState.RUNNING


async def test_resubmit_is_for_unresolved_jobs():
    """A job that may still come, or has come, is not sent again by mistake."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        with pytest.raises(ConfigError, match="running"):
            await job.resubmit()
        with pytest.raises(ConfigError):
            await job.abandon()
        s.host.at_submit.append(LOST)
        doubtful = await lost(s, "a dog")
        with pytest.raises(ConfigError, match="ambiguous"):
            await doubtful.resubmit()
        await s.clock.advance(30)
        with pytest.raises(ConfigError):
            await job.resubmit()
        assert len(s.wire.submits) == 2


async def unresolved(s, answer=LOST):
    """Return a job that only a person can settle."""
    s.host.at_submit.append(answer)
    job = await lost(s)
    await s.clock.advance(2600)
    assert s.engine.desk.flights[job.id].unresolved
    return job


async def test_one_word_sends_once():
    """Two resubmits on one word are one POST, and its timeouts run from that."""
    async with scene() as s:
        job = await unresolved(s, NEVER_ARRIVED)
        await job.resubmit()
        with pytest.raises(ConfigError):
            await job.resubmit()
        assert (await s.after(30, job.wait(timeout=20))).id == "t1"
        assert s.host.billed == {"a cat": 1}


async def test_after_a_resubmit_the_first_success_wins_and_the_other_is_kept():
    """The old attempt may turn up as well: both were paid, one is the result, the other an extra."""
    ledger = WatchedLedger()
    async with scene(Historian(), ledger=ledger) as s:
        s.host.render_time = 5000
        s.host.at_submit.append(LOST)
        job = await lost(s)
        hidden = s.host.tasks.pop("t1")
        await s.clock.advance(2600)
        s.host.render_time = 10
        await job.resubmit()
        await s.clock.advance(1)
        s.host.tasks["t1"] = hidden
        assert (await s.after(100, job.wait())).id == "t2"
        await s.clock.advance(5000)
        record = ledger.last[job.id]
        assert record.state is JobState.SUCCEEDED
        assert record.winner == record.attempts[1].id
        assert s.host.billed == {"a cat": 2}


async def test_an_abandoned_job_still_takes_a_late_video():
    """Giving up is not an end: what was paid for is welcome."""
    async with scene(Historian()) as s:
        s.host.at_submit.append(LOST)
        job = await lost(s)
        hidden = s.host.tasks.pop("t1")
        await s.clock.advance(2600)
        await job.abandon()
        s.host.tasks["t1"] = hidden
        await s.clock.advance(700)
        assert (await s.after(5, job.wait())).id == "t1"
