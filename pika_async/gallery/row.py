"""One row as the gallery shows it, and the totals of all rows. Pure: entries in, values out."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeVar

from attrs import field, frozen

from pika_async._crossing import Value
from pika_async.batch.entry import IMAGE_TYPES, VIDEO_TYPES, Entry, RowState, Timings, media_path
from pika_async.requests import MEDIA_FIELDS
from pika_async.results import JSON

# What may be shown of a request. `extra_body` is not among it: people put keys there.
_SETTINGS: Final = (
    "style",
    "region",
    "negative_prompt",
    "model",
    "mode",
    "duration",
    "resolution",
    "aspect_ratio",
    "seed",
    "frame_rate",
    "guidance_scale",
    "motion",
    "camera",
    "sound_effects",
)

# A manifest may be damaged, or hold what a provider made up. Numbers beyond these are left out.
_MOST_SECONDS: Final = 1e9
_LAST_MOMENT: Final = 253_402_300_799.0
"""The end of the year 9999."""

_MOST_BYTES: Final = 10**15
_MOST_SHOWN: Final = 10**18
_DEEPEST: Final = 4

# An error's sentence may name a job's token or a signed link, and a page may be shown to others.
_SECRET: Final = re.compile(r"pika1\.[A-Za-z0-9_.-]+|(?<=[\w/=-])[?#][^\s?#]*[=&%][^\s,;)]*")

_Number = TypeVar("_Number", int, float)


def _bounded(value: _Number | None, most: float) -> _Number | None:
    """Return *value*, or None for NaN and for what does not lie between 0 and *most*."""
    return value if value is not None and 0 <= value <= most else None


def _span(value: float | None) -> float | None:
    return _bounded(value, _MOST_SECONDS)


def _moment(value: float | None) -> float | None:
    return _bounded(value, _LAST_MOMENT)


def _amount(value: float | None) -> float | None:
    return _bounded(value, _MOST_SECONDS)


def _size(value: int | None) -> int | None:
    return _bounded(value, _MOST_BYTES)


@frozen(kw_only=True)
class Row(Value):
    """One row as it may be shown: without token, provider's link, or path outside the folder.

    *seconds* is how long the row took, *duration* how long the video is; moments are in seconds since
    1970 (UTC); *size* is in bytes, *cost* in the provider's unit; *settings* are names and values for
    people. *address* is where a store keeps the video; it is shown and not linked. Numbers that cannot be
    right are left out. Rows that ask for the same (kind, prompt and media) have the same *asked*.
    """

    number: int
    kind: str
    prompt: str
    state: RowState
    provider: str | None = None
    cost: float | None = field(default=None, converter=_amount)
    trace_id: str | None = None
    file: str | None = None
    address: str | None = None
    poster: str | None = None
    size: int | None = field(default=None, converter=_size)
    seconds: float | None = field(default=None, converter=_span)
    duration: float | None = field(default=None, converter=_span)
    error: str | None = None
    created_at: float | None = None
    started_at: float | None = field(default=None, converter=_moment)
    finished_at: float | None = field(default=None, converter=_moment)
    settings: tuple[tuple[str, str], ...] = ()
    asked: str | None = None

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
            cost=entry.cost,
            trace_id=_text(entry.trace_id) or None,
            file=media_path(entry.file, VIDEO_TYPES)
            if entry.state is RowState.DONE and entry.address is None
            else None,
            address=_text(entry.address) or None,
            poster=media_path(entry.poster, IMAGE_TYPES),
            size=entry.size,
            seconds=_between(started, timings),
            duration=entry.result.duration if entry.result else None,
            error=_SECRET.sub("…", entry.error.message) if entry.error else None,
            created_at=timings.created_at,
            started_at=started,
            finished_at=timings.finished_at,
            settings=tuple(_settings(request)),
            asked=_asked(request),
        )


@frozen(kw_only=True)
class Summary(Value):
    """The totals of all rows; *busy* is how many seconds at least one of them was under way."""

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


def _asked(request: Mapping[str, JSON]) -> str | None:
    """Return a digest of what *request* asks for; a digest, since media may be signed links."""
    prompt = _text(request.get("prompt"))
    asked = [_text(request.get("kind")) or "generate", prompt, *map(request.get, MEDIA_FIELDS)]
    if not prompt and not any(asked[2:]):
        return None
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]


def _between(started: float | None, timings: Timings) -> float | None:
    if started is None or timings.finished_at is None:
        return None
    return max(timings.finished_at - started, 0.0)


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Return the seconds that *spans* cover together: overlaps count once, pauses between runs do not."""
    covered, reached = 0.0, 0.0
    for start, end in sorted(spans):
        covered += max(end - max(start, reached), 0.0)
        reached = max(reached, end)
    return covered


def _settings(request: Mapping[str, JSON]) -> Iterable[tuple[str, str]]:
    for name in _SETTINGS:
        value = request.get(name)
        if value is not None:
            yield name.replace("_", " "), _words(value)
    for name in MEDIA_FIELDS:
        value = request.get(name)
        if value:
            media = value if isinstance(value, list) else [value]
            yield name, ", ".join(_name(item) for item in media)


def _words(value: JSON, depth: int = 0) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case Mapping() | list() | tuple() if depth == _DEEPEST:
            return "…"
        case Mapping():
            return ", ".join(f"{name} {_words(item, depth + 1)}" for name, item in value.items())
        case list() | tuple():
            return ", ".join(_words(item, depth + 1) for item in value)
        case int() if abs(value) > _MOST_SHOWN:
            return "a very large number"
        case _:
            return str(value)


def _name(medium: JSON) -> str:
    """Return a medium's file name without host and query, because a signed link is a secret."""
    text = _text(medium.get("image") if isinstance(medium, Mapping) else medium)
    if "://" in text:
        text = re.split(r"[?#]", text.partition("://")[2], maxsplit=1)[0].partition("/")[2]
    return text.rstrip("/").rpartition("/")[2] or "a link"
