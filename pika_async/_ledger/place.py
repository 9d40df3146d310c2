"""Where a ledger's file lies: whether it can be kept there, and whether it is still the same file.

A copied or restored ledger does not know what was sent since. It is noticed by its path, its inode and an
epoch, a number kept in the file and beside it that only grows.
"""

from __future__ import annotations

import os
import re
import sqlite3
from contextlib import suppress
from pathlib import Path

from pika_async._ledger.faults import unusable
from pika_async._ledger.schema import read_int

_MOUNTS = Path("/proc/self/mounts")
_NETWORK = re.compile(r"nfs\d?|cifs|smb\w*|afs|ceph|lustre|fuse\.(sshfs|glusterfs|s3fs|rclone|gcsfuse)")


def prepare(path: Path) -> None:
    """Make the file, for its owner alone; raises `LedgerError` where a ledger cannot be kept."""
    if not path.parent.is_dir():
        raise unusable(path, f"the folder {path.parent.name or path.parent} does not exist. Create it first")
    if path.is_dir():
        raise unusable(path, "it is a folder. Choose a file")
    kind = network_filesystem(path, _MOUNTS.read_text(errors="replace")) if _MOUNTS.exists() else None
    if kind is not None:
        raise unusable(
            path, f"it lies on a network file system ({kind}), which loses commits. Use a local disk"
        )
    try:
        # Only ever created here, never opened: closing a second handle would drop SQLite's locks.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    except FileExistsError:
        pass
    except OSError as error:
        raise unusable(path, f"it cannot be made ({error.strerror}). Choose another place") from error


def network_filesystem(path: Path, mounts: str) -> str | None:
    """Return the kind of the network file system that *path* is on, by a table like that of Linux.

    >>> network_filesystem(Path("/home/me/jobs.db"), "server:/home /home nfs4 rw 0 0")
    'nfs4'
    >>> network_filesystem(Path("/home/me/jobs.db"), "/dev/sda1 / ext4 rw 0 0")
    """
    longest, found = -1, ""
    for line in mounts.splitlines():
        point, kind, *_ = [*line.split(" ")[1:3], "", ""]
        point = re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), point)
        if point and path.is_relative_to(point) and len(point) >= longest:
            longest, found = len(point), kind
    return found if _NETWORK.fullmatch(found) else None


class Epoch:
    """The number beside the file; every change of it happens under the file's write lock."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._beside = path.with_name(f"{path.name}.epoch")

    def is_another_file(self, connection: sqlite3.Connection) -> bool:
        """Return whether this is not the file, in the state, that was last written here."""
        meta = dict(connection.execute("SELECT name, value FROM meta").fetchall())
        if "path" not in meta:
            return False
        ours = (meta["path"], meta["inode"]) == (str(self._path), str(self._path.stat().st_ino))
        said = self._read()
        # "pending": whoever wrote it died before its commit, so the file may be one behind.
        current = {f"{meta['id']} {meta['epoch']} {word}" for word in ("pending", "done")}
        return not ours or said not in {*current, f"{meta['id']} {meta['epoch'] + 1} pending"}

    def advance(self, connection: sqlite3.Connection) -> None:
        """Count on, inside a transaction; `confirm` must follow its commit. Raises `LedgerError`."""
        epoch = read_int(connection, "SELECT value FROM meta WHERE name = 'epoch'") + 1
        self._write(connection, epoch, "pending")
        connection.executemany(
            "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
            [("epoch", epoch), ("path", str(self._path)), ("inode", str(self._path.stat().st_ino))],
        )

    def confirm(self, connection: sqlite3.Connection) -> None:
        """Note beside the file that it has counted on."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            epoch = read_int(connection, "SELECT value FROM meta WHERE name = 'epoch'")
            self._write(connection, epoch, "done")
        finally:
            connection.execute("ROLLBACK")

    def _read(self) -> str:
        with suppress(OSError):
            return self._beside.read_text(errors="replace").strip()
        return ""

    def _write(self, connection: sqlite3.Connection, epoch: int, word: str) -> None:
        (ledger_id,) = connection.execute("SELECT value FROM meta WHERE name = 'id'").fetchone()
        new = self._beside.with_name(f"{self._beside.name}.new")
        try:
            with os.fdopen(os.open(new, os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), "w") as file:
                file.write(f"{ledger_id} {epoch} {word}\n")
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._beside)
        except OSError as error:
            raise unusable(
                self._path, f"{self._beside.name} cannot be written ({error.strerror}). Make it writable"
            ) from error
