"""Lost answers are found in the provider's history, and what is not found is evidence only after E."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from attrs import evolve

from pika_async import Generate
from pika_async._ledger.events import NothingFound
from pika_async._ledger.records import AttemptState
from pika_async._transport import SendError
from pika_async.errors import AuthError, JobUnresolved
from tests.engine.ledgers import WatchedLedger
from tests.engine.lost_answers import NEVER_ARRIVED, E, Telling, left, lost
from tests.engine.scripted import LOST, Historian, answer, capable, refusal, scene

pytestmark = pytest.mark.anyio


async def test_a_lost_answer_is_found_in_the_history():
    """The token that the history echoes names the attempt; the job goes on and ends with its video."""
    ledger = WatchedLedger()
    async with scene(Historian(), ledger=ledger) as s:
        s.host.render_time = 30
        s.host.at_submit.append(LOST)
        job = await lost(s)
        wait = s.begin(job.wait())
        await s.clock.advance(5)
        assert ledger.job.newest.state is AttemptState.RUNNING
        assert ledger.job.newest.bound_by == "echo"
        await s.clock.advance(40)
        assert wait.result().id == "t1"
        assert s.host.billed == {"a cat": 1}


async def test_a_video_that_is_finished_already_is_found_in_the_history():
    """Then nothing needs to be looked up any more."""
    async with scene(Historian()) as s:
        s.host.render_time = 0
        s.host.at_submit.append(LOST)
        job = await lost(s)
        assert (await s.after(10, job.wait())).id == "t1"
        assert not s.host.asked


@pytest.mark.parametrize("receiver", [None, "https://app.example.com/hook?user=7"])
async def test_many_lost_answers_are_told_apart(receiver):
    """Each is found by its own token, wherever callbacks go."""
    async with scene(Historian(), callback_url=receiver) as s:
        s.host.at_submit.extend([LOST] * 12)
        jobs = [await lost(s, str(n)) for n in range(12)]
        videos = await s.after(60, asyncio.gather(*(job.wait() for job in jobs)))
        assert [video.id for video in videos] == [f"t{n + 1}" for n in range(12)]


async def test_the_history_is_read_to_its_end():
    """What is not on the first page may be on the next."""
    async with scene(Historian()) as s:
        s.host.at_submit.append(LOST)
        job = await lost(s)
        s.host.at_poll.extend(
            [answer(200, {"tasks": [], "next": "1"}), answer(200, {"tasks": [], "next": "2"})]
        )
        assert (await s.after(30, job.wait())).id == "t1"
        assert len(s.host.searched) == 3
        assert s.host.searched[2] - s.host.searched[0] == 2.0  # one after the other, within the budget


async def test_forged_and_foreign_tokens_are_not_believed():
    """Only an address whose MAC is ours binds a task."""
    async with scene(Historian()) as s:
        job = await s.pika.submit(Generate("other"))
        s.host.at_submit.append(NEVER_ARRIVED)
        await lost(s)
        genuine = s.host.tasks["t1"]["callback_url"]
        attempt = next(f for f in s.engine.desk.flights.values() if f.task is None).record.newest.id
        mac = genuine.rpartition(".")[2]
        for url in (f"https://callback.invalid/{attempt}.{mac}", "https://callback.invalid/", "not a url"):
            s.host.tasks[url] = {"id": url, "done_at": 0, "callback_url": url}
        await s.clock.advance(60)
        assert s.host.searched
        assert (await job).id == "t1"
        (left,) = s.engine.desk.flights.values()
        assert left.task is None


async def test_two_looks_after_e_that_find_nothing_leave_it_to_a_person():
    """Not earlier: the provider may be slow to list what it took. The message names the command."""
    ledger = WatchedLedger()
    async with scene(Historian(), ledger=ledger, callback_url=None) as s:
        s.host.at_submit.append(NEVER_ARRIVED)
        job = await lost(s)
        wait = s.begin(job.wait(timeout=None))
        await s.clock.advance(E - 10)
        assert ledger.job.newest.state is AttemptState.AMBIGUOUS
        assert ledger.job.newest.negatives == 0
        await s.clock.advance(1300)
        assert ledger.job.newest.state is AttemptState.UNRESOLVED
        claimed_at = s.host.searched[0] - 1
        assert sum(at > claimed_at + E - 5 for at in s.host.searched) >= 2
        error = wait.exception()
        assert isinstance(error, JobUnresolved)
        assert error.charged == "unknown"
        assert "pika-async resolve" in error.message
        with pytest.raises(JobUnresolved):
            await job.wait()
        assert not s.host.billed
        assert len(s.wire.submits) == 1


async def test_late_evidence_still_counts_after_a_person_was_asked():
    """An unresolved job is looked for further on, and comes to life when it is found."""
    async with scene(Historian()) as s:
        s.host.at_submit.append(LOST)
        job = await lost(s)
        hidden = s.host.tasks.pop("t1")
        wait = s.begin(job.wait(timeout=None))
        await s.clock.advance(2500)
        assert isinstance(wait.exception(), JobUnresolved)
        s.host.tasks["t1"] = hidden
        await s.clock.advance(700)
        assert (await s.after(5, job.wait())).id == "t1"


@pytest.mark.parametrize(
    "broken",
    [refusal("BadReply", 500), SendError("cut", sent=True), answer(200, {"odd": 1}), KeyError("a defect")],
    ids=["500", "cut", "odd", "defect"],
)
async def test_a_history_that_cannot_be_read_is_no_evidence(broken):
    """The attempt stays ambiguous; only when it must have ended long ago is a person asked."""
    ledger = WatchedLedger()
    async with scene(Historian(), ledger=ledger) as s:
        s.host.at_submit.append(LOST)
        job = await lost(s)
        wait = s.begin(job.wait(timeout=None))
        s.host.at_poll.extend([broken] * 100)
        await s.clock.advance(1500)
        assert ledger.job.newest.state is AttemptState.AMBIGUOUS
        assert len(s.host.searched) > 5
        await s.clock.advance(2000)
        assert isinstance(wait.exception(), JobUnresolved)
        s.host.at_poll.clear()
        await s.clock.advance(700)
        assert (await s.after(10, job.wait())).id == "t1"


async def test_a_refused_key_does_not_stop_the_search_for_good():
    """A new wait tries again, and finds what was lost."""
    async with scene(Historian()) as s:
        s.host.render_time = 1000
        other = await s.pika.submit(Generate("other"))
        s.host.on_poll = lambda ids: refusal("AuthError", 401)
        wait = s.begin(other.wait())
        await s.clock.advance(20)
        assert isinstance(wait.exception(), AuthError)
        s.host.at_submit.append(LOST)
        job = await lost(s)
        s.host.on_poll = lambda ids: None
        again = s.begin(job.wait(timeout=None))
        await s.clock.advance(1100)
        assert again.result().id == "t2"


async def test_the_search_keeps_to_the_budget():
    """Searching is a look-up like any other."""
    async with scene(Historian(), poll_rate=0.5) as s:
        s.host.render_time = 300
        running = [await s.pika.submit(Generate(str(n))) for n in range(5)]
        s.host.at_submit.append(NEVER_ARRIVED)
        await lost(s)
        await s.clock.advance(200)
        times = sorted([at for at, _ in s.host.asked] + s.host.searched)
        assert all(b - a >= 2 - 1e-9 for a, b in pairwise(times))
        assert running


async def test_the_history_is_searched_from_before_the_oldest_claim():
    """The provider's clock may be two minutes off."""
    ledger = Telling()
    async with scene(Historian(), ledger=ledger) as s:
        await left(ledger, "new")
        await left(ledger, "old", claimed_at=ledger.now() - 1000)
        at = ledger.now()
        await s.engine._sweeper.sweep()
        query = s.wire.polls[-1].query
        assert float(query["since"]) == pytest.approx(at - 1120, abs=1)
        assert float(query["until"]) == pytest.approx(at + 120, abs=1)


async def test_nothing_found_says_when_the_search_began():
    """Only a search after E is evidence; the ledger decides on it."""
    ledger = Telling()
    async with scene(Historian(), ledger=ledger) as s:
        await left(ledger)
        await s.engine._sweeper.sweep()
        (event,) = [event for event in ledger.told if isinstance(event, NothingFound)]
        assert event.sent_at == pytest.approx(ledger.now())


async def test_the_search_ends_when_everything_is_found():
    """Further pages are asked for only while something is missing."""

    class Endless(Historian):
        def read_find(self, response, /):
            return evolve(Historian.read_find(self, response), next_cursor="more")

    ledger = Telling()
    async with scene(Endless(), ledger=ledger) as s:
        await left(ledger)
        address = s.engine.addresses.make("j-1", None, "scripted", capable(echoes_token=True))
        s.host.tasks["t1"] = {"id": "t1", "done_at": 1e9, "callback_url": address.reveal()}
        searching = s.begin(s.engine._sweeper.sweep())
        await s.clock.advance(0)
        assert searching.done()
        assert len(s.host.searched) == 1
        assert ledger.last["j"].newest.task.id == "t1"
