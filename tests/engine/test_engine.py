"""The engine as a whole: what is learned reaches everyone, and closing leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import logging
import weakref

import pytest

from pika_async import Generate, State
from pika_async._ledger.records import AttemptState
from pika_async.errors import JobTimeout, PikaError, SubmitUnknown
from pika_async.testing import FakeClock, settle
from tests.engine.ledgers import SharedLedger, WatchedLedger
from tests.engine.lost_answers import lost
from tests.engine.scripted import KEY, LOST, Historian, Scripted, capable, refusal, scene

pytestmark = pytest.mark.anyio


async def test_thousands_of_jobs_through_few_slots():
    """A gather over two thousand is safe as written: each is bought once, and no slot is exceeded."""
    most = 0

    async with scene(max_concurrency=32, poll_rate=None, poll_interval=2) as s:
        s.host.render_time = 4

        def watch(ids):
            nonlocal most
            most = max(most, s.stats.in_flight)

        s.host.on_poll = watch
        prompts = [str(n) for n in range(2000)]
        waits = s.begin(asyncio.gather(*(s.pika.generate(p) for p in prompts)))
        while not waits.done():
            await s.clock.advance(5)
        assert len({video.id for video in waits.result()}) == 2000
        assert set(s.host.billed.values()) == {1}
        assert list(s.host.billed) == prompts
        assert most == 32
        assert (s.stats.in_flight, s.stats.queued, s.stats.polled) == (0, 0, 0)
        assert not s.engine.desk.flights


async def test_a_cancelled_gather_leaves_what_was_sent_to_its_tokens():
    """What had not been sent is not bought; what was lives on, and any client finds it."""
    clock = FakeClock()
    async with scene(clock=clock, max_concurrency=8) as s:
        waits = s.begin(asyncio.gather(*(s.pika.generate(str(n)) for n in range(100))))
        await clock.advance(2)
        waits.cancel()
        await clock.advance(1)
        assert s.host.billed.total() == 8
        tokens = [s.pika.job(token).token for token in map(token_of, s.engine.desk.flights.values())]
    async with scene(clock=clock, hosts=s.hosts) as later:
        videos = asyncio.gather(*(later.pika.job(token).wait() for token in tokens))
        assert len({video.id for video in await later.after(60, videos)}) == 8
        assert s.host.billed.total() == 8


def token_of(flight):
    """Return the token of a job in flight."""
    from pika_async._token import JobToken

    return JobToken(
        job_id=flight.id, provider=flight.account.name, label=flight.account.label, task=flight.task
    ).encode()


async def test_closing_waits_for_posts_and_keeps_their_answers():
    """A POST under way is brought to its end, so that its task is known and in the token."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as s:
        s.host.hold()
        wait = s.begin(s.pika.generate("a cat"))
        await clock.advance(1)
        closing = s.begin(s.pika.aclose())
        await settle()
        assert not closing.done()
        s.host.gate.set()
        await closing
        error = wait.exception()
    assert isinstance(error, JobTimeout)
    assert error.charged == "yes"
    async with scene(ledger=ledger, clock=clock, hosts=s.hosts) as later:
        assert (await later.after(30, later.pika.job(error.token).wait())).id == "t1"


async def test_closing_does_not_wait_for_ever():
    """A POST that does not end in time is cut; nobody is told that it cost nothing."""
    ledger = WatchedLedger()
    async with scene(ledger=ledger) as s:
        s.host.hold()
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        await s.engine.aclose(patience=0.01)
        await settle()
        error = wait.exception()
        assert isinstance(error, JobTimeout)
        assert error.charged == "unknown"
        assert ledger.job.newest.state is AttemptState.SENDING


async def test_closing_ends_the_wait_of_a_queued_job_unpaid():
    """In memory nothing can buy it later; in a file it stays for whoever recovers it. No POST in either."""
    for ledger in (WatchedLedger(), SharedLedger()):
        async with scene(max_concurrency=1, ledger=ledger) as s:
            s.begin(s.pika.generate("first"))
            second = s.begin(s.pika.generate("second"))
            await s.clock.advance(1)
        error = second.exception()
        assert isinstance(error, PikaError)
        assert error.charged == "no"
        assert s.host.billed == {"first": 1}
        state = next(job for job in ledger.last.values() if job.request.prompt == "second").newest.state
        assert state is (AttemptState.QUEUED if ledger.remembers else AttemptState.CANCELLED)


async def test_closing_ends_every_kind_of_wait():
    """Status, search, recovery and a wait in doubt: nobody hangs on a closed client."""
    async with scene(Historian(), poll_rate=0.01) as s:
        s.host.render_time = 1000
        job = await s.pika.submit(Generate("a cat"))
        s.host.at_submit.append(LOST)
        doubtful = await lost(s, "a dog")
        waits = [s.begin(w) for w in (job.wait(), job.refresh(), job.refresh(), doubtful.wait(timeout=None))]
        await s.clock.advance(5)
    await settle()
    assert all(wait.done() for wait in waits)


async def test_a_job_asked_of_a_client_that_is_closing_is_not_bought():
    """Between the call and the queue the client may close: the caller is told, not left waiting."""
    slow = asyncio.Event()

    class Slow(WatchedLedger):
        async def create(self, job, first=None):
            await slow.wait()
            return await super().create(job, first)

    async with scene(ledger=Slow()) as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        closing = s.begin(s.pika.aclose())
        await settle()
        slow.set()
        await closing
        await settle()
        assert wait.done()
        assert wait.exception().charged == "no"
        assert not s.wire.submits


async def test_a_closed_client_lets_go_of_everything():
    """Transport and ledger are closed, and the engine can be collected."""
    async with scene() as s:
        await s.after(30, s.pika.generate("a cat"))
        wire, engine = s.wire, weakref.ref(s.engine)
    assert wire.closed
    del s
    gc.collect()
    assert engine() is None


async def test_an_ended_job_needs_no_memory():
    """Neither the engine, nor the poller, nor the ledger keeps it."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        await s.after(30, job.wait())
        flight = weakref.ref(job._flight)
        del job
        gc.collect()
        assert flight() is None


async def test_a_fresh_link_is_asked_for():
    """Links expire: the provider gives the present one for a video bought here."""
    async with scene() as s:
        video = await s.after(30, s.pika.generate("a cat"))
        s.host.tasks["t1"]["url"] = "https://media.test/fresh.mp4"
        assert await s.after(2, s.engine.orders.origins.fresh_link(video)) == "https://media.test/fresh.mp4"
        s.host.at_poll.append(refusal("AuthError", 401))
        assert await s.after(2, s.engine.orders.origins.fresh_link(video)) is None


async def test_transitions_are_logged_without_secrets(caplog):
    """One line for each move at INFO, a warning for what is in doubt, and never a key or a callback token."""
    caplog.set_level(logging.DEBUG, "pika_async")
    async with scene(Scripted(capabilities=capable(callbacks="required"))) as s:
        await s.after(30, s.pika.generate("a cat"))
        s.host.at_submit.append(LOST)
        await lost(s)
        callbacks = [request.body.value["callback_url"].reveal() for request in s.wire.submits]
    text = caplog.text
    for state in ("submitting", "running", "succeeded", "ambiguous"):
        assert state in text
    assert any(record.levelname == "WARNING" and "ambiguous" in record.message for record in caplog.records)
    assert KEY not in text
    assert not any(callback.rpartition("/")[2] in text for callback in callbacks)


async def test_the_same_error_tells_of_job_provider_and_phase():
    """Whatever goes wrong at submit, the caller can go on from the error alone."""
    async with scene(Scripted(capabilities=capable("demo"))) as s:
        s.host.at_submit.append(LOST)
        with pytest.raises(SubmitUnknown) as caught:
            await s.pika.generate("a cat")
        error = caught.value
        assert (error.provider, error.phase) == ("demo", "submit")
        assert error.job.state is State.QUEUED
        assert error.token == error.job.token
