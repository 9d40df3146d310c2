"""The half-fetched file on disk: `NAME.part` and, beside it, what a later process needs to go on."""

from __future__ import annotations

import errno
import json
import os
import stat
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from io import FileIO
from pathlib import Path

from attrs import asdict, frozen

from pika_async._download.paths import beside
from pika_async._download.signature import Tally

if sys.platform != "win32":
    import fcntl

_BLOCK = 1024 * 1024
_LONGEST_NOTES = 64 * 1024
_PLAIN_FILE_ONLY = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@frozen(kw_only=True)
class Origin:
    """Which file the bytes come from: *place* is host and path, *length* its whole size if told."""

    place: str = ""
    etag: str | None = None
    modified: str | None = None
    length: int | None = None

    def validator(self, place: str) -> str | None:
        """Return what `If-Range` may say about *place*; a date proves something about one place only."""
        return self.etag or (self.modified if place == self.place else None)


class BusyError(Exception):
    """Another process is writing this part."""


def _lock(file: FileIO) -> None:
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BusyError from None
        except OSError:
            # Some network file systems have no locks: go on without.
            return


class Part:
    """One `NAME.part`, open and locked; every method blocks and belongs in a worker thread.

    `close` may come at any moment from any thread: it waits for a running call and makes later
    ones do nothing, so that a cancelled download never writes to a closed, reused descriptor.
    """

    def __init__(self, final: Path) -> None:
        self.final = final
        self.path, self._notes = beside(final)
        self.origin = Origin()
        self.tally = Tally()
        self._file: FileIO | None = None
        self._closed = False
        self._lock = threading.Lock()

    @property
    def counted(self) -> str:
        """How much there is, for people: `5 of 10 bytes`."""
        total = "" if self.origin.length is None else f" of {self.origin.length}"
        return f"{self.tally.size}{total} bytes"

    def open(self) -> None:
        """Lock the part and take up what an earlier process left."""
        with self._lock:
            while not self._closed and self._file is None:
                self._file = self._locked()
            if self._file is None:
                return
            self.origin, size = self._read_notes(), os.fstat(self._file.fileno()).st_size
            provable = self.origin.etag is not None or self.origin.modified is not None
            fits = self.origin.length is None or size <= self.origin.length
            if not (provable and fits):
                self._empty(self._file)
            else:
                while not self._closed and (block := self._file.read(_BLOCK)):
                    self.tally.add(block)

    def restart(self, origin: Origin) -> None:
        """Throw the bytes away and begin the file of *origin*."""
        with self._lock:
            if self._file is None:
                return
            self._empty(self._file)
            self.origin = origin
            self._write_notes(origin)

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append *chunks*; what was written before an OSError is kept and counted."""
        with self._lock:
            for chunk in chunks:
                rest = memoryview(chunk)
                while self._file is not None and rest:
                    written = self._file.write(rest)
                    self.tally.add(rest[:written])
                    rest = rest[written:]

    def finish(self, *, overwrite: bool) -> None:
        """Bring the bytes safely to disk and give them the final name; FileExistsError if it is taken."""
        with self._lock:
            if self._file is None:
                return
            os.fsync(self._file.fileno())
            if sys.platform == "win32":
                self._close()
            if overwrite:
                self.path.replace(self.final)
            else:
                self._rename_to_free_name()
            self._notes.unlink(missing_ok=True)
            self._close()

    def close(self) -> None:
        """Let the part go, for a later download to take up; an empty one leaves no trace. Never raises."""
        self._closed = True
        with self._lock:
            with suppress(OSError):
                if self._file is not None and not os.fstat(self._file.fileno()).st_size:
                    self.path.unlink(missing_ok=True)
                    self._notes.unlink(missing_ok=True)
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            # `finish` has brought the bytes to disk; a network file system may still complain here.
            with suppress(OSError):
                self._file.close()
            self._file = None

    def _locked(self) -> FileIO | None:
        file = self._opened()
        try:
            _lock(file)
            held, named = os.fstat(file.fileno()), self.path.lstat()
            if held.st_nlink <= 1 and os.path.samestat(held, named):
                return file
            # Its last holder finished between our open and our lock, or died between link and unlink:
            # these bytes bear the final name by now and are not ours to write to.
            if held.st_nlink > 1:
                self.path.unlink()
        except FileNotFoundError:
            pass
        except BaseException:
            file.close()
            raise
        file.close()
        return None

    def _opened(self) -> FileIO:
        try:
            file = FileIO(os.open(self.path, os.O_RDWR | os.O_CREAT | _PLAIN_FILE_ONLY, 0o666), "r+")
        except OSError as failed:
            if self.path.is_symlink():
                raise OSError(failed.errno, "it is a symbolic link, and none is followed") from None
            raise
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise OSError(errno.EINVAL, "it is no plain file")
        return file

    def _rename_to_free_name(self) -> None:
        if sys.platform == "win32":
            self.path.rename(self.final)
            return
        try:
            os.link(self.path, self.final)
        except FileExistsError:
            raise
        except OSError:
            # A file system without hard links.
            if self.final.exists():
                raise FileExistsError(self.final) from None
            self.path.replace(self.final)
        else:
            self.path.unlink()

    def _empty(self, file: FileIO) -> None:
        file.seek(0)
        file.truncate()
        self.tally = Tally()

    def _write_notes(self, origin: Origin) -> None:
        # A new file each time: what else lies under that name, such as a symbolic link, is not written to.
        self._notes.unlink(missing_ok=True)
        descriptor = os.open(self._notes, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _PLAIN_FILE_ONLY, 0o666)
        with open(descriptor, "w", encoding="utf-8") as file:  # noqa: PTH123 - opened already
            file.write(json.dumps(asdict(origin)))

    def _read_notes(self) -> Origin:
        try:
            with FileIO(os.open(self._notes, os.O_RDONLY | _PLAIN_FILE_ONLY)) as file:
                notes = file.read(_LONGEST_NOTES)
            match json.loads(notes):
                case {
                    "place": str(place),
                    "etag": str() | None as etag,
                    "modified": str() | None as modified,
                    "length": int() | None as length,
                }:
                    return Origin(place=place, etag=etag, modified=modified, length=length)
                case _:
                    return Origin()
        except (OSError, ValueError, RecursionError):
            return Origin()
