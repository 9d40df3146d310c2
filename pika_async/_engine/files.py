"""The media of a request: files and bytes as blobs, when the job's turn has come."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from attrs import validate

from pika_async._fields import unsaid
from pika_async._media_type import HEAD, Kind, fault, media_type
from pika_async.errors import UnsupportedRequest
from pika_async.requests import Blob, Media, VideoRequest, media_of, with_media

_LARGEST = 20 * 10**6


def check_files(request: VideoRequest) -> None:
    """Look at the first bytes of every file that *request* names, and change nothing.

    Raises `UnsupportedRequest`, naming the field and the file, for one that is missing, empty or clearly
    not what the field takes. It reads 512 bytes of each, so a list can be checked before its first row.
    """
    for field, medium in media_of(request):
        if isinstance(medium, Path):
            usable(field, medium.name, _head(field, medium))


async def with_blobs(request: VideoRequest, expected: Mapping[str, str] | None = None) -> VideoRequest:
    """Return *request* with its files read; raises `UnsupportedRequest` for one that cannot be.

    *expected* holds the SHA-256 of files when the job was recorded; a file changed since is refused. So is
    what an earlier release recorded and nobody should send.
    """
    media = media_of(request)
    if media or unsaid(request.prompt or "") or unsaid(request.negative_prompt or ""):
        validate(request)
    if not media:
        return request
    return with_media(request, [await _blob(field, medium, expected or {}) for field, medium in media])


async def carried(request: VideoRequest) -> VideoRequest:
    """Return *request* with its files read, so that any machine can send it.

    Raises `UnsupportedRequest` for a medium over 20 MB: a ledger is no place for it.
    """
    for field, medium in media_of(request):
        if await _size(field, medium) > _LARGEST:
            raise UnsupportedRequest(
                f"{field} holds more than {_LARGEST // 10**6} MB, too much for the ledger; put it where the "
                "provider can read it, and give a URL."
            )
    return await with_blobs(request)


async def _size(field: str, medium: Media) -> int:
    match medium:
        case Path():
            import anyio

            try:
                return (await anyio.Path(medium).stat()).st_size
            except (OSError, ValueError) as error:
                raise _unreadable(field, medium, error) from None
        case bytes() | Blob(data=bytes()):
            return len(medium if isinstance(medium, bytes) else medium.data)
        case _:
            return 0


def reads_files(request: VideoRequest) -> bool:
    """Return whether *request* names files or holds bytes that become blobs when it is sent."""
    return any(isinstance(medium, Path | bytes) for _, medium in media_of(request))


async def hashes(request: VideoRequest) -> dict[str, str]:
    """Return the SHA-256 of every file that *request* names, by path."""
    paths = [(field, medium) for field, medium in media_of(request) if isinstance(medium, Path)]
    return {str(path): _sha256(await _read(field, path)) for field, path in paths}


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _head(field: str, path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(HEAD)
    except (OSError, ValueError) as error:
        raise _unreadable(field, path, error) from None


async def _read(field: str, path: Path) -> bytes:
    import anyio

    try:
        data = await anyio.Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise _unreadable(field, path, error) from None
    return usable(field, path.name, data)


def _unreadable(field: str, path: Path, error: OSError | ValueError) -> UnsupportedRequest:
    reason = getattr(error, "strerror", None) or error
    return UnsupportedRequest(
        f"The file {path.name} in {field} cannot be read ({reason}); nothing was bought."
    )


def usable(field: str, name: str, data: bytes) -> bytes:
    """Return *data*, the bytes of what *field* calls *name*, if they can be what the field takes."""
    if not data:
        raise UnsupportedRequest(f"The file {name} in {field} is empty; nothing was bought.")
    kind: Kind = "video" if field == "video" else "image"
    if found := fault(kind, data):
        raise UnsupportedRequest(
            f"{field} must be {'an image' if kind == 'image' else 'a video'}, and the file {name} holds "
            f"{found}; nothing was bought. Convert or download it again."
        )
    return data


async def _blob(field: str, medium: Media, expected: Mapping[str, str]) -> Media:
    match medium:
        case Path():
            data = await _read(field, medium)
            if expected.get(str(medium)) not in {None, _sha256(data)}:
                raise UnsupportedRequest(
                    f"The file {medium.name} has changed since the job was recorded; nothing was bought. Put "
                    "it back, or order a new video."
                )
            return Blob(data, media_type(data), medium.name)
        case bytes():
            return Blob(medium, media_type(medium))
        case _:
            return medium
