"""What a dead process left: any process with the ledger searches for it, at once."""

from __future__ import annotations

import pytest

from pika_async import Generate, State
from pika_async._ledger.records import AttemptState
from pika_async.testing import FakeClock
from tests.batch_story import story
from tests.durable_batch import VIDEO
from tests.engine.ledgers import SharedLedger
from tests.engine.scripted import Historian, scene
from tests.kill_points import Point

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("point", [Point.UNANSWERED, Point.ANSWER_IN_HAND])
async def test_a_program_killed_after_the_acceptance_has_its_video_soon_after_the_restart(point, tmp_path):
    """Its lease of 76 seconds need not be over: the history knows the token."""
    async with story(tmp_path) as s:
        await s.killed_at(point, ["a cat"])
        restarted_at = s.time.wall()
        assert await s.ended(["a cat"]) == {"a cat": VIDEO}
        assert s.time.wall() - restarted_at < 15
        assert s.posts == {"a cat": 1}


async def test_a_program_killed_before_the_first_byte_buys_nothing_twice(tmp_path):
    """Its claim bears no mark of the fence, so nothing was sent: it is bought once, and nobody is asked."""
    async with story(tmp_path) as s:
        await s.killed_at(Point.BEFORE_CONNECT, ["a cat"])
        await s.watched()
        (job,) = await s.jobs()
        assert job.newest.state in {AttemptState.SUBMITTING, AttemptState.QUEUED}
        assert not s.posts
        assert not await s.reconciled(["a cat"])
        assert s.posts == {"a cat": 1}


async def left_submitting(ledger, clock):
    """Let a client die between its POST and the answer; return its hosts."""
    async with scene(Historian(), ledger=ledger, clock=clock) as dead:
        dead.host.hold()
        dead.begin(dead.pika.submit(Generate("a cat"))).add_done_callback(lambda task: task.exception())
        await clock.advance(1)
        for post in dead.engine._dispatch._tasks:
            post.cancel()
        await clock.advance(1)
    dead.host.gate = None
    return dead.hosts


async def test_a_process_without_jobs_of_its_own_sweeps():
    """It has the ledger open and asks about nothing; the dead one's job ends all the same."""
    ledger, clock = SharedLedger(), FakeClock()
    hosts = await left_submitting(ledger, clock)
    async with scene(Historian(), ledger=ledger, clock=clock, hosts=hosts) as s:
        await clock.advance(15)
        assert ledger.job.newest.task is not None
        await clock.advance(60)
        (job,) = await s.pika.jobs()
        assert job.state is State.SUCCEEDED
        assert s.host.billed == {"a cat": 1}


async def test_what_the_history_does_not_know_waits_for_its_time():
    """A search that finds nothing counts only after E; until then nothing is called unresolved."""
    ledger, clock = SharedLedger(), FakeClock()
    hosts = await left_submitting(ledger, clock)
    hosts["scripted"].tasks.clear()
    async with scene(Historian(), ledger=ledger, clock=clock, hosts=hosts) as s:
        await clock.advance(400)
        assert ledger.job.newest.state is AttemptState.AMBIGUOUS
        assert ledger.job.newest.negatives == 0
        await clock.advance(200)
        assert ledger.job.newest.state is AttemptState.UNRESOLVED
        assert len(s.wire.submits) == 0


async def test_a_slow_post_of_a_living_process_costs_few_searches():
    """The longer it takes, the rarer they are."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(Historian(), ledger=ledger, clock=clock) as slow:
        slow.host.hold()
        wait = slow.begin(slow.pika.generate("a cat", timeout=None))
        await clock.advance(1)
        taken = slow.host.tasks.pop("t1")
        async with scene(Historian(), ledger=ledger, clock=clock, hosts=slow.hosts) as s:
            await clock.advance(55)
            assert len(s.host.searched) <= 5
            slow.host.tasks["t1"] = taken
            slow.host.gate.set()
        await clock.advance(60)
        assert wait.result().id == "t1"
        assert slow.host.billed == {"a cat": 1}
