"""The posters of a batch: nice to have, and never waited for long."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pika_async.batch.client import media_session
from pika_async.errors import DownloadError

if TYPE_CHECKING:
    from pika_async._client import Pika

_WIDTH: Final = 4
_PATIENCE: Final = 30.0


class Posters:
    """Brings posters to *folder*, from the hosts that *pika* may reach."""

    def __init__(self, folder: Path, pika: Pika) -> None:
        self._folder = folder
        self._pika = pika
        self._slots = asyncio.Semaphore(_WIDTH)
        self._given_up = False

    async def fetch(self, link: str, name: str) -> bool:
        """Return whether the poster is there now; a host that gives none is not waited for again."""
        from pika_async._download import download

        async with self._slots:
            if self._given_up:
                return False
            try:
                async with asyncio.timeout(_PATIENCE):
                    await download(
                        media_session(self._pika), link, self._folder / name, expected="image", overwrite=True
                    )
            except (DownloadError, TimeoutError) as error:
                self._given_up = not isinstance(error, DownloadError) or error.retryable
                return False
            return True
