"""One row as the gallery shows it, and what all of them come to. Pure: entries in, values out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from pika_async.gallery.manifest import Entry, RowState, Timings
from pika_async.results import JSON

VIDEO_TYPES: Final = {".mp4": "video/mp4", ".webm": "video/webm", ".mov": "video/quicktime"}
IMAGE_TYPES: Final = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
}

# What may be shown of a request. `extra_body` is not among it: people put keys there.
_SETTINGS: Final = (
    "style",
    "negative_prompt",
    "model",
    "mode",
    "aspect_ratio",
    "seed",
    "frame_rate",
    "guidance_scale",
    "motion",
    "camera",
    "sound_effects",
)
_MEDIA: Final = ("image", "images", "video")


@frozen(kw_only=True)
class Row:
    """One row, fit to be shown: no token, no link of the provider's, no path out of the folder.

    *seconds* is how long the row took, *duration* how long the video is; moments are in seconds since
    1970 (UTC); *size* is in bytes; *settings* are names and values for people.
    """

    number: int
    kind: str
    prompt: str
    state: RowState
    provider: str | None = None
    file: str | None = None
    poster: str | None = None
    size: int | None = None
    seconds: float | None = None
    duration: float | None = None
    error: str | None = None
    created_at: float | None = None
    started_at: float | None = None
    finished_at: float | None = None
    settings: tuple[tuple[str, str], ...] = ()

    @classmethod
    def of(cls, entry: Entry) -> Row:
        """Choose what may be shown of *entry*."""
        timings, request = entry.timings, entry.request
        started = timings.submitted_at or timings.created_at
        return cls(
            number=entry.number,
            kind=_text(request.get("kind")) or "generate",
            prompt=_text(request.get("prompt")),
            state=entry.state,
            provider=entry.provider,
            file=_inside(entry.file, VIDEO_TYPES) if entry.state is RowState.DONE else None,
            poster=_inside(entry.poster, IMAGE_TYPES),
            size=entry.size,
            seconds=_between(started, timings),
            duration=entry.result.duration if entry.result else None,
            error=entry.error.message if entry.error else None,
            created_at=timings.created_at,
            started_at=started,
            finished_at=timings.finished_at,
            settings=tuple(_settings(request)),
        )


@frozen(kw_only=True)
class Summary:
    """What all rows come to; *busy* is how many seconds at least one of them was under way."""

    counts: Mapping[RowState, int]
    total: int
    busy: float
    duration: float
    size: int

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Summary:
        """Add *rows* up."""
        return cls(
            counts=Counter(row.state for row in rows),
            total=len(rows),
            busy=_covered(
                (row.started_at, row.finished_at) for row in rows if row.started_at and row.finished_at
            ),
            duration=sum(row.duration or 0 for row in rows if row.file),
            size=sum(row.size or 0 for row in rows if row.file),
        )

    @property
    def finished(self) -> bool:
        """Whether every row is done or failed."""
        return self.counts.get(RowState.DONE, 0) + self.counts.get(RowState.FAILED, 0) == self.total


def _text(value: JSON) -> str:
    return value if isinstance(value, str) else ""


def _between(started: float | None, timings: Timings) -> float | None:
    if started is None or timings.finished_at is None:
        return None
    return max(timings.finished_at - started, 0.0)


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Add up the time that *spans* cover, once where they overlap: a batch continued tomorrow slept."""
    covered, reached = 0.0, 0.0
    for start, end in sorted(spans):
        covered += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return covered


def _inside(path: str | None, types: Mapping[str, str]) -> str | None:
    """Return *path* if it names a medium in the folder or below it, and nothing hidden."""
    if not path or "\\" in path or "\0" in path:
        return None
    parts = PurePosixPath(path)
    if parts.is_absolute() or any(part.startswith(".") for part in parts.parts):
        return None
    return str(parts) if parts.suffix.lower() in types else None


def _settings(request: Mapping[str, JSON]) -> Iterable[tuple[str, str]]:
    for name in _SETTINGS:
        value = request.get(name)
        if value is not None:
            yield name.replace("_", " "), _words(value)
    for name in _MEDIA:
        value = request.get(name)
        if value:
            media = value if isinstance(value, list) else [value]
            yield name, ", ".join(_name(item) for item in media)


def _words(value: JSON) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return ", ".join(f"{name} {_words(item)}" for name, item in value.items())
        case list() | tuple():
            return ", ".join(_words(item) for item in value)
        case _:
            return str(value)


def _name(medium: JSON) -> str:
    """Name a medium without its host and query: signed links are nobody else's business."""
    text = _text(medium)
    try:
        path = urlsplit(text).path if "://" in text else text
    except ValueError:
        return "a link"
    return path.rstrip("/").rpartition("/")[2] or "a link"
