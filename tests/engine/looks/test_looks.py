"""Look-ups shared by all jobs of an account, and what they tell."""

from __future__ import annotations

import asyncio
import random
from itertools import pairwise

import pytest

from pika_async import Generate, State
from pika_async._engine.looks.looks import LOOKUPS_AT_ONCE
from pika_async._token import JobToken
from pika_async._transport import SendError
from pika_async.errors import AuthError, JobFailed, JobTimeout, JobUnresolved, PikaError
from tests.engine.scripted import Scripted, answer, capable, refusal, scene

pytestmark = pytest.mark.anyio


async def gather(s, count, seconds, **options):
    """Buy *count* videos at once and give them after *seconds*."""
    waits = (s.pika.generate(str(n), **options) for n in range(count))
    return await s.after(seconds, asyncio.gather(*waits))


async def test_tasks_are_looked_up_together():
    """A hundred and twenty jobs need a few full batches, not a hundred and twenty looks."""
    async with scene(max_concurrency=200) as s:
        videos = await gather(s, 120, 60)
        assert len({video.id for video in videos}) == 120
        sizes = [len(ids) for _, ids in s.host.asked]
        assert max(sizes) == 50
        assert len(sizes) < 30


@pytest.mark.parametrize(("mine", "theirs", "most"), [(7, 50, 7), (50, 3, 3), (50, 1, 1)])
async def test_the_smaller_batch_counts(mine, theirs, most):
    """The user's wish and the provider's limit are both kept."""
    provider = Scripted(capabilities=capable(poll_batch=theirs))
    async with scene(provider, poll_batch=mine, poll_rate=None) as s:
        await gather(s, 20, 60)
        assert max(len(ids) for _, ids in s.host.asked) == most


@pytest.mark.parametrize("rate", [0.5, 1, 4])
async def test_the_budget_is_kept(rate):
    """No second holds more look-ups than the account may send."""
    async with scene(Scripted(capabilities=capable(poll_batch=1)), poll_rate=rate, poll_interval=0.1) as s:
        await gather(s, 20, 120)
        times = [at for at, _ in s.host.asked]
        assert all(b - a >= 1 / rate - 1e-9 for a, b in pairwise(times))


async def test_look_ups_without_a_budget_are_bounded():
    """However many jobs are due, only so many look-ups are on the wire at once."""
    gate, on_the_wire = asyncio.Event(), []

    async def wait():
        on_the_wire.append(1)
        await gate.wait()
        return answer(200, [])

    async with scene(Scripted(capabilities=capable(poll_batch=1)), poll_rate=None, max_concurrency=100) as s:
        s.host.on_poll = lambda ids: wait()
        for n in range(40):
            await s.pika.submit(Generate(str(n)))
        await s.clock.advance(5)
        assert len(on_the_wire) == LOOKUPS_AT_ONCE
        s.host.on_poll = lambda ids: None
        gate.set()
        await s.clock.advance(30)
        assert s.stats.polled == 0


async def test_partial_and_shuffled_answers_are_sorted_out():
    """Each task is found by its id; what is not in an answer is asked for again."""
    order = random.Random(4)

    async with scene() as s:

        def some(ids):
            return s.host.told(order.sample(ids, k=(len(ids) + 1) // 2))

        s.host.on_poll = some
        videos = await gather(s, 30, 120)
        assert [v.video_url for v in videos] == [f"https://media.test/t{n + 1}.mp4" for n in range(30)]


async def test_what_was_not_asked_for_is_ignored():
    """Other people's tasks in an answer are not ours."""
    async with scene() as s:
        s.host.on_poll = lambda ids: (
            answer(200, [{"id": "foreign", "state": "done", "url": "x"}]) if (len(s.host.asked) < 4) else None
        )
        assert (await s.after(60, s.pika.generate("a cat"))).id == "t1"


async def test_half_of_all_look_ups_failing_delays_nothing_but_the_end():
    """Lost lines, 500s and pages of HTML: each is one look that told nothing."""
    dice = random.Random(8)
    bad = [SendError("cut", sent=True), refusal("ProviderUnavailable", 503), answer(502, "<html>")]

    async with scene() as s:
        s.host.on_poll = lambda ids: dice.choice([*bad, None, None, None])
        videos = await gather(s, 40, 300)
        assert len({video.id for video in videos}) == 40


async def test_a_storm_of_429_slows_the_looks_and_passes():
    """Retry-After is kept, the pace comes back, and every job ends rightly."""
    async with scene() as s:
        storm = [True]
        s.host.on_poll = lambda ids: refusal("RateLimited", 429, retry_after="7") if storm else None
        waits = [s.begin(s.pika.generate(str(n))) for n in range(20)]
        await s.clock.advance(60)
        times = [at for at, _ in s.host.asked]
        assert all(b - a >= 7 for a, b in pairwise(times))
        assert not any(wait.done() for wait in waits)
        storm.clear()
        await s.clock.advance(120)
        assert all(wait.done() for wait in waits)
        s.host.asked.clear()
        await gather(s, 20, 60)
        assert len(s.host.asked) > 3


async def test_400_halves_the_batch_for_good():
    """The real limit is found, each task is still looked up, and the limit is remembered."""
    async with scene(max_concurrency=100) as s:
        s.host.on_poll = lambda ids: refusal("SubmitRefused", 400) if len(ids) > 8 else None
        await gather(s, 60, 200)
        refused = [ids for _, ids in s.host.asked if len(ids) > 8]
        assert 1 <= len(refused) <= 6
        s.host.asked.clear()
        await gather(s, 60, 200)
        assert max(len(ids) for _, ids in s.host.asked) <= 8


async def test_a_garbled_answer_loses_no_job(monkeypatch):
    """Whatever an adapter makes of an answer, the task is looked up again."""
    read, spoilt = (
        Scripted.read_poll,
        [None, "text", {"t1": "text"}, {"t1": None}, ["t1"], KeyError("a defect")],
    )

    def spoil(self, response, tasks, /):
        if spoilt:
            told = spoilt.pop()
            if isinstance(told, Exception):
                raise told
            return told
        return read(self, response, tasks)

    monkeypatch.setattr(Scripted, "read_poll", spoil)
    async with scene() as s:
        assert (await s.after(100, s.pika.generate("a cat"))).id == "t1"
        assert not spoilt


async def test_a_snapshot_of_another_task_ends_nothing(monkeypatch):
    """A task's result is taken for its own only."""
    read = Scripted.read_poll

    def confuse(self, response, tasks, /):
        told = read(self, response, tasks)
        return {"t1": told["t2"], "t2": told["t1"]} if len(told) == 2 and len(s.host.asked) < 5 else told

    monkeypatch.setattr(Scripted, "read_poll", confuse)
    async with scene() as s:
        s.host.render_time = 2
        first, second = await gather(s, 2, 100)
        assert (first.id, second.id) == ("t1", "t2")


async def test_a_task_the_provider_forgets_is_unresolved_after_a_grace():
    """One absence is not "gone": it takes several, over two minutes; then a person must look."""
    async with scene() as s:
        s.host.render_time = 1000
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(20)
        forgotten = s.host.tasks.pop("t1")
        await s.clock.advance(100)
        assert not wait.done()
        await s.clock.advance(60)
        error = wait.exception()
        assert isinstance(error, JobUnresolved)
        assert error.charged == "yes"
        assert "pika-async resolve" in error.message
        with pytest.raises(JobUnresolved):
            await error.job.wait()
        looks = len(s.host.asked)
        await s.clock.advance(600)
        assert 5 <= len(s.host.asked) - looks <= 15
        s.host.tasks["t1"] = forgotten
        await s.clock.advance(70)
        assert error.job.state is State.RUNNING
        assert (await s.after(400, error.job.wait())).id == "t1"
        assert s.host.billed["a cat"] == 1


async def test_a_task_missing_for_a_while_is_not_forgotten():
    """Being seen once begins the count anew."""
    async with scene() as s:
        s.host.render_time = 1000
        wait = s.begin(s.pika.generate("a cat", timeout=None))
        await s.clock.advance(20)
        for _ in range(6):
            s.host.on_poll = lambda ids: answer(200, [])
            await s.clock.advance(100)
            s.host.on_poll = lambda ids: None
            await s.clock.advance(60)
        assert not wait.done()
        await s.clock.advance(60)
        assert wait.result().id == "t1"


async def test_a_forgotten_task_gives_its_slot_back_in_time():
    """With one slot, a job that nobody can vouch for must not stop all others for ever."""
    async with scene(max_concurrency=1) as s:
        s.host.render_time = 5000
        first = s.begin(s.pika.generate("first"))
        second = s.begin(s.pika.generate("second"))
        await s.clock.advance(20)
        s.host.tasks.clear()
        await s.clock.advance(200)
        assert isinstance(first.exception(), JobUnresolved)
        assert s.host.billed["second"] == 0
        s.host.render_time = 10
        await s.clock.advance(2600)
        assert second.done()
        assert s.host.billed["second"] == 1


async def test_a_refused_key_pauses_the_account_and_a_new_wait_tries_again():
    """The error holds the paid job; nothing is asked meanwhile, and nothing is lost."""
    async with scene() as s:
        waits = [s.begin(s.pika.generate(str(n))) for n in range(3)]
        await s.clock.advance(0)
        s.host.on_poll = lambda ids: refusal("AuthError", 401)
        await s.clock.advance(30)
        errors = [wait.exception() for wait in waits]
        assert all(isinstance(error, AuthError) for error in errors)
        assert {error.charged for error in errors} == {"yes"}
        assert len({error.job.id for error in errors}) == 3
        assert s.stats.paused
        looks = len(s.host.asked)
        await s.clock.advance(600)
        assert len(s.host.asked) == looks
        s.host.on_poll = lambda ids: None
        again = asyncio.gather(*(error.job.wait() for error in errors))
        assert len(await s.after(20, again)) == 3
        assert s.stats.paused is None


async def test_a_new_job_on_a_paused_account_is_not_left_alone():
    """The account is tried again for it: it either ends, or says that the key is refused."""
    async with scene() as s:
        s.host.on_poll = lambda ids: refusal("AuthError", 403)
        first = s.begin(s.pika.generate("first"))
        await s.clock.advance(30)
        assert isinstance(first.exception(), AuthError)
        second = s.begin(s.pika.generate("second"))
        await s.clock.advance(30)
        assert isinstance(second.exception(), AuthError)
        s.host.on_poll = lambda ids: None
        assert (await s.after(30, s.pika.generate("third"))).id == "t3"


async def test_no_output_is_confirmed_by_a_second_look():
    """A success word without a link is looked at again before the job fails."""
    async with scene() as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(0)
        s.host.tasks["t1"] |= {"state": "failed", "reason": "no_output"}
        while not s.host.asked:
            await s.clock.advance(0.5)
        assert not wait.done()
        await s.clock.advance(10)
        error = wait.exception()
        assert isinstance(error, JobFailed)
        assert error.code == "no_output"
        assert len(s.host.asked) == 2


async def test_a_link_that_comes_late_is_taken():
    """The second look may find what the first did not."""
    async with scene() as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(0)
        s.host.tasks["t1"] |= {"state": "failed", "reason": "no_output"}
        while not s.host.asked:
            await s.clock.advance(0.5)
        s.host.tasks["t1"] |= {"state": "done"}
        await s.clock.advance(10)
        assert wait.result().video_url


@pytest.mark.parametrize("reason", ["content", "provider"])
async def test_a_failed_render_ends_the_job(reason):
    """The error says what the provider said, and the job keeps the provider's own words."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        s.host.tasks["t1"] |= {"state": "failed", "reason": reason}
        with pytest.raises(JobFailed, match="bad luck") as caught:
            await s.after(20, job.wait())
        assert caught.value.phase == "poll"
        assert job.state is State.FAILED
        assert job.raw["reason"] == reason
        assert s.stats.in_flight == 0


async def test_locators_are_merged():
    """What a later look does not mention stays valid, and the token carries all of it."""
    async with scene() as s:
        s.host.render_time = 100
        job = await s.pika.submit(Generate("a cat"))
        for locator in ({"a": 1, "b": 1}, {"b": 2}, {}, {"c": 3}):
            s.host.tasks["t1"]["locator"] = locator
            await s.clock.advance(20)
        task = JobToken.decode(job.token).task
        assert (task.id, dict(task.locator)) == ("t1", {"a": 1, "b": 2, "c": 3})


async def test_poll_after_zero_is_granted_once_in_a_row():
    """An adapter that always has "more to fetch now" is believed every other time."""
    async with scene(poll_rate=None, poll_interval=2) as s:
        s.host.render_time = 100
        await s.pika.submit(Generate("a cat"))
        s.host.tasks["t1"]["poll_after"] = 0
        await s.clock.advance(41)
        times = [at for at, _ in s.host.asked]
        pairs = [b - a for a, b in pairwise(times)]
        assert pairs[0::2] == [0] * len(pairs[0::2])
        assert all(gap >= 2 for gap in pairs[1::2])


async def test_poll_after_is_kept():
    """The provider's own wish spaces the looks."""
    async with scene(poll_rate=None) as s:
        s.host.render_time = 100
        await s.pika.submit(Generate("a cat"))
        s.host.tasks["t1"]["poll_after"] = 15
        await s.clock.advance(90)
        times = [at for at, _ in s.host.asked]
        assert all(b - a >= 15 for a, b in pairwise(times))


async def test_no_wait_outlives_the_longest_render():
    """A task that is never done ends the wait, is looked up slowly, and its late video is still taken."""
    async with scene(Scripted(capabilities=capable(longest_render=100))) as s:
        s.host.render_time = 1000
        wait = s.begin(s.pika.generate("a cat", timeout=None))
        await s.clock.advance(95)
        assert not wait.done()
        await s.clock.advance(60)
        error = wait.exception()
        assert isinstance(error, JobUnresolved)
        looks = len(s.host.asked)
        await s.clock.advance(600)
        assert 5 <= len(s.host.asked) - looks <= 15
        await s.clock.advance(400)
        assert (await error.job).id == "t1"


async def test_status_asks_now():
    """It does not wait for the job's turn, and gives what the provider says."""
    async with scene(poll_interval=60) as s:
        s.host.render_time = 5
        job = await s.pika.submit(Generate("a cat"))
        s.host.tasks["t1"]["progress"] = 0.5
        assert await s.after(2, job.refresh()) is State.RUNNING
        assert job.progress == 0.5
        await s.clock.advance(5)
        assert await s.after(2, job.refresh()) is State.SUCCEEDED
        assert job.results[0].id == "t1"
        looks = len(s.host.asked)
        assert await job.refresh() is State.SUCCEEDED
        assert len(s.host.asked) == looks


async def test_status_keeps_to_the_budget():
    """Asking often costs no more than asking rarely."""
    async with scene(poll_rate=0.1) as s:
        s.host.render_time = 1000
        job = await s.pika.submit(Generate("a cat"))
        for _ in range(10):
            s.begin(job.refresh())
        await s.clock.advance(100)
        assert len(s.host.asked) <= 11


async def test_status_of_a_refused_key_says_so():
    """A look that could not be made is no answer."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        s.host.on_poll = lambda ids: refusal("AuthError", 401)
        with pytest.raises(AuthError) as caught:
            await s.after(5, job.refresh())
        assert caught.value.job.id == job.id


async def test_status_is_released_by_a_failed_look():
    """The last known state is given; nobody hangs."""
    async with scene() as s:
        s.host.render_time = 1000
        job = await s.pika.submit(Generate("a cat"))
        s.host.on_poll = lambda ids: SendError("cut", sent=True)
        assert await s.after(5, job.refresh()) is State.RUNNING


async def test_an_ended_job_is_not_looked_up_any_more():
    """No look is wasted, and nothing stays behind."""
    async with scene() as s:
        await s.after(30, s.pika.generate("a cat"))
        looks = len(s.host.asked)
        await s.clock.advance(300)
        assert len(s.host.asked) == looks
        assert s.stats.polled == 0
        assert not s.engine.desk.flights


async def test_a_job_whose_wait_is_over_is_still_looked_up():
    """It lives on, and its end is noticed."""
    async with scene() as s:
        s.host.render_time = 50
        wait = s.begin(s.pika.generate("a cat", timeout=20))
        await s.clock.advance(21)
        error = wait.exception()
        assert isinstance(error, JobTimeout)
        await s.clock.advance(60)
        assert error.job.state is State.SUCCEEDED


async def test_poll_lag_tells_how_late_the_looks_are():
    """It grows while the provider refuses, and is nothing when all is well."""
    async with scene() as s:
        s.host.render_time = 1000
        await s.pika.submit(Generate("a cat"))
        await s.clock.advance(10)
        assert s.stats.poll_lag <= 1


BOT_CHECK = PikaError("The page asks whether you are human.", status=403)


async def test_a_refusal_of_something_in_between_pauses_at_the_third_in_half_a_minute():
    """A page that is not the provider's own word may be gone at the next look."""
    async with scene() as s:
        looks, account = s.engine.looks["scripted:default"], s.engine.desk.accounts["scripted:default"]
        for _ in range(3):
            looks._refused((), BOT_CHECK)
            assert account.refused_look is None
            await s.clock.advance(20)
        looks._refused((), BOT_CHECK)
        assert account.refused_look is None
        looks._refused((), BOT_CHECK)
        assert account.refused_look is BOT_CHECK


async def test_an_answer_shows_that_the_key_is_good():
    """What was counted against it is over."""
    async with scene() as s:
        looks, account = s.engine.looks["scripted:default"], s.engine.desk.accounts["scripted:default"]
        looks._refused((), BOT_CHECK)
        looks._refused((), BOT_CHECK)
        await s.after(20, s.pika.generate("a cat"))
        looks._refused((), BOT_CHECK)
        assert account.refused_look is None


async def test_a_bad_request_about_one_task_says_nothing_about_the_batch():
    """Only one that named several may have named too many."""
    async with scene() as s:
        looks, schedule = s.engine.looks["scripted:default"], s.engine.looks["scripted:default"]._schedule
        looks._refused(["a"], PikaError("bad", status=400))
        assert schedule.demand.batch == 50
        looks._refused(["a", "b"], PikaError("bad", status=400))
        assert schedule.demand.batch < 50
