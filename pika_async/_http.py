"""HTTP as plain values, checked when they are made. No I/O here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Literal, TypeAlias
from urllib.parse import parse_qsl, urlsplit

from attrs import Attribute, field, frozen

from pika_async import _links
from pika_async._crossing import Value
from pika_async._secret import Secret
from pika_async.errors import BadReply, ConfigError
from pika_async.requests import Blob

Text: TypeAlias = str | Secret


@frozen
class Json(Value):
    """A JSON body. A `Secret` anywhere inside is revealed by the transport only."""

    value: Mapping[str, Any]


@frozen
class Form(Value):
    """An urlencoded body."""

    fields: Mapping[str, Text]


@frozen
class Multipart(Value):
    """A multipart/form-data body: text fields, then named files."""

    fields: Mapping[str, Text]
    files: tuple[tuple[str, Blob], ...] = ()


Body: TypeAlias = Json | Form | Multipart | Blob
"""A `Blob` is sent as it is: its bytes are the whole body, and its media type is their `Content-Type`."""


def _url(_: object, __: Attribute[Any], value: str) -> None:
    # Nothing of it is quoted: there may be a password in it, or a key in its query.
    match _fault(value):
        case None:
            return
        case _links.CREDENTIALS:
            raise ConfigError(
                "An address must not hold a user name or password, which every log and error would show; "
                "take it out of base_url and give the key as api_key."
            )
        case fault:
            raise ConfigError(
                f"That is not an http(s) address; correct base_url and try again. It must not hold {fault}."
            )


@lru_cache(1024)
def _fault(url: str) -> str | None:
    return _links.fault(url) if isinstance(url, str) else "anything but text"


_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_TEXT = re.compile(r"[\t -~]*")


def _headers(_: object, __: Attribute[Any], value: Mapping[str, Text]) -> None:
    # aiohttp refuses a line break only after it has reported the headers as sent (http-facts.md).
    for name, text in value.items():
        if not _HEADER_NAME.fullmatch(name) or not _is_header_text(text):
            raise ConfigError(
                f"The value for the HTTP header {name!r} holds characters HTTP does not allow; "
                "check the API key for line breaks or spaces at its ends."
            )


# Apart from its caller, whose traceback would otherwise show the revealed text.
def _is_header_text(text: Text) -> bool:
    return _HEADER_TEXT.fullmatch(text.reveal() if isinstance(text, Secret) else text) is not None


@frozen(kw_only=True)
class HttpRequest(Value):
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
        """Return scheme, host and port, the unit to which credentials belong."""
        return origin(self.url)

    @property
    def bears_secrets(self) -> bool:
        """Return whether any part holds a `Secret`."""
        return any(True for _ in secrets_in((self.headers, self.query, self.body)))


def secrets_in(value: Any) -> Iterator[Secret]:
    """Return every `Secret` inside the parts of a request."""
    match value:
        case Secret():
            yield value
        case Mapping():
            for inner in value.values():
                yield from secrets_in(inner)
        case list() | tuple():
            for inner in value:
                yield from secrets_in(inner)
        case Json(value=inner) | Form(fields=inner) | Multipart(fields=inner):
            yield from secrets_in(inner)


@lru_cache(1024)
def origin(url: str) -> str:
    """Return scheme, host and port of *url*, with the port always said.

    >>> origin("https://API.acedata.cloud/pika/videos")
    'https://api.acedata.cloud:443'
    """
    parts = urlsplit(url)
    port = parts.port or {"http": 80, "https": 443}.get(parts.scheme)
    return f"{parts.scheme}://{(parts.hostname or '').lower()}:{port}"


def signed(address: str) -> tuple[str, dict[str, Text]]:
    """Split an address that opens something by its query into address and secret query.

    They are the *url* and *query* of a request, which then shows no part of the signature.

    >>> signed("https://bucket.test/a.png?sig=c2ln&part=1")
    ('https://bucket.test/a.png', {'sig': Secret('***'), 'part': Secret('***')})
    """
    url, _, query = address.partition("?")
    return url, {name: Secret(value) for name, value in parse_qsl(query, keep_blank_values=True)}


@frozen(kw_only=True)
class HttpResponse(Value):
    """One answer, whole; header names are in lower case."""

    status: int
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = field(default=b"", repr=lambda body: f"<{len(body)} bytes>")

    def json(self) -> Any:
        """Decode the body; raises `BadReply` when it is not JSON, with a clipped copy of it."""
        try:
            return decode_json(self.body)
        except ValueError:
            raise BadReply(
                f"HTTP {self.status} came with a body that is not JSON: {clip(self.body)}; "
                "if it stays so, ask the provider and check base_url.",
                status=self.status,
            ) from None


_DEEPEST = 64
_MOST_VALUES = 500_000
"""A list of empty lists takes twenty times its size in memory; no answer has as many values as this."""


def decode_json(body: bytes) -> Any:
    """Decode foreign JSON; raises `ValueError`, also for what would take much more memory than its size.

    What is nested deeper than 64 levels reads as None, so that whatever walks over the value may recurse.
    """
    opened = body.count(b"[") + body.count(b"{")
    if opened + body.count(b",") > _MOST_VALUES:
        raise ValueError("too many values")
    try:
        value = json.loads(body)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if opened > _DEEPEST:
        _cut(value)
    return value


def _cut(value: Any) -> None:
    """Replace the lists and objects below the deepest level, level by level."""
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(_DEEPEST - 1):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) is dict or type(inner) is list
        ]
        if not level:
            return
    for outer in level:
        for name, inner in list(outer.items() if type(outer) is dict else enumerate(outer)):
            if isinstance(inner, dict | list):
                outer[name] = None


def clip(body: bytes, length: int = 120) -> str:
    r"""Return the visible start of a body for an error message.

    >>> clip(b"<html>\n  <h1>502 Bad Gateway</h1>")
    '<html> <h1>502 Bad Gateway</h1>'
    """
    text = " ".join(body[: 4 * length].decode("utf-8", "replace").split())
    text = text if text.isprintable() else "".join(c for c in text if c.isprintable())
    return (text[:length] + "…" if len(text) > length else text) or "(empty)"
