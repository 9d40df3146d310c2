"""A lost answer is asked for again with the same bytes, where the provider keeps their key; within T only."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import Any

import pytest
from attrs import Factory, define, field, frozen

import pika_async.provider as api
from pika_async import SubmitUnknown
from pika_async._engine.account import LONGEST_REPLAY
from pika_async._ledger.events import Cancel, Replaying
from pika_async._ledger.records import AttemptState
from pika_async._transport import SendError
from pika_async.testing import FakeClock
from tests.engine.ledgers import FailingLedger, WatchedLedger
from tests.engine.scripted import LOST, UNSENT, Host, Scripted, answer, capable, refusal, scene

pytestmark = pytest.mark.anyio

NEVER_ARRIVED = SendError("the line is cut before the host has read a thing", sent=True)


@frozen(kw_only=True)
class Keyed(Scripted):
    """Every submit bears a key made from its attempt, and the same key reaches the same task."""

    capabilities: api.Capabilities = field(factory=lambda: capable(replay=api.Replay()))

    def build_submit(self, request, call, /):
        body = {"prompt": request.prompt, "callback_url": call.callback_url}
        headers = {"authorization": self.api_key.within("Bearer {}"), "idempotency-key": call.attempt_id}
        return api.HttpRequest(
            method="POST", url=f"{self.base_url}/videos", headers=headers, body=api.Json(body)
        )


@define(eq=False)
class KeepingHost(Host):
    """Keeps keys: a repeated one reaches the task of the first, and is not billed."""

    kept: dict[str, tuple[Any, str]] = Factory(dict)

    def accept(self, request):
        key = request.headers["idempotency-key"]
        if key not in self.kept:
            self.kept[key] = request, super().accept(request)
        first, task = self.kept[key]
        assert request == first, "a replay sends the very same bytes"
        return task


@asynccontextmanager
async def keyed(adapter=None, **options):
    """Open a client of a provider that keeps keys."""
    clock = options.pop("clock", None) or FakeClock()
    hosts = {"scripted": KeepingHost(clock)}
    async with scene(adapter or Keyed(), clock=clock, hosts=options.pop("hosts", hosts), **options) as s:
        yield s


LOSSES = [
    (LOST, "taken, and the answer cut"),
    (NEVER_ARRIVED, "never read"),
    (answer(503, {"error": "ProviderUnavailable"}), "5xx"),
]


@pytest.mark.parametrize("loss", [loss for loss, _ in LOSSES], ids=[name for _, name in LOSSES])
@pytest.mark.parametrize("times", [1, 4])
async def test_a_lost_answer_is_asked_for_again(loss, times):
    """One bill, one attempt, and the caller never learns of it."""
    ledger = WatchedLedger()
    async with keyed(ledger=ledger) as s:
        s.host.at_submit.extend([loss] * times)
        video = await s.after(60, s.pika.generate("a cat"))
        assert video.id == "t1"
        assert s.host.billed == {"a cat": 1}
        assert len(s.wire.submits) == times + 1
        assert len({request.headers["idempotency-key"] for request in s.wire.submits}) == 1
        assert len(ledger.job.attempts) == 1
        assert ledger.order.count("Replaying") == times


async def test_a_connection_that_fails_is_no_end():
    """Nothing was bought by it, and nothing is proven about the first send."""
    async with keyed() as s:
        s.host.at_submit.extend([LOST, UNSENT, UNSENT])
        assert (await s.after(60, s.pika.generate("a cat"))).id == "t1"
        assert s.host.billed == {"a cat": 1}


async def test_nothing_is_sent_again_after_t():
    """Then it is a doubt like any other: looked for and shown; pauses grow to half a minute."""
    ledger = WatchedLedger()
    async with keyed(ledger=ledger) as s:
        s.host.at_submit.extend([NEVER_ARRIVED] * 1000)
        wait = s.begin(s.pika.generate("a cat", timeout=None))
        await s.clock.advance(LONGEST_REPLAY - 1)
        assert not wait.done()
        assert ledger.job.newest.state in {AttemptState.SENDING, AttemptState.AMBIGUOUS}
        await s.clock.advance(60)
        sent = len(s.wire.submits)
        assert 15 < sent < 30
        assert isinstance(wait.exception(), SubmitUnknown)
        await s.clock.advance(3000)
        assert len(s.wire.submits) == sent
        assert ledger.job.newest.state is AttemptState.UNRESOLVED
        assert not s.host.billed


async def test_a_shorter_promise_of_the_provider_is_kept():
    """T is what the provider publishes, if that is less than ours."""
    capabilities = capable(replay=api.Replay(seconds=20))
    async with keyed(Keyed(capabilities=capabilities)) as s:
        s.host.at_submit.extend([NEVER_ARRIVED] * 1000)
        with pytest.raises(SubmitUnknown):
            await s.after(60, s.pika.generate("a cat"))
        assert len(s.wire.submits) == 5  # 0, 1, 3, 7 and 15 seconds after the claim


@pytest.mark.parametrize("kind", ["InsufficientBalance", "AuthError", "SubmitRefused"])
async def test_a_refusal_of_the_same_bytes_proves_nothing_about_the_first(kind):
    """The first may have emptied the balance: it stays a doubt, and no other attempt follows."""
    ledger = WatchedLedger()
    async with keyed(ledger=ledger) as s:
        s.host.at_submit.extend([LOST, refusal(kind)])
        with pytest.raises(SubmitUnknown):
            await s.after(60, s.pika.generate("a cat"))
        assert ledger.job.newest.state is AttemptState.AMBIGUOUS
        assert len(ledger.job.attempts) == 1


async def test_a_full_provider_is_asked_again():
    """A 429 says nothing about the first send either, and ends."""
    async with keyed() as s:
        s.host.at_submit.extend([LOST, refusal("RateLimited", 429)])
        assert (await s.after(60, s.pika.generate("a cat"))).id == "t1"
        assert s.host.billed == {"a cat": 1}


async def test_an_outcome_that_is_not_promised_stays_a_doubt():
    """Only after what the provider names may its bytes be sent again."""
    async with keyed() as s:
        s.host.at_submit.append(answer(409, {"error": "ProviderUnavailable"}))
        with pytest.raises(SubmitUnknown):
            await s.pika.generate("a cat")
        assert len(s.wire.submits) == 1


async def test_a_provider_without_keys_is_never_asked_again():
    """There the same bytes buy a second video."""
    async with scene() as s:
        s.host.at_submit.append(LOST)
        with pytest.raises(SubmitUnknown):
            await s.pika.generate("a cat")
        await s.clock.advance(700)
        assert len(s.wire.submits) == 1


async def test_a_cancelled_job_is_not_sent_again():
    """What never arrived must not be bought after all."""
    ledger = WatchedLedger()
    async with keyed(ledger=ledger) as s:
        s.host.at_submit.append(NEVER_ARRIVED)
        s.begin(s.pika.generate("a cat"))
        await s.clock.advance(0.5)
        await ledger.apply(ledger.job.id, Cancel())
        await s.clock.advance(700)
        assert len(s.wire.submits) == 1


@pytest.mark.parametrize("committed", [False, True])
async def test_without_the_ledgers_word_nothing_is_sent_again(committed):
    """The permission is a commit; one that fails is asked for again."""
    ledger = FailingLedger(Replaying, committed=committed)
    async with keyed(ledger=ledger) as s:
        s.host.at_submit.append(LOST)
        assert (await s.after(60, s.pika.generate("a cat"))).id == "t1"
        assert len(s.wire.submits) == 2
        assert s.host.billed == {"a cat": 1}
