"""A process is stopped past every lease and goes on, while a second one sweeps and recovers the same ledger.

The stop is a real SIGSTOP. That minutes pass in it is simulated: every clock of both processes, their timers
and the provider's clock leap together, so that the stopped one wakes with all its deadlines overdue.
"""

from __future__ import annotations

import pytest

from pika_async._ledger.records import AttemptState, JobState
from pika_async.sandbox import CallbackFault
from tests.batch_story import LATER, story
from tests.durable_batch import UNRESOLVED, VIDEO
from tests.kill_points import IN_PROCESS, Point

pytestmark = pytest.mark.anyio

CAT = ("a cat",)
NOT_SENT = (Point.ACK_LOST, Point.BEFORE_CONNECT)
SENT_LATE = (Point.AFTER_FENCE, Point.UNREAD)
ACCEPTED = (Point.UNANSWERED, Point.ANSWER_IN_HAND, Point.OUTCOME_FAILED, Point.POLL_IN_HAND)


async def meanwhile(s, point, **orders):
    """Stop a process at *point* past every lease and give it, with what a second one made of the job then."""
    stopped = s.begin(CAT, point)
    await stopped.reached()
    await stopped.stop()
    s.time.leap(LATER)
    second = await s.ended(CAT, **orders)
    return stopped, second["a cat"]


async def woken(s, stopped):
    """Let a stopped process go on to its end."""
    stopped.go_on()
    if stopped.point not in IN_PROCESS:
        await s.doorway.open()
    return (await s.alone(stopped))["a cat"]


async def job_of(s):
    """Read the one job."""
    (job,) = await s.jobs()
    return job


async def test_a_pause_before_the_intent(tmp_path):
    """The second process buys what is only queued; the first finds the row taken, and shares the video."""
    async with story(tmp_path) as s:
        stopped, second = await meanwhile(s, Point.BEFORE_INTENT)
        assert second == VIDEO
        assert await woken(s, stopped) == VIDEO
        assert s.posts == {"a cat": 1}


@pytest.mark.parametrize("point", NOT_SENT)
async def test_a_stale_fence_sends_nothing(point, tmp_path):
    """The second process takes back what bears no mark and buys it; the first, late, cannot make its mark."""
    async with story(tmp_path) as s:
        stopped, second = await meanwhile(s, point)
        assert second == VIDEO
        assert await woken(s, stopped) == VIDEO
        assert [a.state for a in (await job_of(s)).attempts] == [AttemptState.REFUSED, AttemptState.SUCCEEDED]
        assert s.posts == {"a cat": 1}


@pytest.mark.parametrize("provider", ["acedata", "duomi"])
@pytest.mark.parametrize("point", SENT_LATE)
async def test_a_post_that_leaves_days_late(point, provider, tmp_path):
    """No deadline closes this window; nobody bought again meanwhile, so the late one is the only one."""
    async with story(tmp_path, provider) as s:
        stopped, second = await meanwhile(s, point)
        assert second == UNRESOLVED
        await woken(s, stopped)
        # Its answer may be lost to an overdue deadline: then the history finds it, where there is one.
        await s.watched()
        assert await s.reconciled(CAT) == await in_doubt(s)
        assert provider == "duomi" or (await job_of(s)).state is JobState.SUCCEEDED
        assert s.posts == s.sandbox.billed == {"a cat": 1}


async def in_doubt(s):
    """Return the prompts of the jobs that the ledger lists as unresolved."""
    return {job.request.prompt for job in await s.jobs("unresolved")}


@pytest.mark.parametrize("point", ACCEPTED)
async def test_a_pause_after_the_acceptance(point, tmp_path):
    """The second process finds the task in the history, or polls it, and ends the job; the first agrees."""
    async with story(tmp_path) as s:
        stopped, second = await meanwhile(s, point)
        assert second == VIDEO
        ended = await job_of(s)
        assert await woken(s, stopped) == VIDEO
        assert (await job_of(s)).attempts[0].task == ended.attempts[0].task
        assert s.posts == {"a cat": 1}


@pytest.mark.parametrize("point", [Point.ANSWER_IN_HAND, Point.OUTCOME_FAILED])
async def test_a_late_acceptance_lands(point, tmp_path):
    """Without a history the second process gives up; the answer that the first one holds still counts."""
    async with story(tmp_path, "duomi") as s:
        stopped, second = await meanwhile(s, point)
        assert second == UNRESOLVED
        assert await woken(s, stopped) == VIDEO
        assert s.posts == {"a cat": 1}


async def test_a_late_acceptance_beside_a_resubmitted_attempt(tmp_path):
    """A person's word bought a second one: the job ends once, and both that were paid for are shown."""
    async with story(tmp_path, "duomi") as s:
        stopped, second = await meanwhile(s, Point.ANSWER_IN_HAND, resubmit=frozenset(CAT))
        assert second == VIDEO
        winner = (await job_of(s)).winner
        assert await woken(s, stopped) == VIDEO
        await s.watched()
        job = await job_of(s)
        assert job.winner == winner == job.attempts[1].id
        assert [a.state for a in job.attempts] == [AttemptState.SUCCEEDED] * 2
        assert [extra.task for extra in job.extras] == [job.attempts[0].task]
        assert s.posts == {"a cat": 2}


async def test_a_late_refusal_beside_a_resubmitted_attempt(tmp_path):
    """It settles its own attempt and starts nothing: the newer one has its video."""
    async with story(tmp_path) as s:
        s.refused_once.add("a cat")
        stopped, second = await meanwhile(s, Point.REFUSAL_IN_HAND, resubmit=frozenset(CAT))
        assert second == VIDEO
        assert await woken(s, stopped) == VIDEO
        assert [a.state for a in (await job_of(s)).attempts] == [AttemptState.REFUSED, AttemptState.SUCCEEDED]
        assert s.posts == {"a cat": 2}


async def test_a_pause_between_a_new_row_and_its_claim(tmp_path):
    """The second process sends the row; the first one, back again, finds it sent."""
    async with story(tmp_path) as s:
        stopped, second = await meanwhile(s, Point.BEFORE_NEXT_CLAIM)
        assert second == VIDEO
        assert await woken(s, stopped) == VIDEO
        assert s.posts == {"a cat": 1}


@pytest.mark.parametrize(
    "point", [Point.CALLBACK_RECEIVED, Point.CALLBACK_KEPT, Point.CALLBACK_ANSWERED], ids=str
)
async def test_a_pause_around_a_callback(point, tmp_path):
    """The callback waits in the stopped process or in the inbox; the job ends without it."""
    async with story(tmp_path, receiving=True, callback_faults=CallbackFault.BEFORE_ANSWER) as s:
        stopped, second = await meanwhile(s, point)
        assert second == VIDEO
        assert await woken(s, stopped) == VIDEO
        assert s.posts == {"a cat": 1}


async def test_suspended_alone(tmp_path):
    """Nobody else is there: awake after E, it asks the history before it gives up, and finds its task."""
    async with story(tmp_path) as s:
        only = s.begin(CAT, Point.UNANSWERED)
        await only.reached()
        await only.stop()
        s.time.leap(LATER)
        assert await woken(s, only) == VIDEO
        assert s.posts == {"a cat": 1}
