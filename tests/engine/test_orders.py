"""How jobs are ordered, once for each key."""

from __future__ import annotations

import asyncio

import pytest

from pika_async import Generate, Ingredients
from pika_async._engine.digest import first_digest
from pika_async._ledger.records import AttemptState
from pika_async.errors import (
    InsufficientBalance,
    JobFailed,
    JobTimeout,
    JobUnresolved,
    PikaError,
    SubmitUnknown,
    UnsupportedRequest,
)
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger, WatchedLedger
from tests.engine.lost_answers import NEVER_ARRIVED, lost
from tests.engine.scripted import LOST, Scripted, capable, refusal, scene

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
