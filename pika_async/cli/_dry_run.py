"""What a batch would send, row by row, with nothing secret in it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pika_async._engine.files import with_blobs
from pika_async._registry import Loaded
from pika_async.cli._rows import Listed
from pika_async.provider import Blob, Call, Form, HttpRequest, Json, Multipart, Secret

_LONGEST: Final = 300


async def lines(listed: Sequence[Listed], able: Sequence[Loaded]) -> list[str]:
    """Give, as a line of JSON for each row, the request that would buy it. Reads files, sends nothing."""
    return [json.dumps(await _line(row, able), ensure_ascii=False) for row in listed]


async def _line(row: Listed, able: Sequence[Loaded]) -> dict[str, Any]:
    first = next(one for one in able if one.can(row.request))
    callback = None if first.capabilities.callbacks == "no" else Secret("https://callback.invalid/token")
    request = first.provider.build_submit(
        await with_blobs(row.request), Call(callback_url=callback, attempt_id="", now=0.0)
    )
    place = {"row": row.number, "line": row.line, "provider": first.name}
    return {**place, **_shown(request)}


def _shown(request: HttpRequest) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": request.url,
        "headers": _redacted(request.headers),
        "query": _redacted(request.query),
        "body": _redacted(request.body),
    }


def _redacted(value: object) -> Any:
    match value:
        case Secret():
            return "***"
        case Blob():
            return f"<{value.name}, {len(value.data)} bytes>"
        case Json(value=inner) | Form(fields=inner):
            return _redacted(inner)
        case Multipart(fields=fields, files=files):
            return {"fields": _redacted(fields), "files": _redacted(files)}
        case Mapping():
            return {name: _redacted(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_redacted(inner) for inner in value]
        case str() if len(value) > _LONGEST and not any(char.isspace() for char in value):
            # Media in text: words have spaces between them.
            return f"{value[:40]}... ({len(value)} characters)"
        case _:
            return value
