"""Answers are recorded once and given again without a connection; no secret is written."""

from __future__ import annotations

import pytest

from pika_async import Generate, Pika, PikaError
from pika_async._secret import _CALLBACK_TOKEN
from pika_async.testing import Cassette

pytestmark = pytest.mark.anyio

KEY = "sandbox-canary-of-the-cassette"


def client(provider, sandbox, transport):
    """Return a client at the sandbox's address, which replays do not connect to."""
    return Pika(provider, api_key=KEY, base_url=sandbox.url, transport=transport)


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
