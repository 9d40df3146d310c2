"""HTTP as plain values, and the one tolerant reader of foreign JSON. No I/O here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar, get_args
from urllib.parse import urlsplit

from attrs import Attribute, field, frozen

from pika_async._secret import Secret
from pika_async.errors import BadReply, ConfigError
from pika_async.requests import Blob
from pika_async.results import JSON

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")

Text: TypeAlias = str | Secret


@frozen
class Json:
    """A JSON body. A `Secret` anywhere inside is revealed by the transport only."""

    value: Mapping[str, Any]


@frozen
class Form:
    """An urlencoded body."""

    fields: Mapping[str, Text]


@frozen
class Multipart:
    """A multipart/form-data body: text fields, then named files."""

    fields: Mapping[str, Text]
    files: tuple[tuple[str, Blob], ...] = ()


Body: TypeAlias = Json | Form | Multipart


def _url(_: object, attribute: Attribute[Any], value: str) -> None:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or re.search(r"[\s\x00-\x1f]", value):
        raise ConfigError(f"{value[:80]!r} is not an http(s) address; correct base_url and try again.")


_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


def _headers(_: object, attribute: Attribute[Any], value: Mapping[str, Text]) -> None:
    # aiohttp refuses a line break only after it has reported the headers as sent (http-facts.md).
    for name, text in value.items():
        revealed = text.reveal() if isinstance(text, Secret) else text
        if not _HEADER_NAME.fullmatch(name) or not all(" " <= c <= "~" or c == "\t" for c in revealed):
            raise ConfigError(
                f"The value for the HTTP header {name!r} holds characters HTTP does not allow; "
                "check the API key for line breaks or spaces at its ends."
            )


@frozen(kw_only=True)
class HttpRequest:
    """One request, checked on construction.

    *held* asks for the long timeout of an answer that waits for the render.

    >>> HttpRequest(method="GET", url="https://api.test/feed", headers={"Authorization": Secret("k")})
    HttpRequest(method='GET', url='https://api.test/feed', headers={'Authorization': Secret('***')}, \
query={}, body=None, held=False)
    """

    method: Literal["GET", "POST", "PUT", "DELETE"]
    url: str = field(validator=_url)
    headers: Mapping[str, Text] = field(factory=dict, validator=_headers)
    query: Mapping[str, Text] = field(factory=dict)
    body: Body | None = None
    held: bool = False

    @property
    def origin(self) -> str:
        """Give scheme, host and port, the unit to which credentials belong."""
        return origin(self.url)

    @property
    def bears_secrets(self) -> bool:
        """Tell whether any part holds a `Secret`."""
        return any(True for _ in _secrets((self.headers, self.query, self.body)))


def _secrets(value: object) -> Any:
    match value:
        case Secret():
            yield value
        case Mapping():
            for inner in value.values():
                yield from _secrets(inner)
        case list() | tuple():
            for inner in value:
                yield from _secrets(inner)
        case Json(value=inner) | Form(fields=inner) | Multipart(fields=inner):
            yield from _secrets(inner)


@lru_cache(1024)
def origin(url: str) -> str:
    """Give scheme, host and port of *url*, with the port always said.

    >>> origin("https://API.acedata.cloud/pika/videos")
    'https://api.acedata.cloud:443'
    """
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


@frozen(kw_only=True)
class HttpResponse:
    """One answer, whole; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = field(default=b"", repr=lambda body: f"<{len(body)} bytes>")

    def json(self) -> Any:
        """Decode the body; raises `BadReply` when it is not JSON, with a clipped copy of it."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise BadReply(
                f"HTTP {self.status} came with a body that is not JSON: {clip(self.body)}; "
                "if it stays so, ask the provider and check base_url.",
                status=self.status,
            ) from None


def clip(body: bytes, length: int = 120) -> str:
    """Give the visible start of a body for an error message.

    >>> clip(b"<html>\\n  <h1>502 Bad Gateway</h1>")
    '<html> <h1>502 Bad Gateway</h1>'
    """
    text = " ".join(body[: 4 * length].decode("utf-8", "replace").split())
    text = "".join(c for c in text if c.isprintable())
    return (text[:length] + "…" if len(text) > length else text) or "(empty)"


def read_json(response: HttpResponse, shape: type[T]) -> T:
    """Read the body of *response* as *shape*; raises `BadReply` when it cannot be."""
    return structure(response.json(), shape, status=response.status)


def structure(value: object, shape: type[T], *, status: int | None = None) -> T:
    """Read decoded JSON as the attrs class *shape*, by the rules of the tolerant converter.

    Text and truth are strict; numbers are also read from digit strings, and nonsense where a number
    is optional becomes None; unknown fields are ignored; raises `BadReply` for anything else.
    """
    try:
        return tolerant_converter().structure(value, shape)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadReply(
            f"The answer does not have the documented shape ({error}); nothing was concluded from it.",
            status=status,
        ) from None


@cache
def tolerant_converter() -> Converter:
    """Build the converter; cattrs is loaded on first use because imports must stay light."""
    from cattrs import Converter

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _strict(str))
    converter.register_structure_hook(bool, _strict(bool))
    converter.register_structure_hook(int, lambda value, _: _whole(value))
    converter.register_structure_hook(float, lambda value, _: _real(value))
    converter.register_structure_hook_func(lambda shape: shape == JSON or shape is Any, _as_it_is)
    converter.register_structure_hook_func(lambda shape: shape == float | None, _or_none(_real))
    converter.register_structure_hook_func(lambda shape: shape == int | None, _or_none(_whole))
    converter.register_structure_hook_factory(
        lambda shape: get_args(shape)[1:] == (...,),
        lambda shape: _one_or_many(converter, get_args(shape)[0]),
    )
    return converter


def _strict(kind: type) -> Callable[[object, object], object]:
    def read(value: object, _: object) -> object:
        if not isinstance(value, kind):
            raise ValueError(f"expected {kind.__name__}, found {type(value).__name__}")
        return value

    return read


def _as_it_is(value: object, _: object) -> object:
    return value


def _real(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(f"expected a number, found {type(value).__name__}")
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("expected a finite number")
    return number


def _whole(value: object) -> int:
    number = _real(value)
    if number != int(number):
        raise ValueError("expected a whole number")
    return int(number)


def _or_none(read: Callable[[object], float]) -> Callable[[object, object], float | None]:
    def read_or_none(value: object, _: object) -> float | None:
        try:
            return read(value)
        except (ValueError, OverflowError):
            return None

    return read_or_none


def _one_or_many(converter: Converter, shape: Any) -> Callable[[object, object], tuple[Any, ...]]:
    """Read a list, a single object or null as a tuple; declared by a field of type `tuple[X, ...]`."""

    def read(value: object, _: object) -> tuple[Any, ...]:
        items = value if isinstance(value, list) else [] if value is None else [value]
        return tuple(converter.structure(item, shape) for item in items)

    return read
