"""Callbacks to one address for a whole account: matched by the task's id, and believed when signed."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from attrs import field, frozen

import pika_async.provider as api
from pika_async import Generate
from pika_async.callbacks import Callbacks
from tests.engine.scripted import Scripted, capable, scene, snapshot

pytestmark = pytest.mark.anyio

SECRET = "whsec-canary-31"
KEYS = SECRET.encode()


@frozen(kw_only=True)
class Announcing(Scripted):
    """Pushes to the account's address, signed with a secret that both sides know."""

    capabilities: api.Capabilities = field(
        factory=lambda: capable(callbacks="account", secret_variable="SCRIPTED_SECRET")
    )

    def build_submit(self, request, call, /):
        assert call.callback_url is None
        return Scripted.build_submit(self, request, call)

    def read_callback(self, body, headers, received_at, keys, /):
        if keys is None or not hmac.compare_digest(signed(body, keys), headers.get("x-signature", "")):
            return None
        return snapshot(json.loads(body))


def signed(body, key=KEYS):
    return hmac.new(key, body, hashlib.sha256).hexdigest()


async def push(s, url, told, *, key=KEYS):
    """Send a callback to the account's address, and return the status."""
    body = json.dumps(told).encode()

    async def chunks():
        yield body

    path = url.removeprefix("https://app.test")
    headers = {"x-signature": signed(body, key), "content-type": "application/json"}
    reply = await s.pika.callbacks.answer("POST", path, headers, chunks())
    await s.clock.advance(0.01)
    return reply.status


@pytest.fixture
def secret(monkeypatch):
    monkeypatch.setenv("SCRIPTED_SECRET", SECRET)


def listening(**options):
    return scene(Announcing(), callbacks=Callbacks(public_url="https://app.test/pika"), **options)


async def test_a_callback_ends_the_wait_by_a_look(secret):
    """The task that it names is looked up at once, and only then believed."""
    async with listening(poll_interval=500.0, poll_rate=None) as s:
        job = await s.pika.submit(Generate("a cat"))
        url = s.pika.callbacks.account_url("scripted")
        s.host.tasks["t1"]["done_at"] = 0
        wait = s.begin(job.wait(None))
        await s.clock.advance(1)
        assert not wait.done()
        assert await push(s, url, {"id": "t1", "state": "done", "url": "https://evil.test/x.mp4"}) == 200
        await s.clock.advance(1)
        assert wait.result().video_url == "https://media.test/t1.mp4"


async def test_a_forged_callback_changes_nothing(secret):
    """Neither with another signature, nor to a made-up address."""
    async with listening(poll_interval=500.0, poll_rate=None) as s:
        await s.pika.submit(Generate("a cat"))
        url = s.pika.callbacks.account_url("scripted")
        asked = len(s.host.asked)
        assert await push(s, url, {"id": "t1", "state": "done", "url": "x"}, key=b"other") == 200
        assert await push(s, url[:-4] + "AAAA", {"id": "t1", "state": "done", "url": "x"}) == 404
        await s.clock.advance(1)
        assert len(s.host.asked) == asked


async def test_without_the_secret_no_callback_is_believed():
    """Polling finds the video."""
    async with listening() as s:
        job = await s.pika.submit(Generate("a cat"))
        url = s.pika.callbacks.account_url("scripted")
        assert await push(s, url, {"id": "t1", "state": "done", "url": "x"}) == 200
        assert (await s.after(30, job.wait(None))).video_url


async def test_a_callback_about_no_job_of_ours_is_ignored(secret):
    """The account may be used by other programs."""
    async with listening() as s:
        job = await s.pika.submit(Generate("a cat"))
        url = s.pika.callbacks.account_url("scripted")
        for number in range(30):
            assert await push(s, url, {"id": f"other-{number}", "state": "done", "url": "x"}) == 200
        assert (await s.after(30, job.wait(None))).video_url


async def test_repeated_callbacks_are_one(secret):
    """A provider that has no answer sends them again."""
    async with listening(poll_interval=500.0, poll_rate=None) as s:
        job = await s.pika.submit(Generate("a cat"))
        s.host.tasks["t1"]["done_at"] = 0
        url = s.pika.callbacks.account_url("scripted")
        for _ in range(3):
            assert await push(s, url, {"id": "t1", "state": "done", "url": "x"}) == 200
        assert (await s.after(5, job.wait(None))).video_url
