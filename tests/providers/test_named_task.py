"""An error beside a task's id costs a look-up, never the video: through the public client, over sockets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import evolve, frozen

from pika_acedata import AceDataEmulator
from pika_async import Pika
from pika_async.emulator import Emulator, Held, World
from pika_async.provider import HttpRequest, HttpResponse
from pika_async.sandbox import Sandbox
from pika_duomi import DuomiEmulator

pytestmark = pytest.mark.anyio

SUBMITS = ("/pika/videos", "/api/video/pika/pro/generate")
ERRORS: dict[str, dict[str, Any]] = {
    "acedata": {"success": False, "error": {"code": "forbidden", "message": "moderation refused this"}},
    "duomi": {"code": 400, "msg": "内容违规"},
}


@frozen
class Contradicts:
    """A real emulator that puts an error beside the task of each submit."""

    real: Emulator
    error: dict[str, Any]
    status: int

    @property
    def paths(self) -> tuple[str, ...]:
        return self.real.paths

    def answer(self, request: HttpRequest, world: World, /) -> HttpResponse | Held:
        answer = self.real.answer(request, world)
        if not request.url.endswith(SUBMITS):
            return answer
        assert isinstance(answer, HttpResponse)
        body = json.dumps({**json.loads(answer.body), **self.error}).encode()
        return evolve(answer, status=self.status, body=body)


@pytest.mark.parametrize("status", [200, 400, 403, 500])
@pytest.mark.parametrize(("provider", "emulator"), [("acedata", AceDataEmulator), ("duomi", DuomiEmulator)])
async def test_a_task_that_an_error_names_is_delivered(provider, emulator, status):
    """The video exists and was billed once: it is looked up, and nothing is bought again."""
    contradicts = Contradicts(emulator(), ERRORS[provider], status)
    async with (
        Sandbox(render_time=0.0, emulators=[contradicts]) as sandbox,
        Pika(
            provider, api_key="sandbox-named", base_url=sandbox.url, poll_rate=None, poll_interval=0.01
        ) as pika,
    ):
        video = await pika.generate("A cat surfing", timeout=5)
        assert sandbox.billed == {"A cat surfing": 1}
    assert video.video_url
    assert video.video_url.startswith(sandbox.url)
