"""Trouble of the ledger, the key or the account: an order outlives it, and nothing is bought twice."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve

from pika_async import Generate, State
from pika_async._ledger.events import Cancel, Claim, Evidence, LeaseOver, NextAttempt, Sending
from pika_async._ledger.records import AttemptState, JobState
from pika_async._ledger.times import Times
from pika_async.errors import (
    AuthError,
    ConfigError,
    InsufficientBalance,
    JobTimeout,
    LedgerError,
    RateLimited,
    SubmitRefused,
)
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger, WatchedLedger
from tests.engine.scripted import LOST, Historian, Scripted, capable, refusal, scene

pytestmark = pytest.mark.anyio


class Outage(SharedLedger):
    """Fails everything that changes it while it is *down*; *only* narrows that to some events."""

    down = False
    only = (object,)

    def _check(self, event):
        if self.down and isinstance(event, self.only):
            raise LedgerError("The file is locked.")

    async def create(self, job, first=None):
        self._check(first)
        return await super().create(job, first)

    async def apply(self, job_id, event):
        self._check(event)
        return await super().apply(job_id, event)


async def test_twelve_orders_outlive_an_outage():
    """Ordered while the ledger fails for half a minute: all are bought, once each, and nobody was told."""
    ledger = Outage()
    async with scene(ledger=ledger) as s:
        ledger.down = True
        waits = [s.begin(s.pika.generate(f"cat {number}")) for number in range(12)]
        await s.clock.advance(30)
        assert not s.host.billed
        ledger.down = False
        await s.clock.advance(60)
        assert all(wait.result() for wait in waits)
        assert s.host.billed == {f"cat {number}": 1 for number in range(12)}


class Held(Outage):
    """Says that its rows are held while it is *down*, so that the same may be tried again."""

    def _check(self, event):
        try:
            super()._check(event)
        except LedgerError as error:
            error.retryable = True
            raise


@pytest.mark.parametrize(("key", "again"), [(None, False), ("k", True)])
@pytest.mark.parametrize("call", ["generate", "enqueue"])
async def test_only_the_key_of_an_order_that_may_be_left_makes_the_call_safe_again(call, key, again):
    """Without it the same call is another order, and whoever works on the ledger may buy both."""
    ledger = Held()
    async with scene(ledger=ledger) as s:
        ledger.down = True
        wait = s.begin(getattr(s.pika, call)("a cat", idempotency_key=key))
        await s.clock.advance(90)
        assert isinstance(wait.exception(), LedgerError)
        assert wait.exception().retryable is again
        ledger.down = False
        await s.clock.advance(1)


async def test_orders_with_a_key_outlive_an_outage():
    """The key is looked for first; that waits as well."""
    ledger = Outage()
    async with scene(ledger=ledger) as s:
        ledger.down = True
        wait = s.begin(s.pika.generate("a cat", idempotency_key="k"))
        await s.clock.advance(30)
        ledger.down = False
        await s.clock.advance(60)
        assert wait.result()
        assert s.host.billed == {"a cat": 1}


async def test_an_outage_without_end_is_told_and_cancels_nothing():
    """After a minute; the order is unsent, and only who asks again gets it bought."""
    ledger = Outage()
    async with scene(ledger=ledger) as s:
        wait = s.begin(s.pika.generate("a cat"))
        ledger.down = True
        await s.clock.advance(90)
        error = wait.exception()
        assert isinstance(error, LedgerError)
        assert error.charged == "no"
        ledger.down = False
        await s.clock.advance(300)
        assert not s.host.billed


async def test_an_order_with_a_key_that_may_be_recorded_is_not_called_free():
    """Its commit may only be unheard, and then whoever has the key may buy it: ask with the key again."""
    ledger = Outage()
    async with scene(ledger=ledger) as s:
        ledger.down = True
        wait = s.begin(s.pika.generate("a cat", idempotency_key="k"))
        await s.clock.advance(70)
        assert isinstance(wait.exception(), LedgerError)
        assert wait.exception().charged == "unknown"
        ledger.down = False
        await s.after(60, s.pika.generate("a cat", idempotency_key="k"))
        assert s.host.billed == {"a cat": 1}


async def test_evidence_waits_for_the_ledger_and_the_caller_does_not():
    """The video is given at once; the ledger has it later, and stats show for how long it has waited."""
    ledger = Outage()
    ledger.only = (Evidence,)
    async with scene(ledger=ledger) as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        ledger.down = True
        await s.clock.advance(20)
        assert wait.result().id == "t1"
        assert s.stats.outbox_age > 0
        assert ledger.job.state is JobState.OPEN
        ledger.down = False
        await s.clock.advance(10)
        assert ledger.job.state is JobState.SUCCEEDED
        assert s.stats.outbox_age is None


async def test_closing_waits_for_the_outbox():
    """What was learned is committed before the process ends."""
    ledger = Outage()
    ledger.only = (Evidence,)
    async with scene(ledger=ledger) as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        ledger.down = True
        await s.clock.advance(20)
        assert wait.done()
        closing = s.begin(s.pika.aclose())
        await asyncio.sleep(0)
        ledger.down = False
        await closing
    assert ledger.job.state is JobState.SUCCEEDED


async def test_a_claim_whose_word_was_lost_is_refused_and_made_anew():
    """It may be committed: it is ours and unsent, so a new attempt follows, and one POST leaves."""
    ledger = Outage()

    async def create(job, first=None):
        await WatchedLedger.create(ledger, job, first)
        del ledger.create
        raise LedgerError("The line to the database is gone.")

    ledger.create = create
    async with scene(ledger=ledger) as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(60)
        assert wait.result()
        assert s.host.billed == {"a cat": 1}
        states = [attempt.state for attempt in ledger.job.attempts]
        assert states == [AttemptState.REFUSED, AttemptState.SUCCEEDED]


@pytest.mark.parametrize(("seconds", "bought"), [(30, 1), (90, 0)])
async def test_a_ledger_that_fails_at_the_fence_ends_no_order(seconds, bought):
    """It takes the claim and not the mark: the order outlives that, with ever longer pauses."""
    ledger = Outage()
    apply = ledger.apply

    async def failing(job_id, event):
        if ledger.down and isinstance(event, Sending):
            raise LedgerError("The page cannot be written.")
        return await apply(job_id, event)

    ledger.apply, ledger.only, ledger.down = failing, (), True
    async with scene(ledger=ledger) as s:
        wait = s.begin(s.pika.generate("a cat", timeout=None))
        await s.clock.advance(seconds)
        assert not s.host.billed
        assert len(ledger.job.attempts) < 30
        ledger.down = False
        await s.clock.advance(60)
        assert s.host.billed.total() == bought
        if not bought:
            assert isinstance(wait.exception(), LedgerError)
            assert ledger.job.newest.state is AttemptState.QUEUED
            wait = s.begin(wait.exception().job.wait())
            await s.clock.advance(60)
        assert wait.result().id == "t1"
        assert s.host.billed == {"a cat": 1}


@pytest.mark.parametrize("kind", [AuthError, InsufficientBalance])
async def test_a_refusal_about_the_account_drains_no_queue(kind):
    """One of thirty is refused: all stay queued in the ledger, their callers are told, and few were tried."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock, max_concurrency=2) as s:
        s.host.at_submit.extend(refusal(kind.__name__, 401) for _ in range(100))
        waits = [s.begin(s.pika.generate(f"cat {number}")) for number in range(30)]
        await clock.advance(5)
        assert {type(wait.exception()) for wait in waits} <= {kind, InsufficientBalance}
        assert all(wait.exception().charged == "no" for wait in waits)
        assert len(s.wire.submits) <= 4
        assert s.stats.paused
        hosts = s.hosts
    assert {job.newest.state for job in ledger.last.values()} == {AttemptState.QUEUED}
    hosts["scripted"].at_submit.clear()
    async with scene(ledger=ledger, clock=clock, hosts=hosts) as s:
        await clock.advance(300)
        assert not s.host.billed, "nobody asked for them again"
        jobs = await s.pika.recover(queued=True)
        await clock.advance(120)
        assert {job.state for job in jobs} == {State.SUCCEEDED}
        assert set(s.host.billed.values()) == {1}
        assert len(s.host.billed) == 30


@pytest.mark.parametrize("kind", [AuthError, InsufficientBalance])
async def test_a_long_list_is_not_refused_row_by_row(kind):
    """A map asks anew whenever a row ends; what it asks for in that moment is no new word of a person."""
    async with scene(ledger=SharedLedger(), max_concurrency=4) as s:
        s.host.at_submit.extend(refusal(kind.__name__, 402) for _ in range(500))
        started = s.clock.now()

        async def rows():
            for number in range(100):
                await s.clock.advance(0.01)
                yield f"cat {number}"

        errors = [item.error async for item in s.pika.map(rows())]
        assert {type(error) for error in errors} == {kind}
        assert all(error.charged == "no" for error in errors)
        assert len(s.wire.submits) <= 4 + (s.clock.now() - started)
        s.host.at_submit.clear()
        await s.clock.advance(1)
        assert await s.after(60, errors[0].job.wait())
        assert s.host.billed.total() == 1


async def test_the_same_key_asks_again():
    """The order that an empty balance left queued is bought by its key, once."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:
        s.host.at_submit.append(refusal("InsufficientBalance", 402))
        with pytest.raises(InsufficientBalance):
            await s.after(1, s.pika.generate("a cat", idempotency_key="k"))
        assert await s.after(60, s.pika.generate("a cat", idempotency_key="k"))
        assert s.host.billed == {"a cat": 1}


@pytest.mark.parametrize("kind", [AuthError, InsufficientBalance])
async def test_only_a_word_sends_an_order_again(kind):
    """Neither looking, listing and recovering nor waiting for a bare token; waiting for the error's job."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as s:
        s.host.at_submit.append(refusal(kind.__name__, 402))
        with pytest.raises(kind) as caught:
            await s.after(1, s.pika.generate("a cat"))
        error = caught.value
        await s.after(1, error.job.refresh())
        await s.pika.recover()
        async with scene(ledger=ledger, clock=clock, hosts=s.hosts) as other:
            for client in (s, other):
                jobs = [*await client.pika.jobs(), client.pika.job(error.token)]
                waits = [client.begin(job.wait(timeout=50)) for job in jobs]
                await clock.advance(60)
                assert {type(wait.exception()) for wait in waits} == {JobTimeout}
                assert "recover(queued=True)" in waits[0].exception().message
            assert not s.host.billed
            await clock.advance(300)
            assert await s.after(60, error.job.wait())
            assert await s.after(1, error.job.wait())
            assert await other.after(60, other.pika.job(error.token).wait())
        assert s.host.billed == {"a cat": 1}


async def test_all_who_ask_for_one_left_order_buy_one_video():
    """By the error's job and by its key at once, in two clients."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as s:
        s.host.at_submit.append(refusal("InsufficientBalance", 402))
        with pytest.raises(InsufficientBalance) as caught:
            await s.after(1, s.pika.generate("a cat", idempotency_key="k"))
        await clock.advance(1)
        async with scene(ledger=ledger, clock=clock, hosts=s.hosts) as other:
            waits = [
                s.begin(caught.value.job.wait()),
                s.begin(s.pika.generate("a cat", idempotency_key="k")),
                s.begin(caught.value.job.wait()),
                other.begin(other.pika.job(caught.value.token).wait()),
                other.begin(other.pika.generate("a cat", idempotency_key="k")),
            ]
            await clock.advance(90)
            assert {wait.result().id for wait in waits} == {"t1"}
            assert s.host.billed == {"a cat": 1}


async def test_a_word_for_one_doubt_is_no_word_for_another_purchase():
    """A resubmitted order that closing left unsent may be needless: the first attempt may have been paid."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(Historian(), ledger=ledger, clock=clock, max_concurrency=1) as s:
        s.host.at_submit.append(LOST)
        wait = s.begin(s.pika.generate("a cat", timeout=None))
        await clock.advance(1)
        hidden = s.host.tasks.pop("t1")
        await clock.advance(2500)
        job = wait.exception().job
        s.host.at_submit.append(refusal("InsufficientBalance", 402))
        await job.resubmit()
        await clock.advance(1)
        s.host.tasks["t1"] = hidden
        with pytest.raises(InsufficientBalance) as caught:
            await job.wait(timeout=None)
        assert caught.value.charged == "yes", "the first attempt had a task, which is lost"
        await clock.advance(900)
        assert s.host.billed == {"a cat": 1}
        assert [job.state for job in await s.pika.jobs()] == [State.SUCCEEDED]


async def test_what_closing_left_unsent_says_who_buys_it():
    """Its token does not: nobody has said that it is still wanted."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock, max_concurrency=1) as s:
        s.host.render_time = 50
        first, second = s.begin(s.pika.generate("a cat")), s.begin(s.pika.generate("a dog"))
        await clock.advance(1)
        hosts = s.hosts
    await asyncio.sleep(0)
    assert (first.exception().charged, second.exception().charged) == ("yes", "no")
    assert "recover(queued=True)" in second.exception().message
    async with scene(ledger=ledger, clock=clock, hosts=hosts, max_concurrency=1) as s:
        await s.pika.recover()
        await clock.advance(100)
        assert s.host.billed == {"a cat": 1}
        await s.pika.recover(queued=True)
        await clock.advance(100)
        assert s.host.billed == {"a cat": 1, "a dog": 1}


class Unreadable(Outage):
    """Fails what reads a job as well while it is *down*."""

    async def get(self, job_id):
        if self.down:
            raise LedgerError("The file is locked.")
        return await super().get(job_id)


async def test_what_closing_cannot_read_is_not_called_free():
    """Another process may have sent an order that this one left queued; only the ledger knows."""
    ledger = Unreadable()
    async with scene(ledger=ledger, max_concurrency=1) as s:
        first, second = s.begin(s.pika.generate("a cat")), s.begin(s.pika.generate("a dog"))
        await s.clock.advance(1)
        ledger.down = True
    await asyncio.sleep(0)
    assert (first.exception().charged, second.exception().charged) == ("yes", "unknown")


async def test_an_order_that_ended_while_the_ledger_was_asked_keeps_its_end():
    """Another process told how it ended; the ledger's trouble is no news any more."""

    class Meanwhile(Outage):
        async def get(self, job_id):
            if self.down and flights[job_id].sending:
                ended.append(flights[job_id])
                ended[-1].end(SubmitRefused("It ended."))
            return await super().get(job_id)

    ledger, ended = Meanwhile(), []
    ledger.only = (Claim,)
    async with scene(ledger=ledger, max_concurrency=1) as s:
        flights = s.engine.desk.flights
        for prompt in ("a cat", "a dog"):
            s.begin(s.pika.generate(prompt))
        await s.clock.advance(1)
        ledger.down = True
        await s.clock.advance(300)
        assert [flight.error.message for flight in ended] == ["It ended."]


@pytest.mark.parametrize(("outage", "charged"), [(Outage, "no"), (Unreadable, "unknown")])
async def test_a_recorded_order_is_called_free_only_while_the_ledger_can_be_read(outage, charged):
    """It waited for a slot when the ledger failed; another process may have sent it since."""
    ledger = outage()
    ledger.only = (Claim,)
    async with scene(ledger=ledger, max_concurrency=1) as s:
        first, second = s.begin(s.pika.generate("a cat")), s.begin(s.pika.generate("a dog"))
        await s.clock.advance(1)
        ledger.down = True
        await s.clock.advance(300)
        assert first.result()
        assert isinstance(second.exception(), LedgerError)
        assert second.exception().charged == charged


async def test_a_refused_key_with_another_provider_goes_on():
    """What has somewhere to go on to is not held."""
    providers = Scripted(), Scripted(capabilities=capable("other"))
    async with scene(*providers, ledger=SharedLedger()) as s:
        s.host.at_submit.extend(refusal("AuthError", 401) for _ in range(9))
        waits = [s.begin(s.pika.generate(f"cat {number}")) for number in range(9)]
        await s.clock.advance(60)
        assert all(wait.result() for wait in waits)
        assert s.hosts["other"].billed.total() == 9


async def test_the_spending_cap_leaves_orders_in_the_ledger():
    """The cap is told, nothing is sent, and raising it is enough."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock, max_submits=1) as s:
        waits = [s.begin(s.pika.generate(f"cat {number}")) for number in range(3)]
        await clock.advance(60)
        assert sum(wait.exception() is None for wait in waits) == 1
        hosts = s.hosts
    async with scene(ledger=ledger, clock=clock, hosts=hosts, max_submits=3) as s:
        await s.pika.recover(queued=True)
        await clock.advance(60)
        assert set(s.host.billed.values()) == {1}
        assert s.host.billed.total() == 3


async def test_a_429_slows_and_its_own_order_ends():
    """It is told as retryable, so it must not be bought later behind the caller's back."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:
        s.host.at_submit.append(refusal("RateLimited", 429, retry_after="7"))
        with pytest.raises(RateLimited) as caught:
            await s.after(1, s.pika.generate("a cat"))
        assert caught.value.retryable
        second = s.begin(s.pika.generate("a dog"))
        await s.clock.advance(5)
        assert not s.host.billed
        await s.clock.advance(60)
        assert second.result()
        assert s.host.billed == {"a dog": 1}


@pytest.mark.parametrize("wrong", ["60", float("nan"), float("inf"), -1, True])
async def test_a_wrong_time_limit_takes_no_slot(wrong):
    """It is refused by name before there is a job, and the client is whole."""
    async with scene(max_concurrency=1) as s:
        for call in (s.pika.generate("a cat", timeout=wrong), s.pika.submit("a cat", queue_timeout=wrong)):
            with pytest.raises(ConfigError, match="timeout"):
                await call
        assert s.stats.in_flight == 0
        assert not s.wire.submits
        assert await s.after(30, s.pika.generate("a cat"))


async def test_what_breaks_between_claim_and_post_refuses_the_claim(monkeypatch):
    """No byte has left, so the slot is free and nothing is in doubt."""
    from pika_async._engine.flight import Flight

    monkeypatch.setattr(Flight, "posted", lambda self: 1 / 0)
    ledger = WatchedLedger()
    async with scene(ledger=ledger) as s:
        with pytest.raises(Exception, match="defect") as caught:
            await s.after(1, s.pika.generate("a cat"))
        assert caught.value.charged == "no"
        assert ledger.job.newest.state is AttemptState.REFUSED
        assert s.stats.in_flight == 0
        assert not s.wire.submits


async def test_the_fence_asks_what_the_claim_asked():
    """An earlier attempt that came to life while this one connected leaves it unsent."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:

        async def connecting():
            job = ledger.last[next(iter(ledger.last))]
            older = evolve(job.newest, id=f"{job.id}-0-x", number=0, state=AttemptState.SUCCEEDED, slot=False)
            ledger._jobs[job.id] = evolve(job, attempts=(older, job.newest))
            s.wire.connecting = None

        s.wire.connecting = connecting
        wait = s.begin(s.pika.generate("a cat", timeout=5))
        await s.clock.advance(30)
        assert not s.host.billed
        assert wait.done()


async def test_claims_are_told_apart_from_evidence():
    """A claim is never made from memory: without the ledger's word nothing is sent."""
    ledger = Outage()
    ledger.only = (Claim,)
    ledger.down = True
    async with scene(ledger=ledger) as s:
        wait = s.begin(s.pika.submit(Generate("a cat")))
        await s.clock.advance(20)
        assert not wait.done()
        assert not s.wire.submits
        ledger.down = False
        await s.clock.advance(20)
        assert wait.result().id
        assert s.host.billed == {"a cat": 1}


async def test_a_lease_that_is_over_while_the_ledger_fails_calls_nothing_free():
    """Its own process knows the claim and not yet the mark of the fence; only the ledger's row may say so."""
    ledger = Outage()
    ledger.only = (LeaseOver,)
    async with scene(ledger=ledger) as s:
        s.host.hold()
        wait = s.begin(s.pika.generate("a cat", timeout=None))
        await s.clock.advance(1)
        ledger.down = True
        await s.clock.advance(120)
        assert not wait.done()
        assert s.stats.outbox_age is None
        s.host.gate.set()
        await s.clock.advance(60)
        assert wait.result().id == "t1"
    assert s.host.billed == {"a cat": 1}


async def test_an_order_that_was_cancelled_before_it_could_be_recorded_holds_nothing_back():
    """The ledger knows neither the order nor its end; what is learned of others is committed all the same."""
    ledger = Outage()
    ledger.only = (Cancel, type(None), Evidence)
    async with scene(ledger=ledger, max_concurrency=1) as s:
        paid = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        ledger.down = True
        left = s.begin(s.pika.generate("a dog"))
        await s.clock.advance(1)
        left.cancel()
        await s.clock.advance(20)
        assert paid.result()
        ledger.down = False
        await s.clock.advance(20)
        assert s.stats.outbox_age is None
    assert {job.state for job in ledger.last.values()} == {JobState.SUCCEEDED, JobState.CANCELLED}


async def test_a_closing_client_calls_nothing_free_that_another_process_has_sent():
    """What it has not read yet is read before those who wait are told."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock, max_concurrency=1) as s:
        s.host.at_submit.append(refusal("InsufficientBalance", 402))
        with pytest.raises(InsufficientBalance) as caught:
            await s.after(1, s.pika.generate("a cat"))
        await clock.advance(1)
        s.engine._lines["scripted:default"].opens_at = clock.now() + 1000
        wait = s.begin(caught.value.job.wait())
        await clock.advance(0)
        async with scene(ledger=ledger, clock=clock, hosts=s.hosts) as other:
            s.engine._news.stop()
            await other.pika.recover(queued=True)
            await clock.advance(1)
            assert s.host.billed == {"a cat": 1}
            await s.pika.aclose()
    assert isinstance(wait.exception(), JobTimeout)
    assert wait.exception().charged == "yes"


async def test_an_order_that_another_process_queued_again_is_sent_by_who_waits_for_it():
    """Its claimer fell silent, and so did the process that found that out."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as s:
        s.engine._lines["scripted:default"].opens_at = clock.now() + 100
        s.engine._sweeper.stop()
        wait = s.begin(s.pika.generate("a cat", idempotency_key="k", timeout=None))
        await clock.advance(1)
        (job,) = await ledger.jobs()
        claim = Claim(attempt=job.newest.id, owner="dead", times=Times(), max_slots=32)
        await ledger.apply(job.id, claim)
        await clock.advance(90)
        again = NextAttempt(id=f"{job.id}-2-again", account="scripted:default")
        await ledger.apply(job.id, LeaseOver(attempt=job.newest.id, next=again))
        await clock.advance(60)
        assert wait.result()
        assert s.host.billed == {"a cat": 1}


async def test_recovering_what_is_queued_sends_what_is_known_here_and_in_no_line():
    """The process may have lost sight of it while the ledger failed."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:
        line = s.engine._lines["scripted:default"]
        line.opens_at = s.clock.now() + 10
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        for flight in line.clear():
            flight.place = 0
        await s.clock.advance(20)
        assert not s.host.billed
        await s.pika.recover(queued=True)
        await s.clock.advance(20)
        assert wait.result()
        assert s.host.billed == {"a cat": 1}


async def test_one_order_is_one_job_here_though_its_recording_was_not_heard_of():
    """A second caller with the same key finds it in the ledger first; both get the one video."""
    ledger, clock = SharedLedger(), FakeClock()
    create = ledger.create

    async def unheard(job, first=None):
        ledger.create = create
        await create(job, first)
        raise LedgerError("The line to the database is gone.")

    ledger.create = unheard
    async with scene(ledger=ledger, clock=clock) as s:
        waits = [s.begin(s.pika.generate("a cat", idempotency_key="k"))]
        await clock.advance(0)
        waits.append(s.begin(s.pika.generate("a cat", idempotency_key="k")))
        await clock.advance(60)
        assert {wait.result().id for wait in waits} == {"t1"}
        assert s.host.billed == {"a cat": 1}
