"""How jobs enter: bought anew, found again by key or token, or left by a dead process."""

from __future__ import annotations

import asyncio

import pytest

from pika_async import Generate, Ingredients, State
from pika_async._engine.digest import first_digest
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import AttemptState, JobState
from pika_async._token import JobToken
from pika_async.errors import (
    ConfigError,
    InsufficientBalance,
    JobFailed,
    JobTimeout,
    JobUnresolved,
    LedgerError,
    PikaError,
    SubmitUnknown,
    UnsupportedRequest,
)
from pika_async.results import Task
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger, WatchedLedger
from tests.engine.scripted import LOST, Historian, Scripted, capable, refusal, scene
from tests.engine.test_sweeper import NEVER_ARRIVED, lost
from tests.ledger.records import attempt
from tests.ledger.records import job as job_of

pytestmark = pytest.mark.anyio


async def ended(s, seconds, awaitable):
    """Return the error with which *awaitable* ends."""
    with pytest.raises(PikaError) as caught:
        await s.after(seconds, awaitable)
    return caught.value


async def test_one_key_is_one_job_while_it_runs_and_after():
    """Whoever asks again, and whenever, gets the same video, from one POST."""
    async with scene(max_concurrency=1) as s:
        s.host.hold()
        blocker = s.begin(s.pika.generate("first"))
        waits = [s.begin(s.pika.generate("a cat", idempotency_key="k"))]  # queued
        await s.clock.advance(1)
        waits.append(s.begin(s.pika.generate("a cat", idempotency_key="k")))
        s.host.gate.set()
        await s.clock.advance(15)
        waits.append(s.begin(s.pika.generate("a cat", idempotency_key="k")))  # running
        await s.clock.advance(30)
        assert blocker.done()
        waits.append(s.begin(s.pika.generate("a cat", idempotency_key="k")))  # succeeded
        await s.clock.advance(0)
        assert {wait.result().id for wait in waits} == {"t2"}
        assert s.host.billed == {"first": 1, "a cat": 1}


async def test_two_callers_at_once_share_one_post():
    """No race between them buys twice."""
    async with scene() as s:
        waits = asyncio.gather(*(s.pika.generate("a cat", idempotency_key="k") for _ in range(20)))
        videos = await s.after(30, waits)
        assert {video.id for video in videos} == {"t1"}
        assert len(s.wire.submits) == 1


async def test_other_keys_and_no_key_are_other_jobs():
    """Only a key says that two calls mean one video."""
    async with scene() as s:
        keys = ["a", "b", None, None]
        waits = (s.pika.generate("a cat", idempotency_key=key) for key in keys)
        videos = await s.after(30, asyncio.gather(*waits))
        assert len({video.id for video in videos}) == 4


async def test_a_key_means_one_request():
    """Used for anything else it is a mistake, which costs nothing."""
    async with scene() as s:
        await s.pika.submit(Generate("a cat"), idempotency_key="k")
        for other in (Generate("a dog"), Generate("a cat", seed=1), Ingredients("a cat", [b"GIF8"])):
            with pytest.raises(UnsupportedRequest, match="idempotency_key"):
                await s.pika.submit(other, idempotency_key="k")
        assert s.host.billed == {"a cat": 1}


async def test_a_key_covers_what_is_asked_not_how():
    """Fields left out and fields set to None are the same; a file and its bytes are the same picture."""
    async with scene() as s:
        await s.pika.submit(Generate("a cat"), idempotency_key="k")
        await s.pika.submit(Generate("a cat", seed=None, extra_body=None), idempotency_key="k")
        assert s.host.billed == {"a cat": 1}


async def test_a_key_covers_the_bytes_of_media(tmp_path):
    """The same picture from another place is the same; another picture in the same place is not."""
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    one.write_bytes(b"GIF89a cat")
    two.write_bytes(b"GIF89a cat")
    async with scene() as s:
        for image in (one, two, b"GIF89a cat"):
            await s.pika.submit(Generate("a cat", image=image), idempotency_key="k")
        two.write_bytes(b"GIF89a dog")
        with pytest.raises(UnsupportedRequest):
            await s.pika.submit(Generate("a cat", image=two), idempotency_key="k")
        assert s.host.billed == {"a cat": 1}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Generate("a cat", aspect_ratio="16:9"), Generate("a cat ", aspect_ratio="16:9")),
        (Generate("cafe\u0301"), Generate("caf\u00e9\n")),
    ],
)
async def test_a_key_of_the_first_release_is_joined(monkeypatch, old, new):
    """Its digest was another one; what was asked for is the same, and so nothing is bought again."""
    async with scene() as s:
        with monkeypatch.context() as first_release:
            first_release.setattr("pika_async._engine.orders.digest", first_digest)
            job = await s.pika.submit(old, idempotency_key="k")
        assert (await s.pika.submit(new, idempotency_key="k")).id == job.id
        with pytest.raises(UnsupportedRequest, match="idempotency_key"):
            await s.pika.submit(Generate("a dog"), idempotency_key="k")
        assert s.host.billed.total() == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Generate("a cat"), Generate("a cat \r\n")),
        (Generate("caf\u00e9"), Generate("cafe\u0301")),
        (Generate("a cat", image="https://x.test/a.png"), Generate("a cat", image="https://x.test/a.png\n")),
    ],
)
async def test_what_looks_the_same_is_bought_once_by_its_key(one, other):
    """A line break at the end, or an accent written in two characters, is no other order."""
    async with scene() as s:
        for request in (one, other):
            await s.pika.submit(request, idempotency_key="k")
        assert s.host.billed.total() == 1


async def test_a_file_that_is_no_image_is_refused_before_the_purchase(tmp_path):
    """The page of an error in a picture's place is told by its field, whether a file or bytes."""
    path = tmp_path / "cat.png"
    path.write_bytes(b"<!doctype html><title>404")
    async with scene() as s:
        with pytest.raises(UnsupportedRequest, match=r"image.*cat\.png.*text/html"):
            await s.pika.submit(Generate("a cat", image=path))
        with pytest.raises(UnsupportedRequest, match=r"image.*text/html"):
            await s.pika.generate("a cat", image=path.read_bytes())
        assert not s.wire.submits
        assert s.stats.in_flight == 0


async def test_a_key_whose_attempts_were_all_refused_is_free():
    """An empty balance must not burn it: the next call buys, once."""
    async with scene(Scripted(), Scripted(capabilities=capable("other"))) as s:
        s.host.at_submit.append(refusal("InsufficientBalance", 402))
        s.hosts["other"].at_submit.append(refusal("InsufficientBalance", 402))
        assert isinstance(
            await ended(s, 1, s.pika.generate("a cat", idempotency_key="k")), InsufficientBalance
        )
        for _ in range(3):
            await s.after(30, s.pika.generate("a cat", idempotency_key="k"))
        assert s.host.billed == {"a cat": 1}


async def test_a_failed_job_keeps_its_key():
    """A render that failed may have cost money: trying again is a person's decision, under a new key."""
    async with scene() as s:
        wait = s.begin(s.pika.generate("a cat", idempotency_key="k"))
        await s.clock.advance(0)
        s.host.tasks["t1"] |= {"state": "failed", "reason": "content"}
        await s.clock.advance(20)
        assert isinstance(wait.exception(), JobFailed)
        assert isinstance(await ended(s, 1, s.pika.generate("a cat", idempotency_key="k")), JobFailed)
        assert s.host.billed == {"a cat": 1}


async def test_a_job_in_doubt_keeps_its_key():
    """Ambiguous, unresolved and abandoned: asking again never sends again."""
    ledger = WatchedLedger()
    async with scene(ledger=ledger) as s:
        s.host.at_submit.append(NEVER_ARRIVED)
        job = await lost(s, idempotency_key="k")
        again = s.begin(s.pika.generate("a cat", idempotency_key="k", timeout=None))
        await s.clock.advance(1200)
        assert ledger.job.newest.state is AttemptState.UNRESOLVED
        assert isinstance(again.exception(), JobUnresolved)
        error = await ended(s, 1200, s.pika.generate("a cat", idempotency_key="k", timeout=5))
        assert isinstance(error, JobUnresolved | JobTimeout)
        assert error.charged == "unknown"
        await job.abandon()
        error = await ended(s, 1200, s.pika.generate("a cat", idempotency_key="k", timeout=5))
        assert error.charged == "unknown"
        assert len(s.wire.submits) == 1


async def test_a_cancelled_job_keeps_its_key():
    """Whoever gave it up must say so with a new key."""
    async with scene(max_concurrency=1) as s:
        s.begin(s.pika.generate("first"))
        wait = s.begin(s.pika.generate("a cat", idempotency_key="k"))
        await s.clock.advance(1)
        wait.cancel()
        await s.clock.advance(1)
        error = await ended(s, 60, s.pika.generate("a cat", idempotency_key="k"))
        assert error.charged == "no"
        assert s.host.billed == {"first": 1}


async def test_a_first_caller_who_is_cancelled_does_not_cancel_the_second():
    """Somebody still waits for the job, so it is bought."""
    async with scene(max_concurrency=1) as s:
        s.begin(s.pika.generate("first"))
        one, two = (s.begin(s.pika.generate("a cat", idempotency_key="k")) for _ in range(2))
        await s.clock.advance(1)
        one.cancel()
        await s.clock.advance(60)
        assert two.result().id == "t2"


async def test_a_timeout_runs_for_a_job_that_another_client_drives():
    """The caller who joined has a timeout too."""
    ledger, clock = SharedLedger(), FakeClock()
    options = {"ledger": ledger, "clock": clock}
    async with scene(**options) as one, scene(**options, hosts=one.hosts) as two:
        one.host.render_time = 400
        first = one.begin(one.pika.generate("a cat", idempotency_key="k"))
        await clock.advance(1)
        second = two.begin(two.pika.generate("a cat", idempotency_key="k", timeout=60))
        await clock.advance(100)
        assert isinstance(second.exception(), JobTimeout)
        await clock.advance(400)
        assert first.result().id == "t1"


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


async def test_a_resubmitted_job_is_reconciled_even_when_its_new_attempt_waits():
    """A word was given and its process died before the POST: what may have been paid is still looked for."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(Historian(), ledger=ledger, clock=clock, max_concurrency=1) as first:
        first.host.at_submit.append(LOST)
        job = await lost(first)
        hidden = first.host.tasks.pop("t1")
        await clock.advance(2100)
        first.host.render_time = 10_000
        first.begin(first.pika.generate("other"))
        await clock.advance(1)
        await job.resubmit()
        await clock.advance(1)
        assert ledger.last[job.id].newest.state is AttemptState.QUEUED
    first.host.tasks["t1"] = hidden
    async with scene(Historian(), ledger=ledger, clock=clock, hosts=first.hosts) as s:
        jobs = {job.id: job async for job in s.pika.recover()}
        assert (await s.after(60, jobs[job.id].wait())).id == "t1"
        assert s.host.billed == {"a cat": 1, "other": 1}


async def test_a_word_is_acted_on_although_the_client_closes_at_once():
    """A person said that the order is to be sent again, and does not wait for it."""
    ledger = WatchedLedger()
    async with scene(Historian(), ledger=ledger) as s:
        s.host.at_submit.append(LOST)
        job = await lost(s)
        s.host.tasks.clear()
        await s.clock.advance(1000)
        await job.resubmit()
    assert s.host.billed.total() == 2
    assert ledger.job.newest.state is AttemptState.RUNNING


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
        error = await ended(s, 60, s.pika.job(token).wait(timeout=50))
        assert isinstance(error, JobTimeout)
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


async def test_resubmit_is_for_unresolved_jobs():
    """A job that may still come, or has come, is not sent again by mistake."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
        with pytest.raises(ConfigError, match="running"):
            await job.resubmit()
        with pytest.raises(ConfigError):
            await job.abandon()
        s.host.at_submit.append(LOST)
        doubtful = await lost(s, "a dog")
        with pytest.raises(ConfigError, match="ambiguous"):
            await doubtful.resubmit()
        await s.clock.advance(30)
        with pytest.raises(ConfigError):
            await job.resubmit()
        assert len(s.wire.submits) == 2


async def unresolved(s, answer=LOST):
    """Return a job that only a person can settle."""
    s.host.at_submit.append(answer)
    job = await lost(s)
    await s.clock.advance(2600)
    assert s.engine.desk.flights[job.id].unresolved
    return job


async def test_one_word_sends_once():
    """Two resubmits on one word are one POST, and its timeouts run from that."""
    async with scene() as s:
        job = await unresolved(s, NEVER_ARRIVED)
        await job.resubmit()
        with pytest.raises(ConfigError):
            await job.resubmit()
        assert (await s.after(30, job.wait(timeout=20))).id == "t1"
        assert s.host.billed == {"a cat": 1}


async def test_after_a_resubmit_the_first_success_wins_and_the_other_is_kept():
    """The old attempt may turn up as well: both were paid, one is the result, the other an extra."""
    ledger = WatchedLedger()
    async with scene(Historian(), ledger=ledger) as s:
        s.host.render_time = 5000
        s.host.at_submit.append(LOST)
        job = await lost(s)
        hidden = s.host.tasks.pop("t1")
        await s.clock.advance(2600)
        s.host.render_time = 10
        await job.resubmit()
        await s.clock.advance(1)
        s.host.tasks["t1"] = hidden
        assert (await s.after(100, job.wait())).id == "t2"
        await s.clock.advance(5000)
        record = ledger.last[job.id]
        assert record.state is JobState.SUCCEEDED
        assert record.winner == record.attempts[1].id
        assert s.host.billed == {"a cat": 2}


async def test_an_abandoned_job_still_takes_a_late_video():
    """Giving up is not an end: what was paid for is welcome."""
    async with scene(Historian()) as s:
        s.host.at_submit.append(LOST)
        job = await lost(s)
        hidden = s.host.tasks.pop("t1")
        await s.clock.advance(2600)
        await job.abandon()
        s.host.tasks["t1"] = hidden
        await s.clock.advance(700)
        assert (await s.after(5, job.wait())).id == "t1"


async def test_a_request_goes_to_the_first_provider_that_can_express_it():
    """Order is preference; what the first cannot say goes to the next."""
    plain = Scripted(capabilities=capable("plain", fields=set()))
    async with scene(plain, Scripted(capabilities=capable("rich"))) as s:
        jobs = [await s.pika.submit(Generate("a cat")), await s.pika.submit(Generate("a cat", seed=1))]
        assert [job.provider for job in jobs] == ["plain", "rich"]


async def test_a_request_nobody_can_express_buys_nothing():
    """The error names the field, and who could."""
    async with scene() as s:
        with pytest.raises(UnsupportedRequest, match="guidance_scale"):
            await s.pika.generate("a cat", guidance_scale=2.0)
        assert not s.wire.submits
        assert not s.engine.desk.flights


async def test_an_answer_lost_at_one_provider_is_not_bought_at_the_next():
    """Only a proven refusal leads on."""
    async with scene(Scripted(), Scripted(capabilities=capable("other"))) as s:
        s.host.at_submit.append(LOST)
        with pytest.raises(SubmitUnknown):
            await s.pika.generate("a cat")
        await s.clock.advance(5000)
        assert not s.hosts["other"].billed
