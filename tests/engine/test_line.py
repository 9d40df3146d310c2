"""The jobs of one account that wait to be sent, and what keeps them waiting."""

from __future__ import annotations

import asyncio
from email.utils import formatdate

import pytest
from attrs import evolve

from pika_async import Generate
from pika_async._engine.line import POSTS_AT_ONCE, Line
from pika_async._ledger.records import AttemptState, Usage
from pika_async.errors import AuthError, RateLimited
from tests.engine.scripted import Scripted, capable, refusal, scene
from tests.ledger.records import attempt, job


class Waiting:
    """As much of a flight as a line looks at."""

    def __init__(self):
        self.record, self.cancelled, self.ended, self.place = job(), False, False, 0


class Slots:
    """As much of an account as a line looks at."""

    def __init__(self, max_concurrency):
        self.max_concurrency, self.key = max_concurrency, job().newest.account


def line(slots=2):
    """Make a line of an account with so many slots."""
    return Line(Slots(slots))


def test_jobs_leave_in_the_order_in_which_they_came():
    """One that comes back has the place that it had."""
    queue, flights = line(), [Waiting() for _ in range(3)]
    for flight in flights:
        queue.add(flight)
    first = queue.take()
    queue.add(first)
    assert [queue.take() for _ in range(3)] == flights


def test_what_need_not_be_sent_any_more_is_left_out():
    """Cancelled, ended, or sent by another process meanwhile."""
    queue = line()
    cancelled, ended, sent, wanted = (Waiting() for _ in range(4))
    cancelled.cancelled = ended.ended = True
    sent.record = job(attempt(state=AttemptState.RUNNING))
    for flight in (cancelled, ended, sent, wanted):
        queue.add(flight)
    assert queue.first() is wanted
    queue.take()
    assert queue.first() is None


def test_what_went_on_to_another_account_is_not_sent_here():
    """Another process was refused: its fallback's order would be bought from the wrong provider."""
    queue, moved = line(), Waiting()
    queue.add(moved)
    refused = attempt(state=AttemptState.REFUSED)
    moved.record = job(refused, attempt(2, account="elsewhere:default"))
    assert queue.first() is None
    assert not moved.place


def test_slots_asked_for_count_as_taken():
    """Until the ledger has said yes or no."""
    queue = line(slots=2)
    for _ in range(3):
        queue.add(Waiting())
    queue.take()
    queue.slots = 1
    assert queue.is_full()
    assert not queue.may_start(0.0)


def test_posts_on_the_wire_are_bounded():
    """However many slots there are, the time from claim to first byte must stay short."""
    queue = line(slots=10_000)
    for _ in range(POSTS_AT_ONCE):
        queue.add(Waiting())
        assert queue.may_start(0.0)
        queue.take()
    assert not queue.may_start(0.0)


def test_the_ledgers_pace_is_obeyed():
    """It speaks in its own time."""
    queue = line()
    queue.learn(Usage(next_submit_at=1007.0), 1000.0, 50.0)
    assert not queue.may_start(56.9)
    assert queue.may_start(57.0)


def test_what_the_ledger_says_replaces_what_was_counted_here():
    """Its slots, over all processes; a pause that it does not know of holds all the same."""
    queue = line(slots=2)
    queue.slots = 2
    queue.ledger_failed(100.0)
    queue.learn(Usage(slots=1, next_submit_at=1000.0), 1000.0, 100.0)
    assert (queue.slots, queue.usage.slots) == (1, 1)
    assert not queue.is_full()
    assert queue.opens_at == 100.5
    queue.learn(None, 1000.0, 100.0)
    assert queue.slots == 1


def test_a_failing_ledger_is_asked_ever_more_rarely_and_told_after_a_minute():
    """And the count begins anew once it works."""
    queue, now, told = line(), 0.0, []
    while now < 70:
        told.append(queue.ledger_failed(now))
        now = queue.opens_at
    assert told.index(True) == len(told) - 2
    assert queue.paused(0.0)
    queue.ledger_works()
    assert not queue.ledger_failed(now)
    assert queue.opens_at == now + 0.5


def test_a_refused_key_holds_what_was_asked_for_before():
    """For half a minute, or until a submit is taken."""
    queue, error = line(), AuthError("no")
    queue.refused(error, 1000.0)
    assert queue.refuses(999.0, 1001.0) is error
    assert queue.refuses(1000.5, 1001.0) is error
    assert queue.refuses(1001.0, 1001.0) is None
    assert queue.refuses(999.0, 1031.0) is None
    queue.accepted()
    assert queue.refuses(999.0, 1001.0) is None


def test_a_pause_of_the_account_is_shown():
    """In the provider's words, as long as it lasts."""
    queue = evolve(line(), usage=Usage(paused_until=1030.0, paused_why="The balance is gone."))
    assert queue.paused(1001.0) == "The balance is gone."
    assert queue.paused(1031.0) is None


@pytest.mark.anyio
async def test_waiting_callers_are_served_in_their_order():
    """First come, first served, whoever is cancelled in between."""
    async with scene(max_concurrency=2) as s:
        waits = [s.begin(s.pika.generate(f"{n:02}")) for n in range(12)]
        await s.clock.advance(1)
        for n in (3, 4, 7):
            waits[n].cancel()
        await s.clock.advance(200)
        assert list(s.host.billed) == [f"{n:02}" for n in range(12) if n not in {3, 4, 7}]


@pytest.mark.anyio
async def test_slots_are_exact_under_cancellation():
    """Cancelling callers at every moment neither leaks a slot nor frees one twice."""
    async with scene(max_concurrency=3) as s:
        s.host.render_time = 5
        for turns in range(12):
            waits = [s.begin(s.pika.generate(f"{turns}-{n}")) for n in range(4)]
            for _ in range(turns):
                await asyncio.sleep(0)
            for wait in waits:
                wait.cancel()
            await s.clock.advance(0)
            assert 0 <= s.stats.in_flight <= 3
            await s.clock.advance(30)
            assert (s.stats.in_flight, s.stats.queued, s.stats.on_the_wire) == (0, 0, 0)
        assert max(s.host.billed.values(), default=1) == 1


@pytest.mark.anyio
@pytest.mark.parametrize("said", ["20", "date"])
async def test_the_account_waits_as_long_as_the_provider_asks(said):
    """A refused job ends with the wish in its error; the next one is sent when that time has passed."""
    async with scene() as s:
        wish = formatdate(s.clock.wall() + 20, usegmt=True) if said == "date" else said
        s.host.at_submit.append(refusal("RateLimited", 429, retry_after=wish))
        with pytest.raises(RateLimited) as caught:
            await s.pika.generate("first")
        assert caught.value.retry_after == pytest.approx(20, abs=1)
        assert caught.value.retryable
        wait = s.begin(s.pika.submit(Generate("second")))
        await s.clock.advance(18)
        assert s.host.billed["second"] == 0
        assert s.stats.submit_spacing > 0
        assert s.stats.queued == 1
        await s.clock.advance(3)
        assert wait.done()
        assert s.host.billed["second"] == 1


@pytest.mark.anyio
async def test_accounts_do_not_share_their_limits():
    """One provider's 429 does not slow another down."""
    async with scene(Scripted(), Scripted(capabilities=capable("other"))) as s:
        s.host.at_submit.append(refusal("RateLimited", 429, retry_after="600"))
        await s.after(30, s.pika.generate("first"))
        assert s.hosts["other"].billed["first"] == 1


def test_a_job_that_is_claimed_keeps_the_turn_of_its_process():
    """The claim may be refused: whoever gave its turn up for it would wait behind all others again."""
    queue = Line(Slots(1), "me", usage=Usage(members=2, slots=1, max_slots=1), slots=1)
    assert not queue.waits
    queue.add(Waiting())
    assert queue.waits
    queue.usage = evolve(queue.usage, waiting=("me", "other"))
    queue.take()
    assert queue.waits
    queue.claiming -= 1
    assert not queue.waits
