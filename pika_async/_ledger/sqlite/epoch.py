"""Whether a ledger is still the file, in the state, that was last written here.

A copied or restored ledger does not know what was sent since. It is noticed by its path, its inode and its
epoch: the number of the newest change, which only grows, kept in the file and beside it. While a ledger is
open, its files must stay in their places: what is committed to a deleted file is gone with the process.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from pathlib import Path

from pika_async._ledger.faults import unusable
from pika_async._ledger.sqlite.news import newest

_GONE = (
    "it was moved, deleted or replaced while it was open. Put {name} back, or close everything that uses it "
    "and open it again"
)
_PUT_BACK = (
    "it was put back to an earlier state while it was open. Close everything that uses it and open it again"
)


class Epoch:
    """The number beside the file, and the places of the ledger's files."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beside = path.with_name(f"{path.name}.epoch")
        self._handle = -1
        self._at = 0
        self._seen = 0
        self._places: list[tuple[str, int, int]] = []

    def is_another_file(self, connection: sqlite3.Connection) -> bool:
        """Return whether this is not the file, in the state, that was last written here."""
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        if "path" not in meta:
            return False
        if (meta["path"], meta["inode"]) != (str(self._path), str(self._path.stat().st_ino)):
            return True
        ledger_id, number = self._said()
        return ledger_id != meta["id"] or number > newest(connection)

    def outrun(self, connection: sqlite3.Connection) -> None:
        """Count on past what is beside a file that was restored, so that the number only grows."""
        number = max(self._said()[1], newest(connection)) + 1
        connection.execute("INSERT INTO news (number, owner, jobs) VALUES (?, '', '[]')", (number,))

    def settle(self, connection: sqlite3.Connection) -> None:
        """Take this for the file; in the transaction that opens it, before its commit."""
        connection.executemany(
            "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            [("path", str(self._path)), ("inode", str(self._path.stat().st_ino))],
        )
        (ledger_id,) = connection.execute("SELECT value FROM meta WHERE name = 'id'").fetchone()
        try:
            self._handle = os.open(self._beside, os.O_CREAT | os.O_RDWR | getattr(os, "O_NOFOLLOW", 0), 0o600)
            self._at = len(ledger_id) + 1
            self._seen = newest(connection)
            os.write(self._handle, f"{ledger_id} {self._seen:020d}\n".encode())
            os.ftruncate(self._handle, self._at + 21)
            os.fsync(self._handle)
        except OSError as error:
            raise unusable(
                self._path, f"{self._beside.name} cannot be written ({error.strerror}). Make it writable"
            ) from error

    def watch(self) -> None:
        """Remember where the files are, once all of them are there."""
        for path in (self._path, *(self._path.with_name(self._path.name + end) for end in ("-wal", "-shm"))):
            with suppress(FileNotFoundError):
                stat = path.stat()
                self._places.append((str(path), stat.st_dev, stat.st_ino))

    def check(self, number: int | None) -> None:
        """Raise `LedgerError` if the files are no longer in their places, or if the epoch went back.

        *number* is the newest change in the file, for a transaction that makes another.
        """
        for path, device, inode in self._places:
            try:
                stat = os.stat(path)  # noqa: PTH116 - a third of the cost, for every commit
            except OSError:
                stat = None
            if stat is None or (stat.st_dev, stat.st_ino) != (device, inode):
                raise unusable(self._path, _GONE.format(name=self._path.name))
        if number is not None and number < max(self._seen, self._number()):
            raise unusable(self._path, _PUT_BACK)

    def confirm(self, number: int) -> None:
        """Note beside the file that *number* is committed, before anybody acts on it."""
        self._seen = number
        # Another process may have gone on meanwhile. One that stops right between these two lines puts an
        # older number there, until the next commit: then a loss of the last commits alone is not noticed.
        if self._number() < number:
            with suppress(OSError):
                os.lseek(self._handle, self._at, os.SEEK_SET)
                os.write(self._handle, b"%020d" % number)

    def close(self) -> None:
        """Release the file beside."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _number(self) -> int:
        try:
            os.lseek(self._handle, self._at, os.SEEK_SET)
            return int(os.read(self._handle, 20))
        except (OSError, ValueError):
            return 0

    def _said(self) -> tuple[str, int]:
        """Return id and number from the file beside; the first release put a word behind them."""
        with suppress(OSError, ValueError):
            ledger_id, number, *word = self._beside.read_text(errors="replace").split()
            return ledger_id, int(number) - (word == ["pending"])
        return "", 0
