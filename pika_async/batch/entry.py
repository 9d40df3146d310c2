"""One row of a batch in its manifest: values, their JSON line, and names that are safe to open. Pure."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from enum import StrEnum
from pathlib import PurePosixPath
from typing import Any, Final

from attrs import asdict, evolve, field, frozen

from pika_async._crossing import Value
from pika_async._token import JobToken
from pika_async._tolerant import structure
from pika_async.errors import BadReply, ConfigError, PikaError
from pika_async.results import JSON, Charged, State, VideoResult

VIDEO_TYPES: Final = {".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime"}
IMAGE_TYPES: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
}

_DEEPEST: Final = 100
# Refusals of the request, not of the account or the moment: the same request would be refused again.
_FOR_GOOD: Final = frozenset({"JobFailed", "ContentBlocked", "SubmitRefused", "UnsupportedRequest"})


class RowState(StrEnum):
    """The state of a row of a batch; done means that its file is on disk."""

    QUEUED = "queued"
    RENDERING = "rendering"
    DOWNLOADING = "downloading"
    DONE = "done"
    FAILED = "failed"


@frozen(kw_only=True)
class Timings(Value):
    """When things happened to a row, in seconds since 1970 (UTC)."""

    created_at: float | None = None
    submitted_at: float | None = None
    rendered_at: float | None = None
    finished_at: float | None = None


@frozen(kw_only=True)
class Failure(Value):
    """Why a row has no file: the name and message of the error, and whether it was charged."""

    name: str
    message: str
    charged: Charged = "unknown"

    @classmethod
    def of(cls, error: PikaError) -> Failure:
        """Keep what a line can hold of *error*."""
        return cls(name=type(error).__name__, message=error.message, charged=error.charged)

    @property
    def for_good(self) -> bool:
        """Return whether only a new order can bring a video, and waiting cannot."""
        return self.name in _FOR_GOOD


def _video(value: VideoResult | None) -> VideoResult | None:
    # The tolerant reader leaves words as text; a result read back is to equal the one written.
    return value and evolve(value, state=State(value.state))


@frozen(kw_only=True)
class Entry(Value):
    """What is known of one row.

    *number* counts from 1; *request* is what `described` made of it; *key* is the idempotency key of its job;
    *why* says why *provider* has it; *cost* is in the provider's unit, *trace_id* is for its support;
    *file* and *poster* are relative to the manifest's folder, with forward slashes; *address* is
    where the video is instead, in a store; *size* is in bytes and
    *sha256* in hex. A manifest may come from anywhere: use `media_path` before a name is opened or linked.
    """

    number: int
    request: Mapping[str, JSON]
    state: RowState = field(default=RowState.QUEUED, converter=RowState)
    provider: str | None = None
    why: str | None = None
    cost: float | None = None
    trace_id: str | None = None
    key: str | None = None
    token: str | None = field(default=None, repr=False)
    result: VideoResult | None = field(default=None, converter=_video)
    file: str | None = None
    address: str | None = None
    poster: str | None = None
    sha256: str | None = None
    size: int | None = None
    timings: Timings = field(factory=Timings)
    error: Failure | None = None

    @property
    def job_id(self) -> str | None:
        """The id of the row's job, as its token has it; None without a token that can be read."""
        try:
            return None if self.token is None else JobToken.decode(self.token).job_id
        except ConfigError:
            return None

    def line(self) -> bytes:
        """Encode as the one line that `parse` reads; a number that JSON cannot hold becomes null."""
        value = asdict(self)
        try:
            text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        except ValueError:
            text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
        try:
            return text.encode() + b"\n"
        except UnicodeEncodeError:
            # Half a surrogate pair, as in the name of a file that is not UTF-8.
            return json.dumps(_finite(value), allow_nan=False).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Entry | None:
        """Read a line; None where it is torn, of another version, or no entry."""
        try:
            value = json.loads(line)
            entry = None if _is_deep(value) else structure(value, cls)
        except (ValueError, RecursionError, BadReply):
            return None
        return entry if entry is not None and entry.number >= 1 else None


def _is_deep(value: Any) -> bool:
    """Return whether *value* is nested deeper than any request: what walks through it would not come back."""
    level = [value]
    for _ in range(_DEEPEST):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


def _finite(value: Any) -> Any:
    match value:
        case float() if not math.isfinite(value):
            return None
        case dict():
            return {name: _finite(item) for name, item in value.items()}
        case list() | tuple():
            return [_finite(item) for item in value]
        case _:
            return value


def media_path(name: str | None, types: Mapping[str, str]) -> str | None:
    """Return *name* if it is a medium of *types* in the folder or below it, and nothing hidden; else None.

    >>> media_path("001-a-cat.mp4", VIDEO_TYPES), media_path("../x.mp4", VIDEO_TYPES)
    ('001-a-cat.mp4', None)
    >>> media_path("/tmp/x.mp4", VIDEO_TYPES), media_path("jobs.db", VIDEO_TYPES)
    (None, None)
    """
    if not name or "\\" in name or "\0" in name:
        return None
    parts = PurePosixPath(name)
    if parts.is_absolute() or any(part.startswith(".") for part in parts.parts):
        return None
    return str(parts) if parts.suffix.lower() in types else None
