"""A POST as the ledger keeps it for other processes: its exact bytes, and no secret. Pure.

Secrets are taken out of the headers and put in again from the adapter of whoever sends it. Where a secret is
part of the address or of the body, nothing is kept: what such a POST leaves behind is a doubt.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from attrs import field, frozen

from pika_async._http import HttpRequest, Multipart, Text, secrets_in
from pika_async._secret import Secret
from pika_async.requests import Blob

_SHORTEST: Final = 4
"""What is shorter than any key is part of every text."""


class OtherKeyError(Exception):
    """The credential that a kept POST was sent with is not known here."""


@frozen
class Kept:
    """A POST without its secrets; *names* are those of the adapter's secrets that it bears."""

    data: bytes = field(repr=False)
    names: frozenset[str]


def kept(request: HttpRequest, own: Mapping[str, Secret]) -> Kept | None:
    """Return *request* as it is kept; *own* are the adapter's secrets by name.

    None if a secret would be kept with it, or if its bytes are not the same twice.
    """
    from pika_async._encoding import encoded_body  # it brings aiohttp, which is there once something is sent

    if isinstance(request.body, Multipart) or any(True for _ in secrets_in((request.query, request.body))):
        return None
    names = {name for name, secret in own.items() if secret}
    headers: list[list[str]] = []
    for header, text in request.headers.items():
        parts = _parts(text, {name: own[name] for name in names})
        if parts is None:
            return None
        headers.append([header, *parts])
    body, content_type = encoded_body(request.body)
    head = {
        "url": request.url,
        "query": dict(request.query),
        "headers": headers,
        "type": content_type,
        "held": request.held,
    }
    data = json.dumps(head).encode() + b"\n" + body
    if any(form in data for name in names for form in _forms(own[name])):
        return None
    return Kept(data, frozenset(header[2] for header in headers if len(header) > 2))


def again(data: bytes, own: Mapping[str, Secret]) -> tuple[HttpRequest, frozenset[str]]:
    """Return what was kept with the secrets of *own* put in, and their names.

    Raises `OtherKeyError` if one is missing, and `ValueError` for what another version kept.
    """
    line, _, body = data.partition(b"\n")
    try:
        head: dict[str, Any] = json.loads(line)
        names = frozenset(header[2] for header in head["headers"] if len(header) > 2)
        if not all(own.get(name) for name in names):
            raise OtherKeyError
        request = HttpRequest(
            method="POST",
            url=head["url"],
            headers={header[0]: _whole(header[1:], own) for header in head["headers"]},
            query=head["query"],
            body=None if head["type"] is None else Blob(body, head["type"], "body"),
            held=head["held"],
        )
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError("not a POST of this version") from error
    return request, names


def key_of(own: Mapping[str, Secret], names: Iterable[str], secret: bytes) -> str:
    """Return the fingerprint of the secrets called *names*, keyed with the ledger's *secret*.

    >>> one, other = {"api_key": Secret("k1")}, {"api_key": Secret("k2")}
    >>> key_of(one, ["api_key"], b"s") == key_of(other, ["api_key"], b"s")
    False
    """
    told = json.dumps([[name, own[name].reveal()] for name in sorted(names)])
    return hmac.new(secret, b"replay " + told.encode(), hashlib.sha256).hexdigest()[:32]


def _parts(text: Text, own: Mapping[str, Secret]) -> list[str] | None:
    """Return a header as it is, or what stands before a secret, its name, and what stands after it."""
    if not isinstance(text, Secret):
        return [text]
    # The longest first: one secret may be part of another.
    for name, secret in sorted(own.items(), key=lambda item: -len(item[1].reveal())):
        before, found, after = text.reveal().partition(secret.reveal())
        if found:
            return [before, name, after]
    return None


def _whole(parts: list[str], own: Mapping[str, Secret]) -> Text:
    if len(parts) == 1:
        return parts[0]
    before, name, after = parts
    return Secret(before + own[name].reveal() + after)


def _forms(secret: Secret) -> set[bytes]:
    text = secret.reveal()
    if len(text) < _SHORTEST:
        return set()
    return {text.encode(), quote(text, safe="").encode(), json.dumps(text)[1:-1].encode()}
