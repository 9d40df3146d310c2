"""The signed pushes that Pika's own API sends to an account, for the conformance kit; pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from typing import Any, Final

import pika_async.provider as api
from pika_official._documents import job

_T: Final = api.Task("t1")
_VIDEO: Final = "https://cdn.test/v.mp4"
_SECRET: Final = b"whsec_a2l0LXNlY3JldC1rZXktMDAwMDAwMDAwMDAx"
_AT: Final = 1_800_000_000


def examples() -> Iterator[api.Example]:
    """Return signed callbacks, whose words may stand in several places, and the same with one thing wrong."""
    video = api.VideoResult("t1", _VIDEO, None, None, api.State.SUCCEEDED)
    output = {"video": {"url": _VIDEO}}
    failed = api.Failed(task=_T, message="why", code="provider_error", charged="no")
    wrong = {"code": "provider_error", "message": "why"}
    event = "media.job.completed"
    unlinked = api.Task("t1", {"completed": True, "cost": None})
    cases: list[tuple[Any, api.Snapshot | None]] = [
        (
            {"type": event, "data": job("completed", output=output)},
            api.Succeeded(task=_T, results=(video,)),
        ),
        ({"type": event, "data": {"id": "t1"}}, api.Failed(task=unlinked, reason="no_output")),
        ({"type": "media.job.failed", "source_id": "t1", "error": wrong, "id": "evt"}, failed),
        ({"type": "media.job.running", "id": "t1"}, api.Pending(task=_T)),
        ({"type": event}, None),
        ([], None),
    ]
    for told, snapshot in cases:
        body = json.dumps(told).encode()
        yield api.Example("read_callback", (body, _signed(body), _AT, _SECRET), snapshot)
    body = json.dumps({"type": event, "data": {"id": "t1"}}).encode()
    headers = _signed(body)
    for forged in (
        (body + b" ", headers, _AT, _SECRET),
        (body, {}, _AT, _SECRET),
        (body, headers, _AT + 3600, _SECRET),
        (body, headers, _AT - 3600, _SECRET),
        (body, headers, _AT, None),
        (body, headers, _AT, b"whsec_YW5vdGhlci1zZWNyZXQ="),
    ):
        yield api.Example("read_callback", forged, None)


def _signed(body: bytes) -> dict[str, str]:
    mac = hmac.digest(
        base64.b64decode(_SECRET.removeprefix(b"whsec_")), f"msg.{_AT}.".encode() + body, hashlib.sha256
    )
    signature = f"v1,{base64.b64encode(mac).decode()}"
    return {"webhook-id": "msg", "webhook-timestamp": str(_AT), "webhook-signature": signature}
