"""What time and history find out about jobs in doubt; neither ever leads to a POST."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest

from pika_async import Generate
from pika_async._engine import sweeper
from pika_async._engine.ids import attempt_id
from pika_async._ledger.events import NothingFound, SlotOver
from pika_async._ledger.records import AttemptState, JobState
from pika_async.errors import JobUnresolved, LedgerError
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger, WatchedLedger
from tests.engine.lost_answers import NEVER_ARRIVED, E, Telling, left, lost
from tests.engine.scripted import LOST, Historian, Host, Scripted, answer, refusal, scene

pytestmark = pytest.mark.anyio


async def test_a_lease_that_is_over_makes_the_attempt_ambiguous():
    """Its owner fell silent: nobody knows whether it was sent, and it is not sent again."""
    ledger, clock = WatchedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as dead:
        dead.host.hold()
        dead.begin(dead.pika.submit(Generate("a cat"))).add_done_callback(lambda task: task.exception())
        await clock.advance(1)
        for post in dead.engine._dispatch._tasks:
            post.cancel()
        await clock.advance(1)
        assert ledger.job.newest.state is AttemptState.SENDING
    async with scene(ledger=ledger, clock=clock) as s:
        assert [job.id async for job in s.pika.recover(queued=True)] == [ledger.job.id]
        await clock.advance(60)
        assert ledger.job.newest.state is AttemptState.SENDING
        await clock.advance(75)
        assert ledger.job.newest.state is AttemptState.AMBIGUOUS
        await clock.advance(5000)
        assert not s.wire.submits


async def dies_connecting(ledger, clock):
    """Buy a video in a process that dies between its claim and the first byte."""
    async with scene(ledger=ledger, clock=clock) as dead:
        never = asyncio.get_running_loop().create_future()
        dead.wire.connecting = lambda: never
        dead.begin(dead.pika.submit(Generate("a cat"))).add_done_callback(lambda task: task.exception())
        await clock.advance(1)
        for post in dead.engine._dispatch._tasks:
            post.cancel()
        await clock.advance(1)
        assert ledger.job.newest.state is AttemptState.SUBMITTING


async def test_a_claim_without_a_mark_is_sent_again_where_somebody_waits():
    """Its owner died before the first byte: nothing was bought, and no person is asked."""
    ledger, clock = SharedLedger(), FakeClock()
    await dies_connecting(ledger, clock)
    async with scene(ledger=ledger, clock=clock) as s:
        (job,) = [job async for job in s.pika.recover()]
        wait = s.begin(job.wait())
        await clock.advance(60)
        assert not s.wire.submits
        await clock.advance(60)
        assert wait.result().id == "t1"
        assert s.host.billed == {"a cat": 1}
        assert [a.state for a in ledger.job.attempts] == [AttemptState.REFUSED, AttemptState.SUCCEEDED]


async def test_a_claim_without_a_mark_stays_queued_where_nobody_asks():
    """Its slot is free again; it is bought by whoever asks for the job."""
    ledger, clock = SharedLedger(), FakeClock()
    await dies_connecting(ledger, clock)
    async with scene(ledger=ledger, clock=clock) as s:
        await clock.advance(85)
        assert ledger.job.newest.state is AttemptState.SUBMITTING
        await clock.advance(20)
        assert [a.state for a in ledger.job.attempts] == [AttemptState.REFUSED, AttemptState.QUEUED]
        assert (await ledger.usage("scripted:default")).slots == 0
        await clock.advance(100)
        assert not s.wire.submits
        (job,) = [job async for job in s.pika.recover(queued=True)]
        assert (await s.after(60, job.wait())).id == "t1"


@pytest.mark.parametrize("options", [{}, {"callback_url": False}])
async def test_without_a_history_the_attempt_is_unresolved_after_e(options):
    """There is nobody to ask, so waiting longer tells nothing more."""
    async with scene(Scripted(), **options) as s:
        s.host.at_submit.append(LOST)
        job = await lost(s)
        wait = s.begin(job.wait(timeout=None))
        await s.clock.advance(E - 10)
        assert not wait.done()
        await s.clock.advance(600)
        assert isinstance(wait.exception(), JobUnresolved)


async def test_a_slot_comes_free_when_what_was_sent_must_have_ended():
    """With one slot, a lost answer delays the next job by the longest render, not for ever."""
    ledger = WatchedLedger()
    async with scene(max_concurrency=1, ledger=ledger) as s:
        s.host.at_submit.append(LOST)
        job = await lost(s)
        second = s.begin(s.pika.generate("second", timeout=None))
        await s.clock.advance(1900)
        assert s.host.billed["second"] == 0
        assert s.stats.in_flight == 1
        await s.clock.advance(700)
        assert second.done()
        assert s.stats.in_flight == 0
        assert ledger.last[job.id].newest.state is AttemptState.UNRESOLVED


async def test_time_never_leads_to_a_post():
    """Days may pass over jobs in doubt: each was sent once, and stays so."""
    async with scene(Historian()) as s:
        s.host.at_submit.extend([LOST, NEVER_ARRIVED, refusal("RateLimited", 503), answer(200, "odd")])
        for n in range(4):
            await lost(s, str(n))
        s.host.tasks.clear()
        await s.clock.advance(4 * 86400)
        assert len(s.wire.submits) == 4


async def test_an_answer_that_comes_after_everything_lands():
    """The own POST may be answered when the attempt was given up as unresolved long ago."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:
        s.host.hold()
        s.host.render_time = 10
        wait = s.begin(s.pika.generate("a cat", timeout=None))
        await s.clock.advance(1)
        await s.clock.advance(1000)
        assert ledger.job.newest.state is AttemptState.UNRESOLVED
        s.host.gate.set()
        await s.clock.advance(30)
        assert ledger.job.state is JobState.SUCCEEDED
        assert s.host.billed == {"a cat": 1}
        assert wait.done()


async def test_a_job_driven_by_another_process_ends_here_too():
    """Two clients on one ledger: one buys, both get the video, and neither counts a slot wrongly."""
    ledger, clock = SharedLedger(), FakeClock()
    options = {"ledger": ledger, "clock": clock}
    async with scene(**options) as one, scene(**options, hosts=one.hosts) as two:
        one.host.render_time = 40
        waits = [s.begin(s.pika.generate("a cat", idempotency_key="k")) for s in (one, two)]
        await clock.advance(100)
        assert [wait.result().id for wait in waits] == ["t1", "t1"]
        assert one.host.billed == {"a cat": 1}
        assert one.stats.in_flight == two.stats.in_flight == 0


async def test_a_ledger_that_fails_for_a_while_is_swept_again():
    """The sweeper survives a full disk."""
    failing = []

    class Unreliable(WatchedLedger):
        async def unfinished(self, *states):
            if failing:
                raise LedgerError("The disk is full.")
            return await super().unfinished(*states)

    async with scene(Historian(), ledger=Unreliable()) as s:
        failing.append(True)
        s.host.at_submit.append(LOST)
        job = await lost(s)
        await s.clock.advance(20)
        failing.clear()
        assert (await s.after(60, job.wait())).id == "t1"


async def test_a_word_given_elsewhere_is_noticed():
    """A person settles the job in another process; here the wait goes on as that says."""
    from pika_async._ledger.events import NextAttempt, Resubmit

    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as s:
        s.host.at_submit.append(NEVER_ARRIVED)
        job = await lost(s)
        wait = s.begin(job.wait(timeout=None))
        await clock.advance(600)
        assert isinstance(wait.exception(), JobUnresolved)
        record = ledger.job
        again = NextAttempt(id=attempt_id(record.id, 2), account=record.newest.account)
        await ledger.apply(record.id, Resubmit(next=again))
        async with scene(ledger=ledger, clock=clock, hosts=s.hosts) as other:
            assert [j.id async for j in other.pika.recover(queued=True)] == [record.id]
            await clock.advance(60)
            assert s.host.billed == {"a cat": 1}
            assert (await s.after(1, job.wait())).id == "t1"


async def test_a_stream_of_lost_answers_does_not_put_off_the_search():
    """New doubts arrive faster than the first pause; the old ones are looked for all the same."""
    async with scene(Historian(), poll_rate=None) as s:
        s.host.render_time = 1
        for n in range(12):
            s.host.at_submit.append(LOST)
            await lost(s, str(n))
            await s.clock.advance(0.5)
        assert s.host.searched


async def test_slots_that_doubts_hold_are_told_once(caplog):
    """Nothing is submitted any more, and the log says by whom the slots are held and what to do."""
    async with scene(max_concurrency=2) as s:
        s.host.at_submit.extend([LOST, LOST])
        for _ in range(2):
            await lost(s)
        wait = s.begin(s.pika.generate("a dog"))
        await s.clock.advance(600)
        assert not wait.done()
        told = [r.getMessage() for r in caplog.records if "every slot is held" in r.getMessage()]
        assert len(told) == 1
        assert "pika-async resolve" in told[0]


async def test_the_answer_of_another_process_is_searched_for_ever_more_rarely():
    """Not before it is due; its owner may be alive, and its POST slow."""
    ledger = Telling()
    async with scene(Historian(), ledger=ledger) as s:
        await left(ledger, state=AttemptState.SENDING)
        begun = s.clock.now()
        await s.clock.advance(120)
        ages = [at - begun for at in s.host.searched]
        assert ages[0] >= 4.0
        assert 3 <= len(ages) <= 6
        assert [b - a for a, b in pairwise(ages)] == sorted(b - a for a, b in pairwise(ages))
        assert NothingFound not in ledger.kinds()


async def test_one_of_many_processes_searches():
    """Each would ask for the same, out of one budget."""
    ledger, clock = Telling(), FakeClock()
    shared = {"ledger": ledger, "clock": clock, "hosts": {"scripted": Host(clock)}}
    async with scene(Historian(), **shared) as s, scene(Historian(), **shared):
        await left(ledger)
        await clock.advance(60)
        assert 8 <= len(s.host.searched) <= 15


async def test_every_page_of_the_ledger_is_swept(monkeypatch):
    """A crash may leave thousands."""
    ledger = Telling()
    async with scene(ledger=ledger) as s:
        monkeypatch.setattr(sweeper, "_PAGE", 2)
        for number in range(5):
            await left(ledger, f"j{number}")
        assert await s.engine._sweeper.sweep() == 5


@pytest.mark.parametrize("account", ["scripted:default", "elsewhere:default"])
async def test_time_tells_nothing_before_it_is_over(account):
    """Nor does it where the account's own processes may know of a history."""
    ledger = Telling()
    async with scene(ledger=ledger) as s:
        await left(ledger, account=account)
        await s.engine._sweeper.sweep()
        assert ledger.told == []
        await s.clock.advance(901)
        await s.engine._sweeper.sweep()
        told = {NothingFound, SlotOver} if account.startswith("scripted") else {SlotOver}
        assert ledger.kinds() == told
