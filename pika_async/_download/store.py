"""A download into an object store: `s3://bucket/key`, `gs://...` or `az://...`, by the library obstore.

The object appears once it is whole. Keys and endpoints are those of the environment, as obstore reads them
(`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL` and so on).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from pika_async._download.fetch import Fetch, FreshLink, OnProgress
from pika_async._download.links import Link
from pika_async._download.media import MediaSession
from pika_async._download.part import Origin
from pika_async._download.signature import Tally
from pika_async._download.target import download_error
from pika_async.errors import ConfigError

if TYPE_CHECKING:
    from obstore import AsyncWritableFile
    from obstore.store import ObjectStore

_ADDRESS: Final = re.compile(r"(?P<store>(?:s3|gs|az)://[^/?#]+)/(?P<key>[^?#]+[^/?#])")


def is_address(path: object) -> bool:
    """Return whether *path* names an object of a store, and no file.

    >>> is_address("s3://videos/cat.mp4"), is_address("videos/cat.mp4")
    (True, False)
    """
    return isinstance(path, str) and path.partition("://")[0] in {"s3", "gs", "az"}


def _opened(address: str) -> tuple[ObjectStore, str]:
    """Return the store and the key that *address* names; raises `ConfigError`."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise ConfigError(f"{address!r} names no object; write it as s3://bucket/folder/name.mp4.")
    try:
        from obstore.store import from_url
    except ModuleNotFoundError:
        raise ConfigError("obstore is not installed; install pika-async[s3].") from None
    with _told(address):
        return from_url(found["store"]), found["key"]


def size_of(address: str) -> int | None:
    """Return the bytes of the object at *address*, None where there is none; waits for the store."""
    store, key = _opened(address)
    import obstore

    with _told(address):
        try:
            return obstore.head(store, key)["size"]
        except FileNotFoundError:
            return None


async def chunks_of(address: str) -> AsyncIterator[bytes]:
    """Return the bytes of the object at *address* as they come; raises `DownloadError`."""
    store, key = _opened(address)
    import obstore

    with _told(address, "read"):
        async for chunk in await obstore.get_async(store, key):
            yield bytes(chunk)


class InStore:
    """A target that is an object; what broke off begins again, since an upload cannot be continued."""

    kept = "nothing is kept in the store"
    again = "download again"

    def __init__(self, address: str) -> None:
        self.address = address
        self.tally = Tally()
        self.origin = Origin()
        self._store, self.key = _opened(address)
        self._writer: AsyncWritableFile | None = None

    async def check_free(self) -> None:
        """Raise `DownloadError` when there is such an object already."""
        import obstore

        with _told(self.address):
            try:
                await obstore.head_async(self._store, self.key)
            except FileNotFoundError:
                return
        raise download_error(
            f"{self.address} already exists: pass overwrite=True to replace it, or choose another name.",
            retryable=False,
        )

    async def restart(self, origin: Origin) -> None:
        self.abort()
        self.origin, self.tally = origin, Tally()

    async def write(self, chunk: bytes) -> None:
        import obstore

        with _told(self.address):
            if self._writer is None:
                attributes = {"Content-Type": "video/mp4"}
                self._writer = obstore.open_writer_async(self._store, self.key, attributes=attributes)
            await self._writer.write(chunk)
        self.tally.add(chunk)

    async def flush(self) -> None:
        """Do nothing: what was written is counted already."""

    async def finish(self) -> None:
        """Make the object appear, and compare what the store says of its size."""
        import obstore

        with _told(self.address):
            if self._writer is not None:
                await self._writer.close()
            self._writer = None
            found = await obstore.head_async(self._store, self.key)
        if found["size"] != self.tally.size:
            raise download_error(
                f"{self.address} holds {found['size']} bytes of {self.tally.size}: download again.",
                retryable=True,
            )

    async def put(self, name: str, data: bytes) -> None:
        """Put a small object beside this one, under this one's key and *name*."""
        import obstore

        with _told(self.address):
            await obstore.put_async(self._store, f"{self.key}{name}", data)

    def abort(self) -> None:
        """Release an upload that is not whole; the store drops its parts by its own rules."""
        self._writer = None


async def fetch_into(
    session: MediaSession,
    link: Link,
    target: InStore,
    *,
    fresh_link: FreshLink | None,
    overwrite: bool,
    on_progress: OnProgress | None,
) -> None:
    """Bring *link* into *target*, whole or not at all; raises `DownloadError`."""
    async with session.slots:
        if not overwrite:
            await target.check_free()
        try:
            await Fetch(session, link, target, fresh_link, "video", on_progress).until_whole()
            await target.finish()
        finally:
            target.abort()


@contextmanager
def _told(address: str, done: str = "written") -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError) as failed:
        first = str(failed).partition("\n")[0][:300]
        raise download_error(
            f"{address} cannot be {done} ({first}): check the bucket, its region and the keys of the "
            "environment, then download again.",
            retryable=True,
        ) from None
