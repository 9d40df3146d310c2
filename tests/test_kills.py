"""A program that buys a durable batch is killed and started again until it is done; the provider counts.

Sixty kills by SIGKILL, at every point that docs/pay-once.md names and at random moments: nothing lost,
nothing bought twice, every doubt surfaced. `python -m benchmarks.kills` does a thousand.
"""

from __future__ import annotations

import asyncio
import shutil
from random import Random

import pytest

from pika_async._ledger.events import NextAttempt, Resubmit
from pika_async._ledger.records import AttemptState
from pika_async.sandbox import CallbackFault
from tests.batch_story import LATER, story
from tests.durable_batch import UNRESOLVED, VIDEO
from tests.kill_points import Point

pytestmark = pytest.mark.anyio

EVERYWHERE = (
    Point.BEFORE_INTENT,
    Point.ACK_LOST,
    Point.BEFORE_CONNECT,
    Point.AFTER_FENCE,
    Point.UNREAD,
    Point.UNANSWERED,
    Point.ANSWER_IN_HAND,
    Point.OUTCOME_FAILED,
    Point.BEFORE_NEXT_CLAIM,
    Point.POLL_IN_HAND,
)


def more(life: int) -> list[str]:
    """Return prompts that were not in the batch before, so that each life has something to buy."""
    return [f"cat {life}.{number}" for number in range(3)]


@pytest.mark.parametrize("point", EVERYWHERE)
async def test_kills_at(point, tmp_path):
    """Two lives end there, the third one brings every video home; a POST still unread then arrives late."""
    prompts = []
    async with story(tmp_path) as s:
        for life in range(2):
            prompts += more(life)
            await s.killed_at(point, prompts, nth=1 if point is Point.BEFORE_NEXT_CLAIM else 1 + life)
            if point is Point.UNREAD:
                await s.doorway.open()
        await s.settled(prompts)


async def test_kills_whose_bytes_never_arrive(tmp_path):
    """The provider's machine dies with them: the program says that it cannot know, and a person can."""
    prompts = []
    async with story(tmp_path) as s:
        for life in range(2):
            prompts += more(life)
            await s.killed_at(Point.UNREAD, prompts)
            s.doorway.drop()
        assert await s.reconciled(prompts)
        await s.settled(prompts)


@pytest.mark.parametrize("point", EVERYWHERE)
async def test_kills_without_history(point, tmp_path):
    """A provider that cannot be searched: nothing is bought twice, and what is in doubt stays visible."""
    prompts = more(0)
    async with story(tmp_path, "duomi") as s:
        await s.killed_at(point, prompts)
        if point is Point.UNREAD:
            await s.doorway.open()
        doubtful = await s.reconciled(prompts)
        assert set(s.posts.values()) <= {1}
        assert set(prompts) - doubtful <= s.sandbox.billed.keys()
        assert await s.reconciled(prompts) == doubtful
        assert set(s.posts.values()) <= {1}


@pytest.mark.parametrize(
    "point", [Point.CALLBACK_RECEIVED, Point.CALLBACK_KEPT, Point.CALLBACK_ANSWERED], ids=str
)
async def test_kills_around_a_callback(point, tmp_path):
    """It comes before the POST's own answer; kept, answered or neither, no job depends on it."""
    prompts = []
    async with story(tmp_path, receiving=True, callback_faults=CallbackFault.BEFORE_ANSWER) as s:
        for life in range(2):
            prompts += more(life)
            await s.killed_at(point, prompts, nth=1 + life)
        await s.settled(prompts)


async def test_kills_with_a_refusal_in_hand(tmp_path):
    """What it said is lost: the attempt is in doubt, and only the word of a person makes another POST."""
    prompts = []
    async with story(tmp_path) as s:
        for life in range(2):
            prompts += more(life)
            s.refused_once.add(prompts[-1])
            await s.killed_at(Point.REFUSAL_IN_HAND, prompts)
        await s.settled(prompts)
        assert [s.posts[f"cat {life}.2"] for life in range(2)] == [2, 2]


@pytest.mark.parametrize("point", [Point.UNREAD, Point.UNANSWERED], ids=str)
async def test_kills_after_a_suspension_through_the_end_of_all_leases(point, tmp_path):
    """Stopped, minutes pass, it goes on with every timer overdue, and is killed while it finds its feet."""
    prompts = more(0)
    async with story(tmp_path) as s:
        child = s.begin(prompts, point)
        await child.reached()
        await child.stop()
        s.time.leap(LATER)
        child.go_on()
        await asyncio.sleep(0.01)
        child.kill()
        await s.doorway.open()
        await s.settled(prompts)


@pytest.fixture
async def resubmitted(tmp_path):
    """Return a story whose only job was unresolved and resubmitted, and killed before the claim of that."""
    async with story(tmp_path) as s:
        await s.killed_at(Point.UNREAD, ["a cat"])
        assert await s.reconciled(["a cat"]) == {"a cat"}
        await s.killed_at(Point.BEFORE_NEXT_CLAIM, ["a cat"], resubmit=frozenset({"a cat"}))
        s.words["a cat"] = 1
        yield s


async def test_one_word_of_a_person_is_one_more_attempt(resubmitted):
    """Killed between word and claim, the new row is sent once, later; a second word changes nothing."""
    resubmitted.doorway.drop()
    async with resubmitted.opened() as ledger:
        (job,) = await ledger.jobs()
        again = Resubmit(next=NextAttempt(id=f"{job.id}-3-x", account=job.newest.account))
        assert not (await ledger.apply(job.id, again)).moved
    await resubmitted.settled(["a cat"])
    assert resubmitted.posts == {"a cat": 1}


async def test_evidence_before_the_claim_makes_the_resubmitted_attempt_needless(resubmitted):
    """The first POST was read after all: the history knows it, and the second one is never sent."""
    await resubmitted.doorway.open()
    await resubmitted.watched()
    (job,) = await resubmitted.jobs()
    assert [a.state for a in job.attempts] == [AttemptState.SUCCEEDED, AttemptState.CANCELLED]
    await resubmitted.settled(["a cat"])
    assert resubmitted.posts == {"a cat": 1}


@pytest.mark.parametrize("went_on", [True, False])
async def test_a_restored_ledger_is_believed_only_as_far_as_it_can_know(went_on, tmp_path):
    """Copied with a callback pending and a job unsent; that the original *went on* the copy cannot tell."""
    prompts = ["a cat", "a dog"]
    async with story(tmp_path, receiving=True, callback_faults=CallbackFault.BEFORE_ANSWER) as s:
        await s.killed_at(Point.CALLBACK_KEPT, prompts, max_concurrency=1)
        restored = tmp_path / "restored"
        restored.mkdir()
        for file in tmp_path.glob("jobs.db*"):
            shutil.copy(file, restored)
        if went_on:
            await s.settled(prompts)
        s.time.leap(LATER)
        assert await s.ended(prompts, ledger=restored / "jobs.db") == {
            "a cat": VIDEO,
            "a dog": VIDEO if went_on else UNRESOLVED,
        }
        assert s.posts == dict.fromkeys(prompts if went_on else ["a cat"], 1)


@pytest.mark.parametrize("seed", range(2))
async def test_kills_at_random_moments(seed, tmp_path):
    """Ten lives end anywhere, while the ledger is opened or later; the eleventh brings every video home."""
    chance, prompts = Random(seed), []
    async with story(tmp_path, render_time=0.3) as s:
        for life in range(10):
            prompts += more(life)
            s.time.leap(chance.choice([0.0, 20.0, LATER]))
            await s.killed_after(chance.uniform(0, 0.1), prompts)
        await s.settled(prompts)


async def test_two_processes_with_the_same_batch(tmp_path):
    """Both drive the same jobs at once: each video is bought by one of them and given to both."""
    prompts = [f"cat {number}" for number in range(12)]
    async with story(tmp_path) as s:
        first, second = s.begin(prompts), s.begin(prompts)
        assert set((await first.results()).values()) == {VIDEO}
        assert set((await s.alone(second)).values()) == {VIDEO}
        assert s.posts == dict.fromkeys(prompts, 1)


async def test_a_disk_that_stays_full_costs_no_video(tmp_path):
    """No outcome can be committed: the process goes on from memory, and the next one finds it all again."""
    async with story(tmp_path) as s:
        child = s.begin(["a cat"], Point.OUTCOME_FAILED)
        await child.reached()
        child.go_on()
        assert await s.alone(child) == {"a cat": VIDEO}
        assert {a.state for job in await s.jobs() for a in job.attempts} == {AttemptState.SENDING}
        await s.settled(["a cat"])
        assert s.posts == {"a cat": 1}


async def test_a_claim_whose_commit_fails_although_it_is_durable(tmp_path):
    """The disk says no after it has written: nothing is sent on the strength of that, but once, later."""
    async with story(tmp_path) as s:
        assert await s.ended(["a cat"], stop_at=Point.ACK_FAILED) == {"a cat": VIDEO}
        assert s.posts == {"a cat": 1}
        (job,) = await s.jobs()
        assert [a.state for a in job.attempts] == [AttemptState.REFUSED, AttemptState.SUCCEEDED]
        await s.settled(["a cat"])
