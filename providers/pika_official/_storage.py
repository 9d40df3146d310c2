"""Where uploads to Pika's own API go: a place is granted, its bytes are kept and handed out again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pika_async.provider import JSON, Blob, HttpResponse, World
from pika_official._answered import answered
from pika_official._operations import is_text, is_whole


def grant(body: Any, world: World) -> HttpResponse:
    told: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
    kind, size = told.get("content_type", ""), told.get("size_bytes", 0)
    if not is_text(kind) or not is_whole(size) or size < 1:
        return answered(422, {"message": "content_type and size_bytes are required"})
    if not kind.startswith(("image/", "video/", "audio/")):
        return answered(415, {"message": "content_type is not supported"})
    if size > (50 if kind.startswith("video/") else 20) * 1024 * 1024:
        return answered(413, {"message": "file too large"})
    id_ = world.new_id()
    granted: dict[str, JSON] = {
        "upload_url": f"{world.base_url}/v1/media/storage/{id_}?X-Signature=sandbox",
        "headers": {"Content-Type": kind, "x-signed": "exact"},
        "url": f"{world.base_url}/v1/media/storage/{id_}",
    }
    return answered(200, granted)


def stored(path: str, body: object, world: World) -> HttpResponse:
    """Take the bytes of an upload as a bucket does, and hand them out again."""
    if isinstance(body, Blob):
        world.tasks[path] = body
        return HttpResponse(status=200)
    kept = world.tasks.get(path)
    if not isinstance(kept, Blob):
        return HttpResponse(status=404)
    return HttpResponse(status=200, headers={"content-type": kept.content_type}, body=kept.data)
