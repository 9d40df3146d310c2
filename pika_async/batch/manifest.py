"""The record of a batch: one JSON object a line; a later line replaces an earlier one of the same row."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import IO, Final, Self

from pika_async._crossing import process_bound
from pika_async.batch.entry import Entry
from pika_async.batch.files import open_own, replace_whole

MANIFEST: Final = "manifest.jsonl"
_TOKEN: Final = re.compile(rb'"token": ?"(pika1\.[A-Za-z0-9_-]+\.[0-9a-f]+)"')


@process_bound("make Manifest(path) in the other process")
class Manifest:
    """The manifest at *path*, which need not exist yet; one process writes it, any number read it.

    Only its owner may read it, since it holds job tokens. A line reaches the operating system before `append`
    returns: it survives the end of this process, but not a power cut. The ledger, not the manifest, knows
    what was paid for.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.unread: set[str] = set()
        self._file: IO[bytes] | None = None

    def entries(self) -> dict[int, Entry]:
        """Read every row's newest entry, in order of number; a line that is no entry is passed over."""
        newest = {entry.number: entry for entry in self._parsed()}
        return dict(sorted(newest.items()))

    def append(self, entry: Entry) -> None:
        """Add a line, making missing folders; raises OSError, as when the disk is full."""
        line = entry.line()
        file = self._file or self._open()
        file.write(line)
        file.flush()

    def replace(self, entries: Iterable[Entry]) -> None:
        """Make *entries* the whole manifest; readers see the old one or the new one, never half of it."""
        self.close()
        replace_whole(self.path, b"".join(entry.line() for entry in entries), mode=0o600)

    def compact(self) -> None:
        """Leave one line for each row."""
        self.replace(self.entries().values())

    def close(self) -> None:
        """Close the file; `append` opens it again."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _parsed(self) -> Iterator[Entry]:
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return
        # Only this byte ends a line: a prompt may hold the other characters that Unicode breaks lines at.
        for line in content.split(b"\n"):
            entry = Entry.parse(line) if line.strip() else None
            if entry is not None:
                yield entry
            elif found := _TOKEN.search(line):
                self.unread.add(found[1].decode())

    def _open(self) -> IO[bytes]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = file = open_own(self.path, "a+b", mode=0o600)
        # A run that was killed may have left half a line; the next one must not grow on it.
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        return file
