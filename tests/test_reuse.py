"""An equal order returns the video that was bought before, where the user asks for it."""

from __future__ import annotations

import sqlite3
import time
from base64 import b64decode
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from pika_async import ConfigError, DownloadError, Pika
from pika_async.ledger import open_ledger

pytestmark = pytest.mark.anyio

DAY = timedelta(days=1)
PNG = b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture
def ledger(tmp_path):
    """Name a ledger for one client after another."""
    return tmp_path / "jobs.db"


async def test_an_equal_order_buys_nothing(pika_sandbox, ledger):
    """In another client on the same ledger as well; the job says so."""
    async with Pika("duomi", ledger=ledger) as pika:
        first = await pika.generate("A cat", seed=7)
        assert not pika.origin(first).reused
    async with Pika("duomi", ledger=ledger, reuse=DAY) as pika:
        job = await pika.submit("A cat", seed=7)
        assert await job == first
        assert await pika.generate("A cat ", seed=7) == first
        items = [item async for item in pika.map(["A dog", "A dog"])]
    assert job.reused
    assert pika_sandbox.billed == {"A cat": 1, "A dog": 2}
    assert not any(item.job.reused for item in items)


@pytest.mark.parametrize("media", ["path", "bytes"])
async def test_the_bytes_of_media_count(pika_sandbox, ledger, tmp_path, media):
    """Not the name of their file."""
    one, two = tmp_path / "one.png", tmp_path / "two.png"
    one.write_bytes(PNG)
    two.write_bytes(PNG)
    images = (one, two) if media == "path" else (PNG, PNG)
    async with Pika("pika", ledger=ledger, reuse=DAY) as pika:
        videos = [await pika.generate("It waves", image=image) for image in images]
    assert videos[0] == videos[1]
    assert pika_sandbox.billed.total() == 1
    async with Pika("pika", ledger=ledger, reuse=DAY) as pika:
        two.write_bytes(PNG + b"\0")
        await pika.generate("It waves", image=two)
    assert pika_sandbox.billed.total() == 2


@pytest.mark.parametrize(
    ("reuse", "order"),
    [
        (None, {}),
        (timedelta(microseconds=1), {}),
        (DAY, {"seed": 8}),
        (DAY, {"idempotency_key": "another"}),
    ],
    ids=["off by default", "too old", "another request", "a key of its own"],
)
async def test_what_is_bought_all_the_same(pika_sandbox, reuse, order):
    """Only an equal order of that age is reused."""
    async with Pika("duomi", reuse=reuse) as pika:
        for given in ({}, order):
            await pika.generate("A cat", **given)
    assert pika_sandbox.billed == {"A cat": 2}


async def lost_link(pika_sandbox, ledger, tmp_path, monkeypatch):
    """Buy and save a cat, and lose its link."""
    async with Pika("acedata", ledger=ledger) as pika:
        await pika.download(await pika.generate("A cat"), tmp_path / "cat.mp4")
    monkeypatch.delenv("PIKA_ASYNC_MEDIA_HOST")


async def test_a_saved_copy_is_as_good_as_a_link(pika_sandbox, ledger, tmp_path, monkeypatch):
    """The job says where it lies, and downloads, streams and further copies are read from there."""
    await lost_link(pika_sandbox, ledger, tmp_path, monkeypatch)
    whole = (tmp_path / "cat.mp4").read_bytes()
    async with Pika("acedata", ledger=ledger, reuse=DAY) as pika:
        job = await pika.submit("A cat")
        assert (job.reused, job.stored) == (True, str(tmp_path / "cat.mp4"))
        saved = await pika.download(await job, tmp_path / "more" / "cat.mp4", sidecar=True)
        assert saved.path.read_bytes() == whole
        assert (tmp_path / "more" / "cat.mp4.json").exists()
        with pytest.raises(DownloadError, match="exists"):
            await pika.download(job, saved.path)
        async with pika.open(job) as chunks:
            assert b"".join([chunk async for chunk in chunks]) == whole
        (tmp_path / "cat.mp4").unlink()
        assert (await pika.submit("A cat")).stored == str(saved.path)
    assert pika_sandbox.billed == {"A cat": 1}


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"another video")])
async def test_a_copy_that_is_gone_or_another_is_none(pika_sandbox, ledger, tmp_path, monkeypatch, change):
    """Its size and SHA-256 are compared before an order is given up for it."""
    await lost_link(pika_sandbox, ledger, tmp_path, monkeypatch)
    change(tmp_path / "cat.mp4")
    async with Pika("acedata", ledger=ledger, reuse=DAY) as pika:
        job = await pika.submit("A cat")
        assert (job.reused, job.stored) == (False, None)
    assert pika_sandbox.billed == {"A cat": 2}


async def test_a_copy_that_changes_under_a_download_makes_no_file(
    pika_sandbox, ledger, tmp_path, monkeypatch
):
    """What is saved under a name is the video that was bought, or nothing."""
    await lost_link(pika_sandbox, ledger, tmp_path, monkeypatch)
    async with Pika("acedata", ledger=ledger, reuse=DAY) as pika:
        job = await pika.submit("A cat")
        (tmp_path / "cat.mp4").write_bytes(b"another video")
        with pytest.raises(DownloadError, match="not what was saved there"):
            await pika.download(job, tmp_path / "new.mp4")
    assert not (tmp_path / "new.mp4").exists()


async def test_memory_reuses_as_well(pika_sandbox):
    """Though it forgets what ended jobs asked for."""
    async with Pika("duomi", reuse=DAY) as pika:
        first = await pika.generate("A cat")
        assert await pika.generate("A cat") == first
    assert pika_sandbox.billed == {"A cat": 1}


async def test_a_copy_is_forgotten_with_its_job(pika_sandbox, ledger, tmp_path, monkeypatch):
    """A pruned job leaves no trace of where its video lies."""
    await lost_link(pika_sandbox, ledger, tmp_path, monkeypatch)
    async with open_ledger(ledger) as view:
        assert await view.prune(time.time() + 60) == 1
    with closing(sqlite3.connect(ledger)) as connection:
        assert not connection.execute("SELECT * FROM learned WHERE account LIKE 'copy:%'").fetchall()


async def test_a_video_that_cannot_be_read_is_bought_anew(pika_sandbox, monkeypatch):
    """Whatever hides it."""
    monkeypatch.delenv("PIKA_ASYNC_MEDIA_HOST")
    async with Pika("acedata", reuse=DAY) as pika:
        for _ in range(2):
            await pika.generate("A cat")
    assert pika_sandbox.billed == {"A cat": 2}


async def test_a_render_that_failed_is_bought_anew(pika_sandbox):
    """It has no video."""
    async with Pika("acedata", reuse=DAY) as pika:
        for _ in range(2):
            with pytest.raises(Exception, match="fail"):
                await pika.generate("sandbox-render-fails")
    assert pika_sandbox.billed.total() == 2


@pytest.mark.parametrize("wrong", [60, timedelta(), "a day"])
def test_a_wrong_age_is_refused(wrong):
    """By its name."""
    with pytest.raises(ConfigError, match="reuse"):
        Pika("acedata", api_key="k", reuse=wrong)
