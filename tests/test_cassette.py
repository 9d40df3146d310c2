"""Answers are recorded once and given again without a connection; no secret is written."""

from __future__ import annotations

import pytest
from attrs import evolve

from pika_async import DownloadError, Generate, Pika, PikaError
from pika_async._secret import _CALLBACK_TOKEN
from pika_async.testing import Cassette

pytestmark = pytest.mark.anyio

KEY = "sandbox-canary-of-the-cassette"


def client(provider, sandbox, transport, **options):
    """Return a client at the sandbox's address, which replays do not connect to."""
    return Pika(provider, api_key=KEY, base_url=sandbox.url, transport=transport, **options)


async def recorded(provider, sandbox, path):
    """Record a video."""
    async with client(provider, sandbox, Cassette(path, record=True)) as pika:
        return await pika.generate("A cat")


@pytest.mark.parametrize("provider", ["acedata", "duomi", "fal", "pika"])
async def test_a_recorded_video_comes_again_without_a_connection(pika_sandbox, tmp_path, provider):
    """Also where look-ups echo the callback address, which is another one each time."""
    path = tmp_path / "cat.json"
    first = await recorded(provider, pika_sandbox, path)
    arrived = pika_sandbox.requests.total()
    async with client(provider, pika_sandbox, Cassette(path)) as pika:
        again = await pika.generate("A cat")
    assert (again.id, again.state) == (first.id, first.state)
    assert pika_sandbox.requests.total() == arrived


@pytest.mark.parametrize("provider", ["acedata", "duomi", "fal", "pika"])
async def test_no_secret_is_written(pika_sandbox, tmp_path, provider):
    """Neither the key nor the token in a callback address."""
    path = tmp_path / "cat.json"
    await recorded(provider, pika_sandbox, path)
    written = path.read_text()
    assert "A cat" in written
    assert KEY not in written
    assert not _CALLBACK_TOKEN.search(written)
    assert "uthorization" not in written


async def test_a_download_is_replayed_from_the_bytes_beside(pika_sandbox, tmp_path):
    """The same bytes come without a connection, as a file and as a stream; no link's query is written."""
    path = tmp_path / "cat.json"
    async with client("acedata", pika_sandbox, Cassette(path, record=True)) as pika:
        video = await pika.generate("A cat")
        signed = evolve(video, video_url=f"{video.video_url}?sig=of-a-canary")
        first = await pika.download(signed, tmp_path / "1.mp4")
    arrived = pika_sandbox.requests.total()
    (kept,) = (tmp_path / "cat.media").iterdir()
    assert (kept.name, kept.stat().st_size) == (first.sha256, first.size)
    assert "of-a-canary" not in path.read_text()
    # A connection to the sandbox's media would be refused by this client.
    async with client("acedata", pika_sandbox, Cassette(path), media_hosts=["media.example"]) as pika:
        again = await pika.generate("A cat")
        assert (await pika.download(again, tmp_path / "2.mp4")).sha256 == first.sha256
        async with pika.open(again) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == kept.read_bytes()
    assert pika_sandbox.requests.total() == arrived


async def test_bytes_that_are_gone_or_changed_are_an_error(pika_sandbox, tmp_path):
    """A replay never brings another video than the one that was recorded."""
    path = tmp_path / "cat.json"
    async with client("acedata", pika_sandbox, Cassette(path, record=True)) as pika:
        await pika.download(await pika.generate("A cat"), tmp_path / "1.mp4")
    (kept,) = (tmp_path / "cat.media").iterdir()
    kept.write_bytes(b"another")
    async with client("acedata", pika_sandbox, Cassette(path)) as pika:
        video = await pika.generate("A cat")
        with pytest.raises(DownloadError, match="is missing or was changed; record it again"):
            await pika.download(video, tmp_path / "2.mp4")
        with pytest.raises(DownloadError, match="holds no such download"):
            await pika.download(evolve(video, video_url="https://cdn.example/other.mp4"), tmp_path / "3.mp4")
    assert not (tmp_path / "2.mp4").exists()


async def test_what_was_not_recorded_fails_and_buys_nothing(pika_sandbox, tmp_path):
    """Another prompt, and a second order where one was recorded."""
    path = tmp_path / "cat.json"
    await recorded("acedata", pika_sandbox, path)
    async with client("acedata", pika_sandbox, Cassette(path)) as pika:
        with pytest.raises(PikaError, match="holds no answer") as caught:
            await pika.submit(Generate("A dog"))
        assert caught.value.charged == "no"
        await pika.generate("A cat")
        with pytest.raises(PikaError, match="holds no answer"):
            await pika.generate("A cat")
