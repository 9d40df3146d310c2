"""One download: taken up, fetched until whole, and only then given its name; or handed on byte by byte."""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from attrs import frozen

from pika_async._crossing import Value
from pika_async._download.fetch import Fetch, FreshLink, OnProgress
from pika_async._download.links import Link
from pika_async._download.media import MediaSession
from pika_async._download.part import Part
from pika_async._download.paths import UnusablePathError, check_path
from pika_async._download.signature import Kind
from pika_async._download.stream import Stream
from pika_async._download.target import OnDisk, download_error, in_thread, on_disk


@frozen
class Downloaded(Value):
    """A whole file under its final name; *size* in bytes, *sha256* in hex.

    *resumed* says that its first bytes were left by an earlier call. For an object of a store, *address* is
    all of its address, and *path* the part behind the bucket; no file of this name is made.
    """

    path: Path
    size: int
    sha256: str
    resumed: bool
    address: str | None = None


async def usable(path: str | os.PathLike[str]) -> Path:
    """Return *path* if a video can be kept there; raises `DownloadError`. Touches nothing."""
    try:
        return await in_thread(check_path, path)
    except UnusablePathError as refused:
        raise download_error(str(refused), retryable=False) from None


async def download(
    session: MediaSession,
    link: Link,
    path: str | os.PathLike[str],
    *,
    fresh_link: FreshLink | None = None,
    expected: Kind = "video",
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> Downloaded:
    """Bring *link* to *path*, or raise `DownloadError` and keep what came in `NAME.part`.

    Continues where an earlier call stopped, if the host proves that the file is still the same.
    *fresh_link* is asked, twice at most, when the link is refused or gone. Missing folders are made.
    """
    part = Part(await usable(path))
    async with session.slots:
        fetch = Fetch(session, link, OnDisk(part), fresh_link, expected, on_progress)
        try:
            await on_disk(part, _take_up, part, overwrite)
            left = part.tally.size
            await fetch.until_whole()
            await on_disk(part, partial(part.finish, overwrite=overwrite))
            resumed = bool(left) and not fetch.began
            return Downloaded(part.final, part.tally.size, part.tally.sha256, resumed)
        finally:
            part.close()


@asynccontextmanager
async def streamed(
    session: MediaSession, link: Link, *, fresh_link: FreshLink | None = None
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Yield the bytes of the video at *link* as they come; they end where the video is whole.

    A download that breaks off continues as in `download`. Iterating raises `DownloadError` where the host
    cannot go on with the very same file, or where the file turns out not to be a whole video. Takes no slot,
    because a reader may be as slow as it likes.
    """
    stream = Stream()
    fetch = Fetch(session, link, stream, fresh_link, "video")
    fetching = asyncio.create_task(stream.filled(fetch.until_whole))
    try:
        yield stream.read_from(fetching)
    finally:
        fetching.cancel()
        await asyncio.gather(fetching, return_exceptions=True)
        stream.close()


def _take_up(part: Part, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(part.final):
        raise FileExistsError
    try:
        part.final.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
    part.open()
