"""An equal order returns the video that was bought before, where the user asks for it."""

from __future__ import annotations

from base64 import b64decode
from datetime import timedelta

import pytest

from pika_async import ConfigError, Pika

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
