"""Signed callbacks of the shipped providers, from their emulators to the caller's video, on real sockets."""

from __future__ import annotations

import time

import pytest

from pika_async import Generate
from pika_async.sandbox import Sandbox
from pika_fal import Fal, FalEmulator
from pika_official import PikaEmulator, PikaOfficial
from pika_official._signing import WEBHOOK_SECRET
from tests.callbacks.application import application

pytestmark = pytest.mark.anyio

SOON = 10.0
"""Seconds within which a callback ends a job; the net of look-ups comes out after minutes."""


async def ended_by_callback(pika, sandbox, look_ups):
    """Return the seconds that a job took, whose first look follows a callback."""
    job = await pika.submit(Generate("A cat"))
    began = time.monotonic()
    video = await job.wait(timeout=SOON)
    assert video.video_url
    assert sandbox.billed == {"A cat": 1}
    looked = sum(count for (_, path), count in sandbox.requests.items() if look_ups in path)
    assert 0 < looked <= 3
    return time.monotonic() - began


async def test_fals_signed_callback_ends_a_job():
    """The keys are fetched from its published document, and the push is confirmed by a look-up."""
    async with (
        Sandbox(render_time=0.3, emulators=[FalEmulator()]) as sandbox,
        application([Fal(api_key="sandbox", base_url=sandbox.url)], poll_interval=60) as pika,
    ):
        assert await ended_by_callback(pika, sandbox, "/requests/") < SOON
        assert sandbox.requests["GET", "/.well-known/jwks.json"] == 1


async def test_pikas_signed_callback_ends_a_job(monkeypatch):
    """It goes to one address for the whole account, and is signed with the organization's secret."""
    monkeypatch.setenv("PIKA_WEBHOOK_SECRET", WEBHOOK_SECRET)
    async with (
        Sandbox(render_time=0.3, emulators=[PikaEmulator()]) as sandbox,
        application([PikaOfficial(api_key="sandbox", base_url=sandbox.url)], poll_interval=60) as pika,
    ):
        sandbox.account_url = pika.callbacks.account_url("pika")
        assert await ended_by_callback(pika, sandbox, "/v1/media/jobs/") < SOON
