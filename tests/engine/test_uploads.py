"""Media are brought into the form that a provider takes, before a slot is asked for, at no cost."""

from __future__ import annotations

import pytest
from attrs import field, frozen

import pika_async.provider as api
from pika_async import (
    AuthError,
    ConfigError,
    Generate,
    ProviderUnavailable,
    SubmitRefused,
    UnsupportedRequest,
)
from pika_async._ledger.memory import MemoryLedger
from pika_async._transport import SendError
from tests.download.media_host import Reply, hosting
from tests.engine.scripted import Scripted, answer, capable, scene
from tests.engine.uploading import CAT, DOG, Uploader, two_hosts, uploading

pytestmark = pytest.mark.anyio


async def test_bytes_are_uploaded_and_submitted_as_a_link():
    """In as many steps as the adapter makes."""
    async with uploading() as s:
        assert await s.after(30, s.pika.generate("a cat", image=CAT))
        assert s.host.stored == [CAT]
        assert s.host.images[0].startswith("https://cdn.test/")


async def test_a_file_is_read_and_uploaded(tmp_path):
    """When its turn comes."""
    path = tmp_path / "cat.png"
    path.write_bytes(CAT)
    async with uploading() as s:
        await s.pika.submit(Generate("a cat", image=path))
        assert s.host.stored == [CAT]


async def test_the_same_bytes_are_uploaded_once():
    """By their SHA-256, for as long as the adapter says, and an hour where nobody says."""
    for seconds, life in ((None, 3600), (600.0, 600)):
        ledger = MemoryLedger()
        async with uploading(Uploader(seconds=seconds), ledger=ledger) as s:
            await s.after(30, s.pika.generate("a cat", image=CAT))
            await s.after(30, s.pika.generate("again", image=CAT))
            await s.after(30, s.pika.generate("a dog", image=DOG))
            assert s.host.stored == [CAT, DOG]
            await s.clock.advance(life)
            await s.after(30, s.pika.generate("later", image=CAT))
            assert s.host.stored == [CAT, DOG, CAT]


async def test_two_jobs_at_once_upload_the_same_bytes_once():
    """The second waits for the first one's link."""
    async with uploading() as s:
        jobs = [s.begin(s.pika.generate(f"cat {n}", image=CAT)) for n in range(3)]
        await s.clock.advance(30)
        assert all(job.result() for job in jobs)
        assert s.host.stored == [CAT]


async def test_a_refused_link_is_made_again_once():
    """A submit with a kept link that is refused bought nothing, and perhaps the link has gone."""
    async with uploading() as s:
        await s.after(30, s.pika.generate("a cat", image=CAT))
        s.host.at_submit.append(answer(422, {"error": "SubmitRefused"}))
        assert await s.after(30, s.pika.generate("again", image=CAT))
        assert s.host.stored == [CAT, CAT]
        assert len(set(s.host.images)) == 2
        s.host.at_submit.extend([answer(422, {"error": "SubmitRefused"})] * 2)
        job = s.begin(s.pika.generate("refused", image=CAT))
        await s.clock.advance(30)
        assert isinstance(job.exception(), SubmitRefused)
        assert s.host.stored == [CAT, CAT, CAT]


@pytest.mark.parametrize(
    ("failures", "kind"),
    [
        ([SendError("the line is cut", sent=True)] * 3, ProviderUnavailable),
        ([answer(503, {})] * 3, ProviderUnavailable),
        ([answer(401, {})], AuthError),
        ([KeyError("a defect")], ProviderUnavailable),
    ],
)
async def test_a_failed_upload_buys_nothing(failures, kind):
    """It is tried three times where that may help, and the error says that no money went."""
    async with uploading() as s:
        s.host.failing = list(failures) * (3 if len(failures) == 1 and kind is ProviderUnavailable else 1)
        job = s.begin(s.pika.generate("a cat", image=CAT))
        await s.clock.advance(30)
        error = job.exception()
        assert (type(error), error.charged, error.phase, error.provider) == (kind, "no", "submit", "scripted")
        assert "nothing was bought" in error.message
        assert not s.host.billed
        assert s.stats.in_flight == 0


async def test_a_short_trouble_is_outlasted():
    """An upload may be repeated at will."""
    async with uploading() as s:
        s.host.failing = [answer(503, {}), SendError("the line is cut", sent=True)]
        assert await s.after(60, s.pika.generate("a cat", image=CAT))


async def test_too_large_a_file_is_refused_unread(tmp_path):
    """Before it is uploaded; bytes before the job exists."""
    path = tmp_path / "cat.png"
    path.write_bytes(CAT * 20)
    async with uploading() as s:
        with pytest.raises(UnsupportedRequest, match="at most 100 bytes, not 160"):
            await s.pika.generate("a cat", image=CAT * 20)
        with pytest.raises(UnsupportedRequest, match="image must be at most 100 bytes"):
            await s.pika.generate("a cat", image=path)
        assert not s.host.granted


async def test_bytes_go_to_listed_hosts_alone():
    """An answer that names another host gets nothing."""
    async with uploading() as s:
        s.host.to = "https://elsewhere.test/put"
        job = s.begin(s.pika.generate("a cat", image=CAT))
        await s.clock.advance(5)
        error = job.exception()
        assert isinstance(error, ConfigError)
        assert "elsewhere.test" in error.message
        assert not s.host.stored


@frozen(kw_only=True)
class FilesOnly(Scripted):
    """Takes images as bytes, and no link."""

    capabilities: api.Capabilities = field(
        factory=lambda: capable(media={"image": api.Takes(links=False, inline=True, inline_limit=1000)})
    )


async def test_a_link_is_read_where_a_provider_takes_none():
    """Its bytes are sent, by a host that the user allowed or a public one."""
    async with (
        hosting(lambda _: Reply(200, {"Content-Length": str(len(CAT))}, CAT)) as media,
        scene(FilesOnly(), media_hosts=[media.origin]) as s,
    ):
        await s.pika.submit(Generate("a cat", image=media.link("/cat.png")))
        (request,) = s.wire.submits
        assert request.body.value["image"] == CAT.decode("latin1")


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply(404, {"Content-Length": "0"}), "HTTP 404"),
        (Reply(200, {"Content-Length": "2000"}, b"\x89PNG" * 500), "more than 1,000 bytes"),
        (Reply(200, {"Content-Length": "6"}, b"<html>"), "image must be an image"),
    ],
)
async def test_a_link_that_cannot_be_read_buys_nothing(reply, why):
    """The field is named, and what to do."""
    async with (
        hosting(lambda _: reply) as media,
        scene(FilesOnly(), media_hosts=[media.origin]) as s,
    ):
        with pytest.raises(UnsupportedRequest, match=why):
            await s.pika.submit(Generate("a cat", image=media.link("/cat.png")))
        assert not s.host.billed


async def test_a_link_into_the_network_is_not_read():
    """Whoever chooses the link must not read what only this machine can reach."""
    async with scene(FilesOnly()) as s:
        with pytest.raises(UnsupportedRequest, match="image could not be read from its link"):
            await s.pika.submit(Generate("a cat", image="http://127.0.0.1:9/cat.png"))


async def test_a_link_refused_anew_goes_on_to_the_next_provider():
    """It is made again once, then the refusal is the order's."""
    async with two_hosts() as s:
        await s.after(30, s.pika.generate("a cat", image=CAT))
        s.host.at_submit.extend([answer(422, {"error": "SubmitRefused"})] * 2)
        job = await s.after(5, s.pika.submit(Generate("again", image=CAT)))
        assert job.provider == "second"
        assert s.host.stored == [CAT, CAT]


async def test_another_try_after_a_failed_upload_is_not_taken_for_an_old_link():
    """A link that was kept and ran out meanwhile says nothing about an upload that fails now."""
    async with two_hosts() as s:
        await s.after(30, s.pika.generate("a cat", image=CAT))
        await s.clock.advance(4000)
        s.host.failing = [answer(404, {})] * 3
        job = await s.after(10, s.pika.submit(Generate("again", image=CAT)))
        assert job.provider == "second"
