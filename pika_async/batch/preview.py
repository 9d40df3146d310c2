"""What a batch would send, row by row, with nothing secret in it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from attrs import asdict

from pika_async import _registry
from pika_async._alternatives import unsupported
from pika_async._engine.files import with_blobs
from pika_async._prices import Price, price_of, read_prices
from pika_async._secret import Secret
from pika_async.batch.describe import shortened
from pika_async.batch.folder import BatchFolder
from pika_async.batch.plan import make_plan
from pika_async.batch.rows import Listed
from pika_async.errors import UnsupportedRequest
from pika_async.provider import Blob, Call, Form, HttpRequest, Json, Multipart
from pika_async.requests import VideoRequest

if TYPE_CHECKING:
    from pika_async._registry import Loaded
    from pika_async.provider import Estimate, Estimates

_LONGEST: Final = 300
_SHORTEST_SECRET: Final = 4


def adapters(
    names: Sequence[str], *, key: str | Secret | None = None, base_url: str | None = None
) -> list[Loaded]:
    """Load the adapters called *names*, with *key* or those of the environment; raises `ConfigError`."""
    key = Secret(key) if isinstance(key, str) else key  # tracebacks show local variables
    return [_registry.make(name, api_key=key, base_url=base_url) for name in names]


def check(request: VideoRequest, able: Sequence[Loaded]) -> None:
    """Raise `UnsupportedRequest` for what none of the adapters can express; reads no file."""
    refusals: dict[str, str] = {}
    for adapter in able:
        try:
            adapter.check(request)
        except UnsupportedRequest as error:
            refusals[adapter.name] = error.message
        else:
            return
    raise unsupported(refusals, request)


def user_prices() -> Sequence[Price]:
    """Return the user's own prices, from the file that `PIKA_ASYNC_PRICES` names; raises `ConfigError`."""
    return read_prices(None, os.environ)


async def unbought(
    listed: Sequence[Listed],
    folder: Path,
    ledger: Path | None = None,
    *,
    sandbox: bool = False,
    adopt: bool = False,
) -> list[Listed]:
    """Return the rows that a batch in *folder* would order; changes nothing. Raises `PikaError`."""
    place = BatchFolder(folder)
    file = place.ledger if ledger is None else ledger
    if file.exists():
        from pika_async._ledger.sqlite import SqliteLedger

        opened: Any = SqliteLedger(file)
    else:
        from pika_async._ledger.memory import MemoryLedger

        opened = MemoryLedger()
    await opened.open()
    try:
        plan = await make_plan(listed, place, opened, sandbox=sandbox, adopt=adopt)
    finally:
        await opened.aclose()
    return [row.listed for row in plan.rows if row.token is None and not row.settled]


async def preview(row: Listed, able: Sequence[Loaded], prices: Sequence[Price] = ()) -> dict[str, Any]:
    """Return, as JSON, the HTTP request that would buy *row*, and its price. Reads files and sends nothing.

    Keys, callback tokens and the values of `extra_body` show as `***`, media by their size.
    """
    first = next(one for one in able if one.can(row.request))
    callback = Secret("https://callback.invalid/token") if first.capabilities.takes_address else None
    request = first.provider.build_submit(
        first.capabilities.stand_in(await with_blobs(row.request)),
        Call(callback_url=callback, attempt_id="", now=0.0),
    )
    extra = row.request.extra_body or {}
    place = {"row": row.number, "line": row.line, "provider": first.name}
    estimate = price_of(prices, first.name, row.request) or _known_price(first, row.request)
    return {**place, "price": None if estimate is None else asdict(estimate), **_shown(request, extra)}


def _known_price(able: Loaded, request: VideoRequest) -> Estimate | None:
    """Return the price that the adapter knows by itself; nobody is asked."""
    if "estimates" not in able.powers:
        return None
    return cast("Estimates", able.provider).read_estimate(None, request)


def _shown(request: HttpRequest, extra: Mapping[str, Any]) -> dict[str, Any]:
    secrets = frozenset(text for text in _texts(extra) if len(text) >= _SHORTEST_SECRET)
    return {
        "method": request.method,
        "url": request.url,
        "headers": _redacted(request.headers, secrets),
        "query": _redacted(request.query, secrets),
        "body": _without(_redacted(request.body, secrets), extra),
    }


def _without(body: Any, extra: Mapping[str, Any]) -> Any:
    """Hide what *extra* has put into *body*."""
    if not isinstance(body, dict):
        return body
    return {
        name: value
        if name not in extra
        else _without(value, extra[name])
        if isinstance(extra[name], Mapping) and isinstance(value, dict)
        else "***"
        for name, value in body.items()
    }


def _texts(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
        case Mapping():
            for inner in value.values():
                yield from _texts(inner)
        case list() | tuple():
            for inner in value:
                yield from _texts(inner)


def _redacted(value: object, secrets: frozenset[str]) -> Any:
    match value:
        case Secret():
            return "***"
        case Blob():
            return f"<{value.name}, {len(value.data)} bytes>"
        case Json(value=inner) | Form(fields=inner):
            return _redacted(inner, secrets)
        case Multipart(fields=fields, files=files):
            return {"fields": _redacted(fields, secrets), "files": _redacted(files, secrets)}
        case Mapping():
            return {name: _redacted(inner, secrets) for name, inner in value.items()}
        case list() | tuple():
            return [_redacted(inner, secrets) for inner in value]
        case str() if value in secrets:
            return "***"
        case str() if len(value) > _LONGEST and not any(char.isspace() for char in value):
            # Media in text: words have spaces between them.
            return shortened(value)
        case _:
            return value
