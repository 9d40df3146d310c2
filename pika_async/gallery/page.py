"""The gallery's HTML. Pure: rows in, HTML out; every text of a row is escaped."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from urllib.parse import quote

from attrs import frozen
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pika_async._crossing import Value
from pika_async.batch.entry import RowState
from pika_async.gallery.row import Row, Summary

_TEMPLATES = Path(__file__).parent / "templates"
_UNKNOWN = "unknown"
_MOST = 1e15
"""No span or size of a batch is larger; beyond it, and for NaN, the page says that it is unknown."""


@frozen
class Live(Value):
    """The address at which a served page asks for changes, and the revision of the rows it shows."""

    url: str
    revision: int


def render_page(rows: Sequence[Row], title: str, *, live: Live | None = None) -> str:
    """Render the whole page; with *live* it follows the batch, without *live* it makes no request."""
    style, script = _style(), _script()
    return (
        _environment()
        .get_template("page.html")
        .render(
            rows=rows,
            title=title,
            live=live,
            summary=Summary.of(rows),
            policy=content_policy(live=live is not None),
            style=style,
            script=script,
        )
    )


def render_card(row: Row) -> str:
    """Render one row, as the page holds it."""
    return _environment().get_template("card.html").render(row=row)


def render_summary(summary: Summary) -> str:
    """Render the counts and the progress, as the page holds them."""
    return _environment().get_template("summary.html").render(summary=summary)


def content_policy(*, live: bool) -> str:
    """Return the Content-Security-Policy: our own style and script by hash, and no host but our own."""
    # A page from disk has no origin, and browsers differ on what 'self' means there.
    return "; ".join(
        (
            "default-src 'none'",
            "img-src 'self' file: data:",
            "media-src 'self' file:",
            f"style-src {_hash(_style())}",
            f"script-src {_hash(_script())}",
            "connect-src 'self'" if live else "connect-src 'none'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        link=_link, span=_span, short_span=_short_span, clock=_clock, bytes=_bytes, moment=_moment
    )
    environment.globals.update(RowState=RowState)
    return environment


# Our own files, so they are not escaped; the policy's hashes are of exactly these texts.
@cache
def _style() -> Markup:
    return Markup((_TEMPLATES / "gallery.css").read_text("utf-8"))  # noqa: S704


@cache
def _script() -> Markup:
    return Markup((_TEMPLATES / "gallery.js").read_text("utf-8"))  # noqa: S704


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _link(path: str) -> str:
    """Quote a relative path, so that a browser reads no scheme, host or query in it."""
    return quote(path, safe="/", errors="surrogateescape")


def _span(seconds: float) -> str:
    """Return a span of time in words: `8 s`, `3 min 05 s`, `2 h 10 min`."""
    if not 0 <= seconds <= _MOST:
        return _UNKNOWN
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"


def _short_span(seconds: float) -> str:
    """Return a span of time for narrow places: `3 m 05 s`."""
    return _span(seconds).replace("min", "m")


def _clock(seconds: float) -> str:
    """Return the length of a video: `0:05`."""
    if not 0 <= seconds <= _MOST:
        return _UNKNOWN
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02}"


def _bytes(size: float) -> str:
    """Return a size in decimal units, as file managers show it."""
    if not 0 <= size <= _MOST:
        return _UNKNOWN
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _moment(seconds: float) -> str:
    """Return a moment in UTC; the page's script shows it in the reader's own time zone."""
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return _UNKNOWN
