"""From the queue to one POST: intent first, a fence, and what the answer proves."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve

import pika_async.provider as api
from pika_async import Generate
from pika_async._engine import posts
from pika_async._ledger.events import Cancel, Claim, Sending, Unknown
from pika_async._ledger.records import AttemptState, JobState
from pika_async.errors import (
    AuthError,
    ConfigError,
    ContentBlocked,
    InsufficientBalance,
    JobFailed,
    LedgerError,
    PikaError,
    ProviderUnavailable,
    SubmitUnknown,
    UnsupportedRequest,
)
from pika_async.testing import FakeClock
from tests.engine.clocks import SkewedClock
from tests.engine.ledgers import FailingLedger, KeptLedger, SharedLedger, WatchedLedger
from tests.engine.scripted import LOST, UNSENT, Historian, Scripted, answer, capable, refusal, scene
from tests.ledger.records import attempt, job

pytestmark = pytest.mark.anyio


async def test_intent_is_committed_before_the_post():
    """The claim is in the ledger before the connection is asked for, the mark before the first byte."""
    ledger = WatchedLedger()
    async with scene(ledger=ledger) as s:

        async def connecting():
            ledger.order.append("connect")
            assert ledger.job.newest.state is AttemptState.SUBMITTING

        s.wire.connecting = connecting
        await s.after(20, s.pika.generate("a cat"))
        assert ledger.order[:4] == ["Claim", "connect", "Sending", "Evidence"]
        assert ledger.job.state is JobState.SUCCEEDED


@pytest.mark.parametrize("committed", [False, True])
async def test_nothing_is_sent_when_the_claim_fails(committed):
    """Whether or not it became durable: without the ledger's word there is no POST, and no doubt is left."""
    ledger = FailingLedger(Claim, committed=committed)
    async with scene(ledger=ledger) as s:
        with pytest.raises(LedgerError) as caught:
            await s.pika.generate("a cat")
        assert caught.value.charged == "no"
        await s.clock.advance(2000)
        assert not s.wire.submits
        assert s.stats.in_flight == 0
        record = ledger.job
        assert record.newest.state in {AttemptState.REFUSED, AttemptState.CANCELLED}
        assert not record.newest.slot


@pytest.mark.parametrize("committed", [False, True])
async def test_an_outcome_that_cannot_be_kept_is_not_lost(committed):
    """The disk may be full when the answer comes: this process goes on, and gives the video."""
    from pika_async._ledger.events import Evidence

    ledger = FailingLedger(Evidence, committed=committed)
    async with scene(ledger=ledger) as s:
        video = await s.after(60, s.pika.generate("a cat"))
        assert video.id == "t1"
        assert s.host.billed["a cat"] == 1


@pytest.mark.parametrize("which", ["now", "wall", "boot"])
async def test_a_late_fence_sends_nothing(which):
    """Five seconds on any one clock from claim to first byte, and the attempt is given up for a new one."""
    clock, ledger, attempts = SkewedClock(), WatchedLedger(), []
    async with scene(clock=clock, ledger=ledger) as s:

        async def connecting():
            attempts.append(ledger.job.newest.number)
            if len(attempts) == 1:
                clock.ahead[which] += 5.5

        s.wire.connecting = connecting
        await s.after(40, s.pika.generate("a cat"))
        assert attempts == [1, 2]
        assert s.host.billed["a cat"] == 1
        assert ledger.job.attempts[0].state is AttemptState.REFUSED
        assert ledger.job.winner == ledger.job.attempts[1].id


async def test_a_fence_that_stays_late_gives_up():
    """After three connections that took too long the job ends, provably unpaid."""
    clock = SkewedClock()
    async with scene(clock=clock) as s:

        async def connecting():
            clock.ahead["wall"] += 6

        s.wire.connecting = connecting
        with pytest.raises(ProviderUnavailable) as caught:
            await s.pika.generate("a cat")
        assert caught.value.charged == "no"
        assert not s.wire.submits
        assert s.stats.in_flight == 0


async def test_a_mark_that_is_written_too_slowly_makes_the_fence_late():
    """The time is looked at last: a disk that stalls while the mark is committed is part of the window."""
    clock = SkewedClock()

    class Stalling(WatchedLedger):
        async def apply(self, job_id, event):
            clock.ahead["boot"] += 6
            return await super().apply(job_id, event)

    async with scene(clock=clock, ledger=Stalling()) as s:
        with pytest.raises(ProviderUnavailable) as caught:
            await s.pika.generate("a cat")
        assert caught.value.charged == "no"
        assert not s.wire.submits


async def test_reading_a_large_file_does_not_make_the_fence_late(monkeypatch):
    """The window is claim to first byte; what is read before the claim may take its time."""
    clock = SkewedClock()
    read = posts.with_blobs

    async def slowly(*args):
        clock.ahead["now"] += 30
        clock.ahead["wall"] += 30
        return await read(*args)

    monkeypatch.setattr(posts, "with_blobs", slowly)
    async with scene(clock=clock) as s:
        await s.after(40, s.pika.generate("a cat"))
        assert len(s.wire.submits) == 1


@pytest.mark.parametrize("event", [Cancel(), None])
async def test_a_row_that_changed_is_not_sent(event):
    """Cancelled by another process, or swept while this one slept: the fence reads it again."""
    ledger = WatchedLedger()
    async with scene(ledger=ledger) as s:

        async def connecting():
            job = ledger.job
            change = event or Unknown(attempt=job.newest.id, owner=job.newest.owner)
            await ledger.apply(job.id, change)
            s.wire.connecting = None

        s.wire.connecting = connecting
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(40)
        assert s.host.billed["a cat"] == (0 if event else 1)
        assert wait.done()
        assert (wait.exception() is None) == (event is None)
        assert ledger.job.attempts[0].state is AttemptState.REFUSED
        assert s.stats.in_flight == 0


@pytest.mark.parametrize("committed", [False, True])
async def test_a_ledger_that_fails_at_the_fence_sends_nothing(committed):
    """Without the mark's acknowledgement there is no permission, whether or not it became durable."""

    class Failing(WatchedLedger):
        async def apply(self, job_id, event):
            if not isinstance(event, Sending):
                return await super().apply(job_id, event)
            if committed:
                await super().apply(job_id, event)
            raise LedgerError("The disk is full.")

    async with scene(ledger=Failing()) as s:
        with pytest.raises(LedgerError) as caught:
            await s.pika.generate("a cat")
        assert caught.value.charged == "no"
        assert not s.wire.submits
        assert s.stats.in_flight == 0


@pytest.mark.parametrize(
    "refused",
    [refusal("InsufficientBalance", 402), refusal("AuthError", 401), refusal("SubmitRefused", 400), UNSENT],
    ids=["balance", "key", "refused", "unsent"],
)
async def test_the_next_provider_is_asked_after_a_proven_refusal(refused):
    """Two attempts of one job, one of them billed."""
    ledger = WatchedLedger()
    async with scene(Scripted(), Scripted(capabilities=capable("other")), ledger=ledger) as s:
        s.host.at_submit.append(refused)
        job = await s.pika.submit(Generate("a cat"))
        assert job.provider == "other"
        await s.after(30, job.wait())
        assert (s.host.billed["a cat"], s.hosts["other"].billed["a cat"]) == (0, 1)
        assert [a.account for a in ledger.job.attempts] == ["scripted:default", "other:default"]
        assert s.stats.in_flight == 0


async def test_when_all_refuse_the_last_refusal_is_told():
    """The error is the provider's own, with everything that helps its support."""
    async with scene(Scripted(), Scripted(capabilities=capable("other"))) as s:
        s.host.at_submit.append(refusal("InsufficientBalance", 402))
        s.hosts["other"].at_submit.append(refusal("ContentBlocked", 422))
        with pytest.raises(ContentBlocked) as caught:
            await s.pika.generate("a cat")
        error = caught.value
        assert (error.provider, error.status, error.charged, error.phase) == ("other", 422, "no", "submit")
        assert s.stats.in_flight == 0


@pytest.mark.parametrize("status", [301, 302, 307, 308, 408, 409, 500, 502, 503, 504])
async def test_no_adapter_can_call_these_a_refusal(status):
    """Such an answer proves nothing about money, and no other provider is asked, whatever adapters say."""
    async with scene(Scripted(), Scripted(capabilities=capable("other"))) as s:
        s.host.at_submit.append(refusal("RateLimited", status))
        with pytest.raises(SubmitUnknown) as caught:
            await s.pika.generate("a cat")
        assert caught.value.charged == "unknown"
        assert not caught.value.retryable
        assert caught.value.status == status
        assert not s.hosts["other"].billed


@pytest.mark.parametrize(
    "said",
    [
        LOST,
        api.HttpResponse(status=200, body=b"<html>"),
        api.HttpResponse(status=400, body=b"<html>"),
        answer(200, {"error": "BadReply"}),
        answer(200, {"nothing": "of note"}),
        answer(200, ["not", "a", "mapping"]),
    ],
)
async def test_an_answer_that_says_nothing_is_unknown(said):
    """Lost, unreadable, or too much for the adapter: the job stays, in doubt, with its token."""
    async with scene() as s:
        s.host.at_submit.append(said)
        with pytest.raises(SubmitUnknown) as caught:
            await s.pika.generate("a cat")
        assert caught.value.charged == "unknown"
        assert caught.value.token
        assert len(s.wire.submits) == 1
        await s.clock.advance(30)
        assert caught.value.job.id in s.engine.desk.flights


@pytest.mark.parametrize("given", [None, "garbage", {"id": "t1"}, object])
async def test_an_adapter_that_returns_no_snapshot_loses_no_job(given, monkeypatch):
    """What it was given may have been a paid job, so the outcome is unknown, not free."""
    monkeypatch.setattr(Scripted, "read_submit", lambda self, response, request, /: given)
    async with scene() as s:
        with pytest.raises(SubmitUnknown) as caught:
            await s.pika.generate("a cat")
        assert caught.value.charged == "unknown"
        assert caught.value.job.id in s.engine.desk.flights


async def test_a_transport_that_falls_over_leaves_the_outcome_unknown():
    """Nobody can tell how far the request had come."""
    async with scene() as s:
        s.host.at_submit.append(RuntimeError("a defect"))
        with pytest.raises(PikaError) as caught:
            await s.pika.generate("a cat")
        assert caught.value.charged == "unknown"
        await s.clock.advance(3000)
        assert len(s.wire.submits) == 1


async def test_an_adapter_that_fails_to_build_buys_nothing(monkeypatch):
    """Its error is ours to explain, nothing is sent, and no half-made job is left to be bought later."""
    ledger = WatchedLedger()

    def fails(self, request, call, /):
        raise KeyError("a defect")

    monkeypatch.setattr(Scripted, "build_submit", fails)
    async with scene(ledger=ledger) as s:
        with pytest.raises(PikaError) as caught:
            await s.pika.generate("a cat")
        assert caught.value.charged == "no"
        assert not ledger.last
        assert not s.engine.desk.flights
        assert s.stats.in_flight == 0


async def test_two_posts_with_one_task_are_two_jobs_in_doubt():
    """A provider that gives the same task twice rendered once: the second job must not take the result."""
    async with scene() as s:
        first = await s.pika.submit(Generate("first"))
        s.host.at_submit.append(answer(200, s.host.tell("t1")))
        with pytest.raises(SubmitUnknown):
            await s.pika.generate("second")
        assert (await s.after(30, first.wait())).id == "t1"


async def test_a_held_answer_ends_the_job_at_once():
    """A POST may answer with the video itself; nothing is looked up then."""
    async with scene() as s:
        s.host.render_time = 0
        video = await s.pika.generate("a cat")
        assert video.id == "t1"
        assert not s.wire.polls


async def test_a_held_answer_without_a_link_is_looked_at_again():
    """A success word alone is not proof of failure."""
    async with scene() as s:
        s.host.render_time = 5
        s.host.at_submit.append(answer(200, {"id": "t1", "state": "failed", "reason": "no_output"}))
        s.host.tasks["t1"] = {"id": "t1", "done_at": s.clock.now() + 5}
        assert (await s.after(30, s.pika.generate("a cat"))).video_url


async def test_a_held_failure_is_a_failed_job():
    """The provider took it and gave up in the same breath."""
    async with scene() as s:
        s.host.at_submit.append(answer(200, {"id": "t1", "state": "failed", "reason": "content"}))
        with pytest.raises(JobFailed):
            await s.pika.generate("a cat")


async def test_files_are_read_when_the_slot_is_won(tmp_path):
    """A file may still be written while its job waits; what lies there at the end is sent."""
    path = tmp_path / "cat.png"
    async with scene(max_concurrency=1) as s:
        first = s.begin(s.pika.generate("first"))
        second = s.begin(s.pika.generate("second", image=path))
        await s.clock.advance(5)
        path.write_bytes(b"\x89PNG late")
        sent = asyncio.Event()

        async def connecting():
            sent.set()

        s.wire.connecting = connecting
        await s.clock.advance(10)
        await sent.wait()
        await s.clock.advance(20)
        assert first.done()
        assert second.result()
        assert s.wire.submits[1].body.value["image"] == "\x89PNG late"


async def test_a_file_that_is_missing_when_the_slot_is_won_buys_nothing(tmp_path):
    """The error names the file; the slot is free again."""
    async with scene() as s:
        with pytest.raises(UnsupportedRequest, match=r"cat\.png"):
            await s.pika.generate("a cat", image=tmp_path / "cat.png")
        assert not s.wire.submits
        assert s.stats.in_flight == 0
        assert not s.engine.desk.flights


async def test_a_file_changed_since_the_job_was_recorded_is_refused(tmp_path):
    """Its key stands for the bytes it had then."""
    path = tmp_path / "cat.png"
    path.write_bytes(b"\x89PNG one")
    recorded = asyncio.Event()

    class Telling(WatchedLedger):
        async def create(self, job, first=None):
            if job.key is not None:
                recorded.set()
            return await super().create(job, first)

    async with scene(max_concurrency=1, ledger=Telling()) as s:
        s.host.render_time = 5
        s.begin(s.pika.generate("first"))
        second = s.begin(s.pika.generate("second", image=path, idempotency_key="k"))
        await recorded.wait()
        path.write_bytes(b"\x89PNG two")
        await s.clock.advance(20)
        with pytest.raises(UnsupportedRequest, match="changed"):
            await second
        assert s.host.billed == {"first": 1}
        assert s.stats.in_flight == 0


def callback_of(request):
    """Return the callback address that a request bears."""
    secret = request.body.value["callback_url"]
    return None if secret is None else secret.reveal()


async def test_the_default_callback_goes_nowhere_and_names_the_attempt():
    """A reserved domain, and a token of its own for each attempt."""
    async with scene(Historian()) as s:
        await s.pika.submit(Generate("first"))
        await s.pika.submit(Generate("second"))
        one, two = map(callback_of, s.wire.submits)
        assert one.startswith("https://callback.invalid/")
        assert one != two
        assert "callback.invalid" not in repr(s.wire.submits)


async def test_a_callback_address_of_ones_own_gets_the_token():
    """On the client, or on one call, which goes first."""
    async with scene(callback_url="https://app.example.com/hook?x=1") as s:
        await s.pika.submit(Generate("first"))
        await s.pika.submit(Generate("second"), callback_url="https://other.example.com/")
        one, two = map(callback_of, s.wire.submits)
        assert one.startswith("https://app.example.com/hook?x=1&pika_attempt=")
        assert two.startswith("https://other.example.com/?pika_attempt=")


@pytest.mark.parametrize("where", ["client", "call"])
async def test_callbacks_can_be_switched_off(where):
    """Where the provider allows it, none is sent."""
    async with scene(**({"callback_url": False} if where == "client" else {})) as s:
        await s.pika.submit(Generate("a cat"), **({"callback_url": False} if where == "call" else {}))
        assert callback_of(s.wire.submits[0]) is None


async def test_callbacks_that_a_provider_requires_cannot_be_switched_off():
    """That is said before anything is bought."""
    async with scene(Scripted(capabilities=capable(callbacks="required"))) as s:
        with pytest.raises(UnsupportedRequest, match="callback"):
            await s.pika.generate("a cat", callback_url=False)
        assert not s.wire.submits


async def test_a_provider_without_callbacks_gets_no_address():
    """Nothing is sent that its wire does not know."""
    async with scene(Scripted(capabilities=capable(callbacks="no"))) as s:
        await s.pika.submit(Generate("a cat"))
        assert callback_of(s.wire.submits[0]) is None


class Stray(Scripted):
    """Sends its key to somebody else."""

    def _ask(self, method, path, **parts):
        request = super()._ask(method, path, **parts)
        return evolve(request, url="https://evil.test" + path) if path in self.strays else request

    strays = ("/videos",)


async def test_an_adapter_cannot_send_its_key_to_a_foreign_host():
    """Neither at submit, where nothing is bought, nor at a look-up, where the job lives on."""
    async with scene(Stray()) as s:
        with pytest.raises(ConfigError, match=r"evil\.test"):
            await s.pika.generate("a cat")
        assert not s.wire.submits
        assert s.stats.in_flight == 0
        assert not s.engine.desk.flights


async def test_an_adapter_cannot_send_its_key_to_a_foreign_host_by_a_look_up(monkeypatch):
    """The look-up is not sent; the paid job stays."""
    monkeypatch.setattr(Stray, "strays", ())
    async with scene(Stray()) as s:
        job = await s.pika.submit(Generate("a cat"))
        monkeypatch.setattr(Stray, "strays", ("/videos",))
        wait = s.begin(job.wait(timeout=50))
        await s.clock.advance(30)
        assert not s.wire.polls
        monkeypatch.setattr(Stray, "strays", ())
        await s.clock.advance(19)
        assert wait.result().id == "t1"


async def test_an_adapter_that_submits_with_another_method_is_stopped(monkeypatch):
    """PUT and GET are replayed by proxies and libraries."""
    ask = Scripted._ask
    monkeypatch.setattr(Scripted, "_ask", lambda self, method, path, **parts: ask(self, "PUT", path, **parts))
    async with scene() as s:
        with pytest.raises(ConfigError, match="PUT"):
            await s.pika.generate("a cat")
        assert not s.wire.submits


async def test_media_reach_the_adapter_as_blobs():
    """Bytes and files are the same to it."""
    async with scene() as s:
        await s.pika.submit(Generate("a cat", image=b"GIF89a"))
        assert s.wire.submits[0].body.value["image"] == "GIF89a"


async def test_no_slots_but_in_another_process_are_waited_for_in_peace():
    """Two clients on one ledger share its slots; the one that must wait does not spin."""
    ledger = SharedLedger()
    clock = FakeClock()
    options = {"ledger": ledger, "clock": clock, "max_concurrency": 1}
    async with scene(**options) as one, scene(**options, hosts=one.hosts) as two:
        first = one.begin(one.pika.generate("first"))
        await clock.advance(0)
        second = two.begin(two.pika.generate("second"))
        await clock.advance(0.5)
        claims = ledger.order.count("Claim")
        assert claims <= 3
        await clock.advance(40)
        assert first.done()
        assert second.done()
        assert one.host.billed == {"first": 1, "second": 1}
        assert one.stats.in_flight == two.stats.in_flight == 0


def only(name, kind):
    """Return a provider of one kind of request."""
    return Scripted(capabilities=capable(name, kinds={api.Generate, kind}))


async def test_a_claim_that_is_granted_while_the_client_closes_sends_nothing():
    """Nobody would be there for the answer; the order stays queued."""
    ledger = KeptLedger()
    ledger.gate = asyncio.Event()
    async with scene(ledger=ledger) as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(0)
        closing = s.begin(s.pika.aclose())
        await s.clock.advance(0)
        ledger.gate.set()
        await closing
        assert not s.wire.submits
        assert wait.done()
    assert ledger.job.newest.state is AttemptState.QUEUED


@pytest.mark.parametrize(("waits", "builds"), [(50, 2), (70, 3)])
async def test_a_post_that_waited_long_is_built_anew(waits, builds):
    """What it holds of the time is told to the provider."""
    built = []

    class Counting(Scripted):
        def build_submit(self, request, call, /):
            built.append(call.now)
            return Scripted.build_submit(self, request, call)

    async with scene(Counting(), max_concurrency=1) as s:
        s.host.render_time = waits
        both = asyncio.gather(s.pika.generate("first"), s.pika.generate("second"))
        await s.after(3 * waits, both)
        assert len(built) == builds


async def test_in_memory_what_is_asked_for_anew_asks_the_provider():
    """A pause holds back nothing that was asked for a second after it."""
    async with scene() as s:
        for _ in range(2):
            await s.clock.advance(1)
            s.host.at_submit.append(refusal("InsufficientBalance", 402))
            with pytest.raises(InsufficientBalance, match="The host said"):
                await s.pika.generate("a cat")
        assert len(s.wire.submits) == 2


async def test_a_pause_that_another_process_caused_holds_what_was_asked_for_before():
    """It stays queued in the ledger, and nothing was bought."""
    ledger, clock, ready = SharedLedger(), FakeClock(), asyncio.Event()
    options = {"ledger": ledger, "clock": clock, "max_concurrency": 1}
    async with scene(**options) as one, scene(**options, hosts=one.hosts) as two:
        one.wire.connecting = ready.wait
        one.host.at_submit.append(refusal("InsufficientBalance", 402))
        first = one.begin(one.pika.generate("first"))
        await clock.advance(0)
        second = two.begin(two.pika.generate("second"))
        await clock.advance(0.5)
        ready.set()
        await clock.advance(10)
        assert isinstance(first.exception(), InsufficientBalance)
        assert second.exception().code == "paused"
        assert second.exception().charged == "no"
        assert not two.wire.submits
        assert len(one.wire.submits) == 1


async def test_a_refused_key_is_not_tried_with_every_order_that_waits():
    """They are left unsent with its error; what is asked for later is tried, and ends that."""
    async with scene(ledger=KeptLedger(), max_concurrency=1) as s:
        s.host.at_submit.append(refusal("AuthError", 401))
        waits = [s.begin(s.pika.generate(str(n))) for n in range(4)]
        await s.clock.advance(1)
        assert [type(wait.exception()) for wait in waits] == [AuthError] * 4
        assert len(s.wire.submits) == 1
        assert s.stats.paused
        await s.clock.advance(2)
        await s.pika.submit(Generate("later"))
        assert s.stats.paused is None


@pytest.mark.parametrize("kind", ["AuthError", "InsufficientBalance"])
async def test_a_refused_account_ends_what_waits_in_memory_without_a_trial_of_each(kind):
    """Nothing outlives the process, so the orders are over; what is asked for a second later is tried."""
    async with scene(max_concurrency=1) as s:
        s.host.at_submit.append(refusal(kind, 402))
        waits = [s.begin(s.pika.generate(str(n))) for n in range(50)]
        await s.clock.advance(0.5)
        assert {type(wait.exception()).__name__ for wait in waits} == {kind}
        assert {wait.exception().charged for wait in waits} == {"no"}
        assert len(s.wire.submits) == 1
        await s.clock.advance(1)
        assert (await s.after(30, s.pika.generate("later"))).id == "t1"


async def test_an_order_that_another_provider_can_take_is_sent_although_a_key_was_refused():
    """It goes on to the next provider after its own refusal."""
    providers = only("scripted", api.Ingredients), only("second", api.Generate)
    async with scene(*providers, ledger=KeptLedger(), max_concurrency=1) as s:
        s.host.at_submit.extend([refusal("AuthError", 401), refusal("AuthError", 401)])
        alone = s.begin(s.pika.ingredients("a cat", images=[b"GIF89a"]))
        both = s.begin(s.pika.generate("a dog"))
        await s.clock.advance(30)
        assert isinstance(alone.exception(), AuthError)
        assert both.result().id == "t1"
        assert s.hosts["second"].billed == {"a dog": 1}


async def test_a_claim_that_is_not_granted_shows_that_the_ledger_works():
    """Another process had claimed the job before."""
    async with scene(ledger=KeptLedger()) as s:
        desk, line = s.engine.desk, s.engine._lines["scripted:default"]
        record = job(attempt(account="scripted:default"))
        await desk.ledger.create(record)
        flight = desk.take_up(record)
        await desk.ledger.apply(record.id, Claim(attempt=record.newest.id, owner="another"))
        line.ledger_failed(s.clock.now())
        line.add(flight)
        await s.engine._dispatch._posts.post(line, line.take())
        assert line.paused(0.0) is None
        assert not s.wire.submits


async def test_a_job_is_being_sent_from_its_claim_to_its_answer():
    """Until then this process knows more than any record; afterwards news counts again."""
    async with scene() as s:
        s.host.hold()
        order = s.begin(s.pika.submit(Generate("a cat")))
        await s.clock.advance(0)
        (flight,) = s.engine.desk.flights.values()
        assert flight.sending
        s.host.gate.set()
        await s.clock.advance(0)
        assert order.done()
        assert not flight.sending
