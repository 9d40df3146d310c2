"""Jobs that are here already: recovered from the ledger, and found again by their tokens."""

from __future__ import annotations

import asyncio

import pytest

from pika_async import Generate, State
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import AttemptState
from pika_async._token import JobToken
from pika_async.errors import (
    ConfigError,
    JobTimeout,
    JobUnresolved,
    LedgerError,
)
from pika_async.results import Task
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger
from tests.engine.lost_answers import NEVER_ARRIVED, lost
from tests.engine.scripted import LOST, Historian, Scripted, capable, refusal, scene
from tests.ledger.records import attempt
from tests.ledger.records import job as job_of

pytestmark = pytest.mark.anyio


async def left_behind(ledger, clock, *, answer=None, host=None):
    """Let a client buy a video, and die; give its host."""
    async with scene(Historian(), ledger=ledger, clock=clock, hosts=host) as s:
        s.host.render_time = 100
        if answer is not None:
            s.host.at_submit.append(answer)
            await lost(s)
        else:
            await s.pika.submit(Generate("a cat"))
        return s.hosts


@pytest.mark.parametrize("answer", [None, LOST])
async def test_what_may_have_been_paid_is_recovered(answer):
    """Running or ambiguous when its client died: another one waits for it, and sends nothing."""
    ledger, clock = MemoryLedger(), FakeClock()
    hosts = await left_behind(ledger, clock, answer=answer)
    async with scene(Historian(), ledger=ledger, clock=clock, hosts=hosts) as s:
        jobs = [job async for job in s.pika.recover()]
        assert len(jobs) == 1
        assert [job async for job in s.pika.recover()] == []
        assert (await s.after(200, jobs[0].wait())).id == "t1"
        assert s.host.billed == {"a cat": 1}
        assert s.stats.in_flight == 0


async def queued(ledger, clock):
    """Let a client die with one job running and one queued; give its hosts and the queued job's token."""
    async with scene(ledger=ledger, clock=clock, max_concurrency=1) as s:
        s.begin(s.pika.generate("first"))
        wait = s.begin(s.pika.submit(Generate("second")))
        await clock.advance(1)
    error = wait.exception()
    assert isinstance(error, JobTimeout)
    assert error.charged == "no"
    return s.hosts, error.token


@pytest.mark.parametrize("too", [False, True])
async def test_what_was_never_sent_is_bought_only_on_request(too):
    """`recover(queued=True)` also buys what waited for a slot when its client was closed."""
    ledger, clock = SharedLedger(), FakeClock()
    hosts, _ = await queued(ledger, clock)
    async with scene(ledger=ledger, clock=clock, hosts=hosts) as s:
        jobs = [job async for job in s.pika.recover(queued=too)]
        await s.after(60, asyncio.gather(*jobs))
        assert hosts["scripted"].billed == ({"first": 1, "second": 1} if too else {"first": 1})


async def test_what_is_bought_late_goes_to_the_clients_callback_address():
    """Recovered or resubmitted, a job is sent with the address of the client that sends it."""
    ledger, clock = SharedLedger(), FakeClock()
    hosts, _ = await queued(ledger, clock)
    hook = "https://app.example.com/hook"
    async with scene(ledger=ledger, clock=clock, hosts=hosts, callback_url=hook) as s:
        jobs = [job async for job in s.pika.recover(queued=True)]
        await s.after(60, asyncio.gather(*jobs))
        assert s.wire.submits[0].body.value["callback_url"].reveal().startswith(hook)


async def test_jobs_of_other_providers_are_left_to_others(caplog):
    """Their adapter is not open here; the log says so, and the rest is recovered."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(
        Scripted(), Scripted(capabilities=capable("other")), ledger=ledger, clock=clock
    ) as first:
        first.host.at_submit.append(refusal("InsufficientBalance"))
        await first.pika.submit(Generate("one"))
        await first.pika.submit(Generate("two"))
    async with scene(ledger=ledger, clock=clock, hosts=first.hosts) as s:
        assert len([job async for job in s.pika.recover()]) == 1
        assert "not recovered" in caplog.text


async def test_a_job_that_fell_back_needs_the_provider_that_has_it_now():
    """The one that refused it concerns nobody any more."""
    ledger, clock = SharedLedger(), FakeClock()
    other = Scripted(capabilities=capable("other"))
    async with scene(Scripted(), other, ledger=ledger, clock=clock) as first:
        first.host.at_submit.append(refusal("InsufficientBalance"))
        token = (await first.pika.submit(Generate("one"))).token
    async with scene(other, ledger=ledger, clock=clock, hosts=first.hosts) as s:
        assert len([job async for job in s.pika.recover()]) == 1
        assert (await s.after(30, s.pika.job(token).wait())).id == "t1"


async def test_a_job_needs_every_provider_that_may_have_it():
    """The error names the one that is missing; whoever leads looks at the other attempt all the same."""
    ledger = SharedLedger()
    doubtful = attempt(state=AttemptState.AMBIGUOUS, account="scripted:default", superseded=True)
    running = attempt(2, state=AttemptState.RUNNING, task=Task("t9"), account="other:default")
    await ledger.create(job_of(doubtful, running))
    async with scene(Scripted(capabilities=capable("other")), ledger=ledger) as s:
        assert [job async for job in s.pika.recover()] == []
        with pytest.raises(ConfigError, match="scripted"):
            await s.pika.job(JobToken(job_id="j", provider="other", task=Task("t9")).encode())


async def test_a_token_from_before_a_fallback_leads_to_where_the_job_is_now():
    """The token names the provider that refused; the ledger knows better."""
    ledger, clock = SharedLedger(), FakeClock()
    providers = Scripted(), Scripted(capabilities=capable("other"))
    async with scene(*providers, ledger=ledger, clock=clock) as first:
        first.host.at_submit.append(refusal("InsufficientBalance"))
        job = await first.pika.submit(Generate("one"))
        token = JobToken(job_id=job.id, provider="scripted").encode()
    async with scene(*providers, ledger=ledger, clock=clock, hosts=first.hosts) as s:
        job = s.pika.job(token)
        assert (await s.after(30, job.wait())).id == "t1"
        assert job.provider == "other"


async def test_the_recovered_job_can_be_resubmitted_on_a_persons_word():
    """The request is in the ledger, so any process can send it again when told to."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as first:
        first.host.at_submit.append(NEVER_ARRIVED)
        token = (await lost(first)).token
    async with scene(ledger=ledger, clock=clock, hosts=first.hosts) as s:
        job = s.pika.job(token)
        wait = s.begin(job.wait(timeout=None))
        await clock.advance(600)
        assert isinstance(wait.exception(), JobUnresolved)
        await job.resubmit()
        assert (await s.after(30, job.wait())).id == "t1"
        assert s.host.billed == {"a cat": 1}


async def test_a_token_is_adopted_in_a_fresh_client():
    """Provider and task are all that is needed: the ledger may be another one, or none."""
    clock = FakeClock()
    async with scene(clock=clock) as first:
        token = (await first.pika.submit(Generate("a cat"))).token
    async with scene(clock=clock, hosts=first.hosts) as s:
        job = s.pika.job(token)
        assert job.state is State.RUNNING
        assert job.token == token
        waits = asyncio.gather(job.wait(), job.wait(), s.pika.job(token).wait())
        videos = await s.after(30, waits)
        assert {video.id for video in videos} == {"t1"}
        assert (await s.after(30, s.pika.job(token).wait())).id == "t1"
        assert s.stats.in_flight == 0
        assert not s.wire.submits


async def test_a_token_of_a_job_that_is_known_is_that_job():
    """In its own client, a token gives what is known already."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        assert s.pika.job(job.token).id == job.id
        await s.after(30, s.pika.job(job.token).wait())
        assert job.state is State.SUCCEEDED


async def test_a_token_from_before_the_answer_needs_its_ledger():
    """Nothing but the ledger knows such a job; every waiter is told, and nothing is left behind."""
    ledger, clock = SharedLedger(), FakeClock()
    hosts, token = await queued(ledger, clock)
    assert JobToken.decode(token).task is None
    async with scene(clock=clock, hosts=hosts) as s:
        job = s.pika.job(token)
        for error in await asyncio.gather(job.wait(), job.wait(), job.refresh(), return_exceptions=True):
            assert isinstance(error, ConfigError)
            assert "ledger" in error.message
        assert not s.engine.desk.flights
    async with scene(ledger=ledger, clock=clock, hosts=hosts) as s:
        with pytest.raises(JobTimeout):
            await s.after(60, s.pika.job(token).wait(timeout=50))
        assert hosts["scripted"].billed == {"first": 1}


@pytest.mark.parametrize("word", ["nonsense", "", "pika1.e30.00000000"])
async def test_what_is_not_a_token_is_refused(word):
    """Before anything is asked."""
    async with scene() as s:
        with pytest.raises(ConfigError, match="token"):
            s.pika.job(word)


async def test_a_token_of_another_provider_names_it():
    """The user opens the client with that one."""
    token = JobToken(job_id="j", provider="other", task=Task("t1")).encode()
    async with scene() as s:
        with pytest.raises(ConfigError, match="other"):
            s.pika.job(token)
    token = JobToken(job_id="j", provider="scripted", label="work", task=Task("t1")).encode()
    async with scene() as s:
        with pytest.raises(ConfigError, match="work"):
            s.pika.job(token)


async def test_a_token_that_could_not_be_read_once_can_be_waited_for_again():
    """A ledger that fails, or a caller who is cancelled meanwhile, spoils nothing."""
    clock = FakeClock()
    async with scene(clock=clock) as first:
        token = (await first.pika.submit(Generate("a cat"))).token
    slow = asyncio.Event()
    failing = [True]

    class Unreliable(MemoryLedger):
        async def get(self, job_id):
            await slow.wait()
            if failing:
                failing.pop()
                raise LedgerError("The disk is gone.")
            return await super().get(job_id)

    async with scene(clock=clock, hosts=first.hosts, ledger=Unreliable()) as s:
        job = s.pika.job(token)
        cancelled = s.begin(job.wait())
        await clock.advance(1)
        cancelled.cancel()
        await clock.advance(1)
        slow.set()
        await clock.advance(1)
        assert (await s.after(30, job.wait())).id == "t1"


class Unreadable(SharedLedger):
    """Fails what reads a job, and lists none, while it is *down*."""

    down = False

    async def get(self, job_id):
        if self.down:
            raise LedgerError("The file is locked.")
        return await super().get(job_id)

    async def open_jobs(self, *args, **options):
        return [] if self.down else await super().open_jobs(*args, **options)

    def known(self, job_id):
        return None if self.down else super().known(job_id)


async def test_a_job_whose_record_cannot_be_read_is_not_called_free():
    """It came by its token; what it has cost is in the ledger alone, and the error leads back to it."""
    ledger, clock = Unreadable(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as first:
        first.host.render_time = 30
        token = (await first.pika.submit("a cat")).token
    ledger.down = True
    async with scene(ledger=ledger, clock=clock, hosts=first.hosts) as s:
        with pytest.raises(LedgerError) as unread:
            await s.pika.job(token).wait()
        assert (unread.value.charged, unread.value.token) == ("unknown", token)
        ledger.down = False
        assert await s.after(60, unread.value.job.wait())
        assert s.host.billed == {"a cat": 1}


async def test_an_order_left_unsent_whose_record_cannot_be_read_is_not_called_free():
    """Another process may have sent it since, and only the ledger knows."""
    ledger, clock = Unreadable(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as s:
        s.host.at_submit.append(refusal("AuthError", 401))
        wait = s.begin(s.pika.generate("a cat"))
        await clock.advance(1)
        assert wait.exception().charged == "no"
        ledger.down = True
        with pytest.raises(LedgerError) as unread:
            await wait.exception().job.wait()
        assert unread.value.charged == "unknown"


async def test_an_order_that_nobody_here_knows_is_not_called_free():
    """Its token was made before the provider had it; it may be paid by now."""
    async with scene() as s:
        token = JobToken(job_id="j1", provider="scripted", task=None).encode()
        with pytest.raises(ConfigError, match="open the ledger that does") as unknown:
            await s.pika.job(token).wait()
        assert unknown.value.charged == "unknown"
        elsewhere = JobToken(job_id="j2", provider="another", task=Task("t1")).encode()
        with pytest.raises(ConfigError, match="with that provider") as unknown:
            s.pika.job(elsewhere)
        assert unknown.value.charged == "unknown"
