"""Videos in an object store: a real S3 server on loopback, and the sandbox as the provider."""

from __future__ import annotations

import hashlib
import json

import obstore
import pytest

from pika_async import ConfigError, DownloadError
from pika_async._client import engine_of
from pika_async._stored import Stored, find
from pika_async.sandbox import Sandbox
from tests.object_store import s3, store

__all__ = ["s3", "store"]

pytestmark = pytest.mark.anyio


@pytest.fixture
async def pika(anyio_backend, tmp_path):
    """Return a client in front of a sandbox, with a ledger that remembers requests."""
    options = {"ledger": tmp_path / "jobs.db", "poll_interval": 0.02}
    async with Sandbox(render_time=0.02) as sandbox, sandbox.client(**options) as pika:
        yield pika


async def test_a_video_becomes_an_object(store, pika):
    """The bytes are those of the video, the label says so, and the hash is theirs."""
    video = await pika.generate("A cat")
    saved = await pika.download(video, "s3://videos/cats/one.mp4")
    assert saved.address == "s3://videos/cats/one.mp4"
    kept = await obstore.get_async(store, "cats/one.mp4")
    data = bytes(await kept.bytes_async())
    assert data[4:8] == b"ftyp"
    assert (saved.size, saved.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    assert kept.attributes["Content-Type"] == "video/mp4"


async def test_an_object_is_replaced_only_when_asked(store, pika):
    """What is there may be somebody's only copy."""
    video = await pika.generate("A cat")
    await pika.download(video, "s3://videos/twice.mp4")
    with pytest.raises(DownloadError, match="already exists") as refused:
        await pika.download(video, "s3://videos/twice.mp4")
    assert refused.value.token is not None
    await pika.download(video, "s3://videos/twice.mp4", overwrite=True)


async def test_a_copy_in_a_store_stands_for_a_link_that_is_gone(store, pika, tmp_path):
    """It is read from the store, and may be saved in a folder or in the store again."""
    video = await pika.generate("A cat")
    saved = await pika.download(video, "s3://videos/kept.mp4")
    job = pika.origin(video)
    copy = await find(engine_of(pika).desk.ledger, job.id, video.id)
    assert copy == Stored("s3://videos/kept.mp4", saved.size, saved.sha256)
    engine_of(pika).orders.origins.copies[job.id] = copy
    assert (await pika.download(video, tmp_path / "cat.mp4")).sha256 == saved.sha256
    assert (await pika.download(video, "s3://videos/again.mp4")).sha256 == saved.sha256
    await obstore.delete_async(store, "kept.mp4")
    assert await find(engine_of(pika).desk.ledger, job.id, video.id) is not None, "the newest copy is there"
    with pytest.raises(DownloadError, match="cannot be read"):
        await pika.download(video, tmp_path / "dog.mp4")


async def test_a_sidecar_tells_where_an_object_came_from(store, pika):
    """Request, provider, token, hash and times lie beside the video."""
    job = await pika.submit("A cat", negative_prompt="dogs")
    saved = await pika.download(job, "s3://videos/noted.mp4", sidecar=True)
    notes = json.loads(bytes(await (await obstore.get_async(store, "noted.mp4.json")).bytes_async()))
    assert notes["request"] == {"prompt": "A cat", "negative_prompt": "dogs"}
    assert (notes["provider"], notes["token"], notes["sha256"]) == ("acedata", job.token, saved.sha256)


async def test_a_sidecar_lies_beside_a_file_as_well(pika, tmp_path):
    """The same notes, under the name of the file with `.json` behind it, for its owner alone."""
    job = await pika.submit("A cat")
    await pika.download(job, tmp_path / "cat.mp4", sidecar=True)
    notes = tmp_path / "cat.mp4.json"
    assert json.loads(notes.read_text())["token"] == job.token
    assert notes.stat().st_mode & 0o077 == 0


async def test_what_is_not_whole_does_not_appear(store, pika, monkeypatch):
    """An upload that is let go leaves no object."""
    video = await pika.generate("A cat")

    def broken(done, total):
        raise KeyError("the program stops here")

    with pytest.raises(KeyError):
        await pika.download(video, "s3://videos/half.mp4", on_progress=broken)
    with pytest.raises(FileNotFoundError):
        await obstore.head_async(store, "half.mp4")


async def test_a_bucket_that_is_not_there_is_told_in_words(store, pika):
    """The error names the address and what to check, holds the job, and shows no key."""
    job = await pika.submit("A cat")
    with pytest.raises(DownloadError, match=r"s3://nowhere/cat.mp4 .* check the bucket") as failed:
        await pika.download(job, "s3://nowhere/cat.mp4", overwrite=True)
    assert failed.value.token == job.token
    assert "canary-secret-1" not in str(failed.value)


@pytest.mark.parametrize("address", ["s3://videos", "s3://videos/", "s3://", "s3://videos/folder/"])
async def test_an_address_without_a_name_is_refused(store, pika, address):
    """It is refused before anything is fetched."""
    job = await pika.submit("A cat")
    with pytest.raises(ConfigError, match="names no object"):
        await pika.download(job, address)
