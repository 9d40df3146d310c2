"""Copies of bought videos: where they were saved, whether they are whole, and their bytes."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import AsyncGenerator, AsyncIterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
from attrs import asdict, frozen

from pika_async._download.part import Origin, Part
from pika_async._download.store import InStore, chunks_of, is_address, size_of
from pika_async._download.target import download_error, on_disk
from pika_async.errors import LedgerError, PikaError

if TYPE_CHECKING:
    from pika_async._ledger import Ledger

_BLOCK = 1 << 20


@frozen
class Stored:
    """A video as it was saved: a file's whole path or an object's address, its bytes, and their SHA-256."""

    place: str
    size: int
    sha256: str

    async def is_whole(self) -> bool:
        """Return whether it is there still, as it was saved; of an object, the store tells the size alone."""
        try:
            if is_address(self.place):
                return await anyio.to_thread.run_sync(size_of, self.place) == self.size
            return await anyio.to_thread.run_sync(_hash_of, self.place) == self.sha256
        except (OSError, PikaError):
            return False

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Return its bytes as they come; raises `DownloadError`, at the end for bytes that are others."""
        found = hashlib.sha256()
        async for chunk in chunks_of(self.place) if is_address(self.place) else _read(self.place):
            found.update(chunk)
            yield chunk
        if found.hexdigest() != self.sha256:
            raise download_error(f"The copy {self.place} is not what was saved there.", retryable=False)

    async def copy_into(self, store: InStore, *, overwrite: bool) -> None:
        """Bring it into *store*, whole or not at all; raises `DownloadError`."""
        if not overwrite:
            await store.check_free()
        try:
            async for chunk in self.chunks():
                await store.write(chunk)
            await store.finish()
        finally:
            store.abort()

    async def copy_to(self, path: Path, *, overwrite: bool) -> None:
        """Bring it to the file *path*, whole or not at all; raises `DownloadError`."""
        part = Part(path)
        try:
            await on_disk(part, _begin, part, overwrite)
            async for chunk in self.chunks():
                await on_disk(part, part.write, [chunk])
            await on_disk(part, partial(part.finish, overwrite=overwrite))
        finally:
            part.close()


async def remember(ledger: Ledger, job_id: str, video_id: str, stored: Stored) -> None:
    """Keep in the ledger where a video was saved; without a ledger that outlives the process, nothing."""
    if ledger.remembers:
        try:
            await ledger.learned(_name(job_id, video_id), json.dumps(asdict(stored)))
        except LedgerError:
            return  # the video is saved all the same


async def find(ledger: Ledger, job_id: str, video_id: str) -> Stored | None:
    """Return the copy of a video, if it is whole still."""
    try:
        stored = Stored(**json.loads(await ledger.learned(_name(job_id, video_id)) or ""))
    except (ValueError, TypeError):
        return None
    return stored if await stored.is_whole() else None


def _name(job_id: str, video_id: str) -> str:
    return f"copy:{job_id}:{video_id}"


def _hash_of(path: str) -> str:
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


async def _read(path: str) -> AsyncIterator[bytes]:
    try:
        async with await anyio.open_file(path, "rb") as file:
            while chunk := await file.read(_BLOCK):
                yield chunk
    except OSError as error:
        raise download_error(f"The copy {path} cannot be read ({error.strerror}).", retryable=False) from None


def _begin(part: Part, overwrite: bool) -> None:
    if not overwrite and os.path.lexists(part.final):
        raise FileExistsError
    part.final.parent.mkdir(parents=True, exist_ok=True)
    part.open()
    part.restart(Origin())
