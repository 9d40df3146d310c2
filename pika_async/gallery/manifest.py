"""The record of a batch: one JSON object a line; a later line replaces an earlier one of the same row."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from attrs import asdict, evolve, field, frozen

from pika_async._tolerant import structure
from pika_async.errors import BadReply, PikaError
from pika_async.requests import Blob, Camera, VideoRequest, fields_set
from pika_async.results import JSON, Charged, State, VideoResult


class RowState(StrEnum):
    """Where a row of a batch stands; done means that its file is on disk."""

    QUEUED = "queued"
    RENDERING = "rendering"
    DOWNLOADING = "downloading"
    DONE = "done"
    FAILED = "failed"


@frozen(kw_only=True)
class Timings:
    """When things happened to a row, in seconds since 1970 (UTC)."""

    created_at: float | None = None
    submitted_at: float | None = None
    rendered_at: float | None = None
    finished_at: float | None = None


@frozen(kw_only=True)
class Failure:
    """Why a row has no file: the error's *name*, its sentence, and whether money went."""

    name: str
    message: str
    charged: Charged = "unknown"

    @classmethod
    def of(cls, error: PikaError) -> Failure:
        """Keep what a line can hold of *error*."""
        return cls(name=type(error).__name__, message=error.message, charged=error.charged)


def _video(value: VideoResult | None) -> VideoResult | None:
    # The tolerant reader leaves words as text; a result read back is to equal the one written.
    return value and evolve(value, state=State(value.state))


@frozen(kw_only=True)
class Entry:
    """What is known of one row.

    *number* counts from 1; *request* is what `described` made of it; *file* and *poster* are relative
    to the manifest's folder, with forward slashes; *size* is in bytes and *sha256* in hex.
    """

    number: int
    request: Mapping[str, JSON]
    state: RowState = field(default=RowState.QUEUED, converter=RowState)
    provider: str | None = None
    token: str | None = field(default=None, repr=False)
    result: VideoResult | None = field(default=None, converter=_video)
    file: str | None = None
    poster: str | None = None
    sha256: str | None = None
    size: int | None = None
    timings: Timings = field(factory=Timings)
    error: Failure | None = None

    def line(self) -> bytes:
        """Encode as the one line that `parse` reads; raises ValueError for what is no JSON."""
        value = asdict(self)
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
            return text.encode() + b"\n"
        except UnicodeEncodeError:
            # Half a surrogate pair, as in the name of a file that is not UTF-8.
            return json.dumps(value, allow_nan=False).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Entry | None:
        """Read a line; None where it is torn or no entry."""
        try:
            return structure(json.loads(line), cls)
        except (ValueError, RecursionError, BadReply):
            return None


def described(request: VideoRequest) -> dict[str, JSON]:
    """Return *request* as JSON: its kind and what the caller set; media in memory by name and size only.

    >>> from pika_async import Style
    >>> described(Style("Inflate", "A rubber duck", image=b"1234"))
    {'kind': 'style', 'style': 'Inflate', 'prompt': 'A rubber duck', 'image': '<4 bytes>'}
    """
    return {
        "kind": type(request).__name__.lower(),
        **{name: _plain(value) for name, value in fields_set(request).items()},
    }


def _plain(value: object) -> JSON:
    match value:
        case Path():
            return value.as_posix()
        case bytes():
            return f"<{len(value)} bytes>"
        case Blob():
            return f"{value.name} <{len(value.data)} bytes>"
        case Camera():
            return {name: move for name, move in asdict(value).items() if move is not None}
        case tuple():
            return [_plain(item) for item in value]
        case _:
            plain: JSON = value  # type: ignore[assignment]  # the request refused everything but JSON
            return plain


class Manifest:
    """The manifest at *path*, which need not exist yet; one process writes it, any number read it.

    A line reaches the operating system before `append` returns: it outlives this process, not a power
    cut. The ledger, not the manifest, knows what was paid for.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: IO[bytes] | None = None

    def entries(self) -> dict[int, Entry]:
        """Read every row's newest entry, in order of number; torn lines are passed over."""
        newest = {entry.number: entry for entry in self._parsed()}
        return dict(sorted(newest.items()))

    def append(self, entry: Entry) -> None:
        """Add a line, making missing folders; raises OSError, as when the disk is full."""
        line = entry.line()
        file = self._file or self._open()
        file.write(line)
        file.flush()

    def compact(self) -> None:
        """Leave one line for each row; readers see the old file or the new one, never half of it."""
        entries = self.entries()
        self.close()
        compacted = self.path.with_name(self.path.name + ".part")
        compacted.write_bytes(b"".join(entry.line() for entry in entries.values()))
        compacted.replace(self.path)

    def close(self) -> None:
        """Let go of the file; `append` opens it again."""
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

    def _open(self) -> IO[bytes]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = file = self.path.open("a+b")
        # A run that was killed may have left half a line; the next one must not grow on it.
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        return file
