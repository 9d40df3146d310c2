"""What a dead process had sent is sent again from the ledger: the same bytes, the same key, within T."""

from __future__ import annotations

from contextlib import asynccontextmanager

import pytest
from attrs import Factory, define, evolve, field, frozen

import pika_async.provider as api
from pika_async import Generate, JobUnresolved, State, SubmitRefused
from pika_async._encoding import encoded_body
from pika_async._engine.sent import OtherKeyError, again, kept, key_of
from pika_async._ledger.events import Cancel
from pika_async._ledger.records import AttemptState, JobState
from pika_async.requests import Blob
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger
from tests.engine.scripted import LOST, Host, Scripted, answer, capable, scene

pytestmark = pytest.mark.anyio

LEASE = 76.0


@frozen(kw_only=True)
class Keyed(Scripted):
    """Every submit bears a key made from its attempt; it takes no callback address."""

    capabilities: api.Capabilities = field(
        factory=lambda: capable(replay=api.Replay(), callbacks=None, echoes_token=False)
    )

    def build_submit(self, request, call, /):
        headers = {"authorization": self.api_key.within("Bearer {}"), "idempotency-key": call.attempt_id}
        body = api.Json({"prompt": request.prompt, "callback_url": None})
        return api.HttpRequest(method="POST", url=f"{self.base_url}/videos", headers=headers, body=body)


@define(eq=False)
class KeepingHost(Host):
    """Keeps keys: a repeated one reaches the task of the first; *sent* is what arrived."""

    sent: list = Factory(list)
    kept: dict = Factory(dict)

    def accept(self, request):
        key = request.headers["idempotency-key"]
        self.sent.append((request.url, request.headers, encoded_body(request.body)))
        if key not in self.kept:
            self.kept[key] = super().accept(request)
        return self.kept[key]


@asynccontextmanager
async def died(adapter=None):
    """Let a client die between its POST and the answer; returns ledger, clock and hosts."""
    ledger, clock = SharedLedger(), FakeClock()
    hosts = {"scripted": KeepingHost(clock)}
    async with scene(adapter or Keyed(), ledger=ledger, clock=clock, hosts=hosts) as dead:
        dead.host.hold()
        dead.begin(dead.pika.submit(Generate("a cat"))).add_done_callback(lambda task: task.exception())
        await clock.advance(1)
        for post in dead.engine._dispatch._tasks:
            post.cancel()
        await clock.advance(1)
    hosts["scripted"].gate = None
    yield ledger, clock, hosts


async def test_the_next_process_sends_the_same_bytes_and_has_the_video():
    """One bill, one attempt, and nobody is asked; the bytes are forgotten then."""
    async with died() as (ledger, clock, hosts):
        id_ = ledger.job.newest.id
        assert b'"a cat"' in await ledger.sent(id_)
        async with scene(Keyed(), ledger=ledger, clock=clock, hosts=hosts) as s:
            await clock.advance(LEASE + 60)
            (job,) = await s.pika.jobs()
            assert job.state is State.SUCCEEDED
            first, second = s.host.sent
            assert first == second
            assert s.host.billed == {"a cat": 1}
        assert len(ledger.job.attempts) == 1
        assert ledger.job.newest.replay is None
        assert await ledger.sent(id_) is None


async def test_no_secret_is_kept():
    """The key is put in again by whoever sends it."""
    async with died() as (ledger, _, hosts):
        sent = await ledger.sent(ledger.job.newest.id)
        assert Keyed().api_key.reveal().encode() not in sent
        assert hosts["scripted"].sent[0][1]["authorization"].reveal().startswith("Bearer ")


async def test_a_process_with_another_key_sends_nothing(caplog):
    """Under another key the provider would buy a second video: it is a doubt, which says so."""
    async with died() as (ledger, clock, hosts):
        other = Keyed(api_key=api.Secret("sk-another-key"))
        async with scene(other, ledger=ledger, clock=clock, hosts=hosts) as s:
            await clock.advance(1000)
            assert not s.wire.submits
            (job,) = await s.pika.jobs()
            with pytest.raises(JobUnresolved, match="no process with the same key"):
                await s.after(5, job.wait())
        assert "another key" in caplog.text
        assert ledger.job.newest.replay.kept is False
        assert await ledger.sent(ledger.job.newest.id) is None


async def test_nothing_is_sent_after_t():
    """T counts from the claim, however late the next process comes; the bytes go then."""
    async with died() as (ledger, clock, hosts):
        await clock.advance(600)
        async with scene(Keyed(), ledger=ledger, clock=clock, hosts=hosts) as s:
            await clock.advance(30)
            assert await ledger.sent(ledger.job.newest.id) is None
            await clock.advance(1000)
            assert not s.wire.submits
            assert ledger.job.newest.state is AttemptState.UNRESOLVED


async def test_a_living_owner_asks_alone():
    """Its lease ends while it still asks, and its own sweeper does not ask beside it."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(Keyed(), ledger=ledger, clock=clock, hosts={"scripted": KeepingHost(clock)}) as s:
        s.host.at_submit.extend([answer(503, {"error": "ProviderUnavailable"})] * 8)
        wait = s.begin(s.pika.generate("a cat", timeout=None))
        await clock.advance(LEASE + 90)
        assert wait.result().id == "t1"
        assert len(s.wire.submits) == 9


async def test_two_processes_take_turns():
    """The ledger lets one at a time ask; a second one comes when that one has died as well."""
    async with (
        died() as (ledger, clock, hosts),
        scene(Keyed(), ledger=ledger, clock=clock, hosts=hosts) as one,
        scene(Keyed(), ledger=ledger, clock=clock, hosts=hosts) as two,
    ):
        one.host.at_submit.extend([answer(503, {"error": "ProviderUnavailable"})] * 3)
        await clock.advance(LEASE + 60)
        assert len(one.wire.submits) + len(two.wire.submits) == 4
        assert not (one.wire.submits and two.wire.submits)
        assert one.host.billed == {"a cat": 1}


@pytest.mark.parametrize("status", [409, 401])
async def test_an_answer_that_forbids_it_ends_it(status):
    """Only what the adapter names is a reason to send again; what stays open is a doubt."""
    async with died() as (ledger, clock, hosts), scene(Keyed(), ledger=ledger, clock=clock, hosts=hosts) as s:
        s.host.at_submit.extend([answer(status, {"error": "AuthError"})] * 100)
        await clock.advance(LEASE + 120)
        assert len(s.wire.submits) == 1
        assert ledger.job.newest.state is AttemptState.AMBIGUOUS
        assert await ledger.sent(ledger.job.newest.id) is None


async def test_its_lease_lasts_as_long_as_its_answer_may_take():
    """An answer that is held until the video is ready takes minutes, and nobody asks beside it meanwhile."""

    class Holding(Keyed):
        def build_submit(self, request, call, /):
            return evolve(super().build_submit(request, call), held=True)

    async with died(Holding()) as (ledger, clock, hosts):
        await clock.advance(400)
        async with scene(Holding(), ledger=ledger, clock=clock, hosts=hosts) as s:
            s.host.hold()
            await clock.advance(20)
            assert len(s.wire.submits) == 1
            assert ledger.job.newest.lease_until > ledger.now() + 300


@frozen(kw_only=True)
class NamesTheJob(Keyed):
    """A refusal at submit is a failed job, which the key leads to again."""

    def read_submit(self, response, request, /):
        try:
            return super().read_submit(response, request)
        except api.SubmitRefused as error:
            error.settles_key = True
            raise


async def test_a_job_of_the_key_that_failed_settles_the_first_send():
    """It is the job that the first send made, so nothing was bought: a refusal like any other."""
    async with died(NamesTheJob()) as (ledger, clock, hosts):
        hosts["scripted"].at_submit.append(answer(200, {"error": "SubmitRefused"}))
        async with scene(NamesTheJob(), ledger=ledger, clock=clock, hosts=hosts) as s:
            await clock.advance(LEASE + 30)
            assert len(s.wire.submits) == 1
    assert ledger.job.newest.state is AttemptState.REFUSED
    assert ledger.job.state is JobState.FAILED


async def test_so_it_does_in_the_process_that_sent_it():
    """The caller is told the refusal, and that nothing was charged."""
    clock = FakeClock()
    async with scene(NamesTheJob(), clock=clock, hosts={"scripted": KeepingHost(clock)}) as s:
        s.host.at_submit.extend([LOST, answer(200, {"error": "SubmitRefused"})])
        wait = s.begin(s.pika.generate("a cat"))
        await clock.advance(30)
        assert isinstance(wait.exception(), SubmitRefused)
        assert wait.exception().charged == "no"


async def test_a_cancelled_job_is_not_sent_again():
    """What may not be bought any more may not be asked for by a POST."""
    async with died() as (ledger, clock, hosts), scene(Keyed(), ledger=ledger, clock=clock, hosts=hosts) as s:
        await ledger.apply(ledger.job.id, Cancel())
        await clock.advance(LEASE + 60)
        assert not s.wire.submits


REQUEST = api.HttpRequest(
    method="POST",
    url="https://api.test/v1",
    headers={"X-API-Key": api.Secret("sk-12345"), "Idempotency-Key": "k", "Accept": "*/*"},
    query={"a": "ü b"},
    body=api.Json({"prompt": "ein Kätzchen\n", "n": 1.5, "link": "https://up.test/1?sig=abc"}),
)
OWN = {"api_key": api.Secret("sk-12345"), "other": api.Secret("sk-other")}


@pytest.mark.parametrize(
    "body",
    [REQUEST.body, api.Form({"a": "b c"}), Blob(b"\n\0\xff", "image/png", "x"), None],
    ids=["json", "form", "blob", "none"],
)
def test_what_is_kept_is_what_was_sent(body):
    """Address, query, headers and body come back, and the secret with them."""
    request = evolve(REQUEST, body=body)
    found = kept(request, OWN)
    back, names = again(found.data, OWN)
    assert (back.url, back.query, back.headers) == (request.url, request.query, request.headers)
    assert encoded_body(back.body) == encoded_body(body)
    assert names == found.names == {"api_key"}
    assert b"sk-12345" not in found.data


@pytest.mark.parametrize(
    "changes",
    [
        {"url": "https://api.test/sk-12345/v1"},
        {"url": "https://api.test/v1?other=sk-other"},
        {"query": {"key": api.Secret("sk-12345")}},
        {"query": {"key": "sk-other"}},
        {"headers": {"X-Own": api.Secret("nobody's")}},
        {"headers": {"X-Key": "sk-12345"}},
        {"body": api.Json({"key": api.Secret("sk-12345")})},
        {"body": api.Json({"deep": ["my sk-other key"]})},
        {"body": api.Form({"key": "sk-12345"})},
        {"body": Blob(b"..sk-12345..", "text/plain", "x")},
        {"body": api.Multipart({"a": "b"})},
    ],
    ids=str,
)
def test_nothing_is_kept_that_would_tell_a_secret(changes):
    """Nor what has other bytes each time; such a POST is a doubt when its process dies."""
    assert kept(evolve(REQUEST, **changes), OWN) is None


def test_a_missing_key_is_another_key():
    """Who has no key of that name cannot send it."""
    with pytest.raises(OtherKeyError):
        again(kept(REQUEST, OWN).data, {"other": OWN["other"]})


@pytest.mark.parametrize("data", [b"", b"{}\n", b"[]\n", b'{"headers":[]}\nx', b"\xff\n"])
def test_foreign_bytes_are_refused(data):
    """Another version may have kept them."""
    with pytest.raises(ValueError, match=r"not a POST|Expecting|codec"):
        again(data, OWN)


def test_the_fingerprint_is_of_the_key_and_keyed():
    """Another key, or another ledger, has another one, and no key can be read from it."""
    one = key_of(OWN, ["api_key"], b"ledger")
    assert one == key_of(OWN, {"api_key"}, b"ledger")
    assert len({one, key_of(OWN, ["other"], b"ledger"), key_of(OWN, ["api_key"], b"elsewhere")}) == 3
