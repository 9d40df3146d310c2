"""The half-fetched file on disk: `NAME.part` and, beside it, what a later process needs to go on."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Sequence
from io import FileIO
from pathlib import Path
from typing import TypeVar

from attrs import asdict, frozen

from pika_async.errors import DownloadError

if sys.platform != "win32":
    import fcntl

_BLOCK = 1024 * 1024
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

T = TypeVar("T")


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


class _BusyError(Exception):
    """Somebody else is writing this part."""


def _lock(file: FileIO) -> None:
    if sys.platform != "win32":
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _BusyError from None
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
        self.path = final.with_name(f"{final.name}.part")
        self.origin = Origin()
        self.size = 0
        self._notes = final.with_name(f"{final.name}.part.json")
        self._digest = hashlib.sha256()
        self._file: FileIO | None = None
        self._closed = False
        self._lock = threading.Lock()

    @property
    def counted(self) -> str:
        """How much there is, for people: `5 of 10 bytes`."""
        total = "" if self.origin.length is None else f" of {self.origin.length}"
        return f"{self.size}{total} bytes"

    @property
    def sha256(self) -> str:
        """The hash of everything written, in hex."""
        return self._digest.hexdigest()

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
                    self._digest.update(block)
                    self.size += len(block)

    def restart(self, origin: Origin) -> None:
        """Throw the bytes away and begin the file of *origin*."""
        with self._lock:
            if self._file is None:
                return
            self._empty(self._file)
            self.origin = origin
            self._notes.write_text(json.dumps(asdict(origin)), encoding="utf-8")

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append *chunks*; what was written before an OSError is kept and counted."""
        with self._lock:
            for chunk in chunks:
                rest = memoryview(chunk)
                while self._file is not None and rest:
                    written = self._file.write(rest)
                    self._digest.update(rest[:written])
                    self.size += written
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
        """Let the part go, for a later download to take up; an empty one leaves no trace."""
        self._closed = True
        with self._lock:
            if self._file is not None and not os.fstat(self._file.fileno()).st_size:
                self._notes.unlink(missing_ok=True)
                self.path.unlink(missing_ok=True)
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _locked(self) -> FileIO | None:
        file = FileIO(os.open(self.path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666), "r+")
        try:
            _lock(file)
            held, named = os.fstat(file.fileno()), self.path.stat()
            if held.st_nlink == 1 and os.path.samestat(held, named):
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
        self.size = 0
        self._digest = hashlib.sha256()

    def _read_notes(self) -> Origin:
        try:
            match json.loads(self._notes.read_bytes()):
                case {
                    "place": str(place),
                    "etag": str() | None as etag,
                    "modified": str() | None as modified,
                    "length": int() | None as length,
                }:
                    return Origin(place=place, etag=etag, modified=modified, length=length)
                case _:
                    return Origin()
        except (OSError, ValueError):
            return Origin()


def in_thread(call: Callable[..., T], *args: object) -> asyncio.Future[T]:
    """Start *call* in a worker thread; the result may be awaited later."""
    return asyncio.get_running_loop().run_in_executor(None, call, *args)


async def on_disk(part: Part, call: Callable[..., T], *args: object) -> T:
    """Run *call*, which touches *part*, in a worker thread."""
    return await landed(part, in_thread(call, *args))


async def landed(part: Part, work: Awaitable[T]) -> T:
    """Await *work* on *part* and tell its failure in words."""
    try:
        return await work
    except _BusyError:
        raise download_error(
            f"{part.final} is being downloaded already: wait for that, or choose another name.",
            retryable=True,
        ) from None
    except FileExistsError:
        raise download_error(
            f"{part.final} already exists: pass overwrite=True to replace it, or choose another name.",
            retryable=False,
        ) from None
    except IsADirectoryError:
        raise download_error(f"{part.final} is a folder: name a file in it.", retryable=False) from None
    except OSError as failed:
        if failed.errno in _FULL:
            raise download_error(
                f"The disk is full: {part.counted} are kept in {part.path.name}; "
                "make room and download again to go on.",
                retryable=True,
            ) from failed
        raise download_error(
            f"{part.path} cannot be written ({failed.strerror or failed}): "
            "see to that file and its folder, then download again.",
            retryable=False,
        ) from failed


def download_error(message: str, *, retryable: bool, status: int | None = None) -> DownloadError:
    """Say what went wrong with a video that is paid for."""
    return DownloadError(message, phase="download", charged="yes", retryable=retryable, status=status)
