"""The page of a folder, kept up to date on disk while a batch runs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Final

from pika_async.gallery.folder import write_gallery

_EVERY: Final = 2.0
_SHARE: Final = 20


@asynccontextmanager
async def painted(folder: Path, every: float = _EVERY) -> AsyncIterator[None]:
    """Write the page of *folder* again and again in this context, *every* that many seconds at most.

    It is written seldom enough to cost a twentieth of the time; a page that cannot be written ends nothing.
    """
    over = asyncio.Event()
    painting = asyncio.ensure_future(_paint(folder, every, over))
    try:
        yield
    finally:
        # Whoever writes the page next must not meet a thread that still does.
        over.set()
        await painting


async def _paint(folder: Path, every: float, over: asyncio.Event) -> None:
    while not over.is_set():
        began = time.monotonic()
        with suppress(OSError):
            await asyncio.to_thread(write_gallery, folder)
        with suppress(TimeoutError):
            await asyncio.wait_for(over.wait(), max(every, _SHARE * (time.monotonic() - began)))
