"""The media reader: turns files and bytes of a request into blobs, when the job's turn has come."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
from attrs import evolve

from pika_async.errors import UnsupportedRequest
from pika_async.requests import Blob, Ingredients, Media, VideoRequest

_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
)


def content_type(data: bytes) -> str:
    """Tell the type of media from its first bytes.

    >>> content_type(b"GIF89a...")
    'image/gif'
    """
    for start, signature, kind in _SIGNATURES:
        if data[start : start + len(signature)] == signature:
            return kind
    return "application/octet-stream"


async def with_blobs(request: VideoRequest) -> VideoRequest:
    """Give *request* with its files read; raises `UnsupportedRequest` for one that cannot be."""
    changes: dict[str, Any] = {}
    for name in ("image", "video"):
        media = getattr(request, name, None)
        if isinstance(media, Path | bytes):
            changes[name] = await _blob(media)
    if isinstance(request, Ingredients) and any(isinstance(i, Path | bytes) for i in request.images):
        changes["images"] = tuple([await _blob(image) for image in request.images])
    return evolve(request, **changes) if changes else request


async def _blob(media: Media) -> Media:
    match media:
        case Path():
            try:
                data = await anyio.Path(media).read_bytes()
            except OSError as error:
                raise UnsupportedRequest(
                    f"The file {media.name} cannot be read ({error.strerror}); nothing was bought."
                ) from None
            if not data:
                raise UnsupportedRequest(f"The file {media.name} is empty; nothing was bought.")
            return Blob(data, content_type(data), media.name)
        case bytes():
            return Blob(media, content_type(media))
        case _:
            return media
