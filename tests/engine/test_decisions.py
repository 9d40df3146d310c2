"""What users decide of a job: to send it again, to abandon it, or to wait no more."""

from __future__ import annotations

import pytest

from pika_async import Generate
from pika_async._ledger.records import AttemptState, JobState
from pika_async.errors import ConfigError, InsufficientBalance, LedgerError, PikaError
from pika_async.results import Cancelled
from pika_async.testing import FakeClock
from tests.engine.deaf import hold_back, shared_by_two
from tests.engine.ledgers import KeptLedger, SharedLedger, WatchedLedger
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


async def test_a_job_that_another_process_finished_is_not_called_unsent():
    """The ledger knows of it before this process has heard the news."""
    async with shared_by_two() as (shop, worker):
        job = await shop.pika.enqueue(Generate("a cat"))
        await worker.after(20, worker.pika.process(job.id))
        assert await job.cancel() is Cancelled.TOO_LATE
        assert (await job.wait()).id == "t1"


async def test_a_job_that_the_ledger_cannot_cancel_is_not_called_unsent():
    """Another process may send it meanwhile; it is cancelled as soon as the ledger works."""
    async with shared_by_two(shop_works=True) as (shop, _):
        hold_back(shop)
        wait = shop.begin(shop.pika.generate("a cat", idempotency_key="k"))
        await shop.clock.advance(1)
        (job,) = await shop.pika.jobs()
        shop.engine.desk.ledger.full = True
        for _ in range(2):
            with pytest.raises(LedgerError, match="not cancelled yet") as caught:
                await job.cancel()
            assert caught.value.charged == "unknown"
        assert not wait.done()
        shop.engine.desk.ledger.full = False
        await shop.clock.advance(10)
        assert "cancelled" in wait.exception().message
        assert not shop.host.billed


async def test_an_order_that_was_left_unsent_can_be_given_up():
    """Its end here is not its end in the ledger, from which somebody might send it later."""
    ledger = KeptLedger()
    async with scene(ledger=ledger, max_submits=0) as s:
        with pytest.raises(InsufficientBalance) as caught:
            await s.pika.generate("a cat")
        await s.clock.advance(1)
        job = caught.value.job
        assert ledger.last[job.id].state is JobState.OPEN
        assert await job.cancel() is Cancelled.UNSENT
        assert ledger.last[job.id].state is JobState.CANCELLED
        assert await job.cancel() is Cancelled.TOO_LATE


async def test_an_order_that_was_left_unsent_is_not_given_up_through_a_closed_client():
    """Its ledger is closed as well."""
    async with scene(ledger=KeptLedger(), max_submits=0) as s:
        with pytest.raises(PikaError) as caught:
            await s.pika.generate("a cat")
        await s.clock.advance(1)
    with pytest.raises(ConfigError, match="closed"):
        await caught.value.job.cancel()
