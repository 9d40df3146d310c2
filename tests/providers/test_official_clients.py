"""The providers' own clients, as they are, against our emulators: what serves them serves a stranger."""

from __future__ import annotations

import contextlib

import pytest

from pika_async.sandbox import Sandbox
from pika_comfy import ComfyEmulator
from pika_fal import FalEmulator

pytestmark = pytest.mark.anyio

PROMPT = "A cat surfing"


async def test_fals_client_orders_and_uploads(monkeypatch):
    """Its hosts are constants that insist on https, so they are set; nothing else of it is touched."""
    fal_client = pytest.importorskip("fal_client")
    async with Sandbox(render_time=0.0, emulators=[FalEmulator()]) as sandbox:
        monkeypatch.setattr(fal_client.client, "QUEUE_URL_FORMAT", f"{sandbox.url}/")
        for name in ("REST_URL", "CDN_URL"):
            monkeypatch.setattr(fal_client.client, name, sandbox.url)
        client = fal_client.AsyncClient(key="sandbox-key")
        try:
            link = await client.upload(b"\x89PNG\r\n\x1a\n...", "image/png")
            handle = await client.submit(
                "fal-ai/pika/v2.2/image-to-video", arguments={"prompt": PROMPT, "image_url": link}
            )
            assert isinstance(await handle.status(), fal_client.Completed)
            told = await handle.get()
            assert told["video"]["url"].startswith(sandbox.url)
            with pytest.raises(fal_client.FalClientHTTPError, match="field required"):
                await client.submit("fal-ai/pika/v2.2/image-to-video", arguments={"prompt": PROMPT})
        finally:
            with contextlib.suppress(AttributeError):
                await (await client._client).aclose()
        assert sandbox.billed == {PROMPT: 1}


async def test_comfys_client_orders_by_both_routes(monkeypatch):
    """The address is in its environment; the queue is asked by its handle, the held route by `run`."""
    comfy_sdk = pytest.importorskip("comfy_sdk")
    async with Sandbox(render_time=0.0, emulators=[ComfyEmulator()]) as sandbox:
        monkeypatch.setenv("COMFY_ROUTER_BASE_URL", sandbox.url)
        async with comfy_sdk.AsyncComfy(api_key="sandbox-key") as client:
            model, body = "pika/pika-2.5-text-to-video", {"prompt": PROMPT, "duration_s": 5}
            handle = await client.models.submit(model, body)
            result = await handle.get()
            assert result["output"]["video"]["url"].startswith(sandbox.url)
            with pytest.raises(comfy_sdk.AlreadyCompleted):
                await handle.cancel()
            held = await client.models.run(model, body)
            assert held["status"] == "completed"
            with pytest.raises(comfy_sdk.RouterError, match="Input should be"):
                await client.models.submit(model, {**body, "duration_s": 7})
        assert sandbox.billed == {PROMPT: 2}
