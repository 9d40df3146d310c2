"""The object store that takes the videos of a batch; manifest, ledger and gallery stay in its folder."""

from __future__ import annotations

from attrs import field, frozen

from pika_async._download.store import is_address, size_of
from pika_async.batch.entry import Entry, RowState
from pika_async.errors import ConfigError


def _folder(address: str) -> str:
    if not is_address(address):
        raise ConfigError("store is no address of an object store; write it as s3://bucket/folder.")
    return address.rstrip("/")


@frozen
class BatchStore:
    """A folder of a store, such as `s3://videos/june`."""

    address: str = field(converter=_folder)

    def place(self, name: str) -> str:
        """Return the address of the object *name*."""
        return f"{self.address}/{name}"

    def is_whole(self, entry: Entry) -> bool:
        """Return whether the video of *entry* is there, as large as it was. Asks the store; reads nothing.

        Raises `DownloadError` when the store cannot be asked.
        """
        if entry.state is not RowState.DONE or entry.file is None or entry.address != self.place(entry.file):
            return False
        return size_of(entry.address) == entry.size
