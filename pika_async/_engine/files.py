"""The media reader: turns files and bytes of a request into blobs, when the job's turn has come."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
from attrs import asdict, evolve

from pika_async.errors import UnsupportedRequest
from pika_async.requests import Blob, Camera, Ingredients, Media, VideoRequest, fields_set

_DIGEST_VERSION = 1
_SIGNATURES = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (8, b"WEBP", "image/webp"),
    (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/webm"),
)


def content_type(data: bytes) -> str:
    """Return the type of media from its first bytes.

    >>> content_type(b"GIF89a...")
    'image/gif'
    """
    for start, signature, kind in _SIGNATURES:
        if data[start : start + len(signature)] == signature:
            return kind
    return "application/octet-stream"


async def with_blobs(request: VideoRequest, expected: Mapping[str, str] | None = None) -> VideoRequest:
    """Return *request* with its files read; raises `UnsupportedRequest` for one that cannot be.

    *expected* holds the SHA-256 of files when the job was recorded; a file changed since is refused.
    """
    changes: dict[str, Any] = {}
    for name in ("image", "video"):
        media = getattr(request, name, None)
        if isinstance(media, Path | bytes):
            changes[name] = await _blob(media, expected or {})
    if isinstance(request, Ingredients) and any(isinstance(i, Path | bytes) for i in request.images):
        changes["images"] = tuple([await _blob(image, expected or {}) for image in request.images])
    return evolve(request, **changes) if changes else request


def reads_files(request: VideoRequest) -> bool:
    """Return whether *request* names files or holds bytes that become blobs when it is sent."""
    media = (getattr(request, "image", None), getattr(request, "video", None), *_images(request))
    return any(isinstance(one, Path | bytes) for one in media)


def without_files(request: VideoRequest) -> VideoRequest:
    """Return *request* with an empty blob for each file or bytes, so that building it reads nothing."""
    blank = Blob(b"", "image/png", "image.png")
    changes: dict[str, Any] = {
        name: blank for name in ("image", "video") if isinstance(getattr(request, name, None), Path | bytes)
    }
    if any(isinstance(image, Path | bytes) for image in _images(request)):
        changes["images"] = tuple(i if isinstance(i, str | Blob) else blank for i in _images(request))
    return evolve(request, **changes) if changes else request


async def hashes(request: VideoRequest) -> dict[str, str]:
    """Return the SHA-256 of every file that *request* names, by path."""
    media = (getattr(request, "image", None), getattr(request, "video", None), *_images(request))
    return {str(path): _sha256(await _read(path)) for path in media if isinstance(path, Path)}


def digest(request: VideoRequest, files: Mapping[str, str]) -> str:
    """Name what *request* asks for: the fields set and the bytes of its media, not where they lie.

    >>> from pika_async import Generate
    >>> digest(Generate("A cat"), {}) == digest(Generate("A cat", seed=None), {})
    True
    """
    given = {name: _plain(value, files) for name, value in fields_set(request).items()}
    text = json.dumps([_DIGEST_VERSION, type(request).__name__, given], sort_keys=True, ensure_ascii=False)
    return _sha256(text.encode())


def _plain(value: object, files: Mapping[str, str]) -> object:
    match value:
        case Path():
            return {"sha256": files[str(value)]}
        case bytes():
            return {"sha256": _sha256(value)}
        case Blob():
            return {"sha256": _sha256(value.data)}
        case tuple():
            return [_plain(item, files) for item in value]
        case Camera():
            return asdict(value)
        case _:
            return value


def _images(request: VideoRequest) -> tuple[Media, ...]:
    return request.images if isinstance(request, Ingredients) else ()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


async def _read(path: Path) -> bytes:
    try:
        data = await anyio.Path(path).read_bytes()
    except OSError as error:
        raise UnsupportedRequest(
            f"The file {path.name} cannot be read ({error.strerror}); nothing was bought."
        ) from None
    if not data:
        raise UnsupportedRequest(f"The file {path.name} is empty; nothing was bought.")
    return data


async def _blob(media: Media, expected: Mapping[str, str]) -> Media:
    match media:
        case Path():
            data = await _read(media)
            if expected.get(str(media)) not in {None, _sha256(data)}:
                raise UnsupportedRequest(
                    f"The file {media.name} has changed since the job was recorded; nothing was bought. Put "
                    "it back, or order a new video."
                )
            return Blob(data, content_type(data), media.name)
        case bytes():
            return Blob(media, content_type(media))
        case _:
            return media
