"""The posters of a batch: nice to have, and never waited for long."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from pika_async import DownloadError

if TYPE_CHECKING:
    from pika_async._download.media import MediaSession

_WIDTH: Final = 4
_PATIENCE: Final = 30.0


class Posters:
    """Brings posters to *folder*.

    Links may lead to *media_hosts* though they are not public; None trusts the host that the first link
    names, which is for the sandbox.
    """

    def __init__(self, folder: Path, media_hosts: Collection[str] | None) -> None:
        self._folder = folder
        self._media_hosts = media_hosts
        self._slots = asyncio.Semaphore(_WIDTH)
        self._session: MediaSession | None = None
        self._given_up = False

    async def fetch(self, link: str, name: str) -> bool:
        """Return whether the poster is there now; a host that gives none is not waited for again."""
        from pika_async._download import download

        async with self._slots:
            if self._given_up:
                return False
            try:
                async with asyncio.timeout(_PATIENCE):
                    session = self._opened(link)
                    await download(session, link, self._folder / name, expected="image", overwrite=True)
            except (DownloadError, TimeoutError) as error:
                self._given_up = not isinstance(error, DownloadError) or error.retryable
                return False
            return True

    async def aclose(self) -> None:
        """Close every connection."""
        if self._session is not None:
            await self._session.aclose()

    def _opened(self, link: str) -> MediaSession:
        if self._session is None:
            from pika_async._download.media import MediaSession

            hosts = [urlsplit(link).netloc] if self._media_hosts is None else self._media_hosts
            self._session = MediaSession(allowed_hosts=hosts)
        return self._session
