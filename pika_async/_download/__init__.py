"""One download: taken up, fetched until whole, and only then given its name."""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path

from attrs import frozen

from pika_async._crossing import Value
from pika_async._download.fetch import Fetch, FreshLink, OnProgress
from pika_async._download.media import MediaSession
from pika_async._download.part import Part, on_disk
from pika_async._download.signature import Kind


@frozen
class Downloaded(Value):
    """A whole file under its final name; *size* in bytes, *sha256* in hex.

    *resumed* says that its first bytes were left by an earlier call.
    """

    path: Path
    size: int
    sha256: str
    resumed: bool


async def download(
    session: MediaSession,
    link: str,
    path: str | os.PathLike[str],
    *,
    fresh_link: FreshLink | None = None,
    expected: Kind | None = "video",
    overwrite: bool = False,
    on_progress: OnProgress | None = None,
) -> Downloaded:
    """Bring *link* to *path*, or raise `DownloadError` and keep what came in `NAME.part`.

    Goes on where an earlier call stopped, if the host proves that the file is still the same.
    *fresh_link* is asked, twice at most, when the link is refused or gone. Missing folders are made.
    """
    part = Part(Path(path))
    async with session.slots:
        fetch = Fetch(session, link, part, fresh_link, expected, on_progress)
        try:
            await on_disk(part, _take_up, part, overwrite)
            left = part.size
            await fetch.until_whole()
            await on_disk(part, partial(part.finish, overwrite=overwrite))
            return Downloaded(part.final, part.size, part.sha256, resumed=bool(left) and not fetch.began)
        finally:
            part.close()


def _take_up(part: Part, overwrite: bool) -> None:
    if part.final.is_dir():
        raise IsADirectoryError
    if not overwrite and os.path.lexists(part.final):
        raise FileExistsError
    try:
        part.final.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None
    part.open()
