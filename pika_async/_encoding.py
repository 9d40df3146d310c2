"""Requests as bytes: here, and nowhere else, secrets are revealed."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import aiohttp
from yarl import URL

from pika_async._http import Form, HttpRequest, Json, Multipart, Text
from pika_async._secret import Secret
from pika_async.requests import Blob

_ONE_PIECE = 1024 * 1024  # aiohttp warns about more, because one write of it would hold up the loop


def revealed(texts: Mapping[str, Text]) -> dict[str, str]:
    """Return headers or fields as plain text."""
    return {name: reveal(text) for name, text in texts.items()}


def reveal(text: Text) -> str:
    """Return the text of a value that may be secret."""
    return text.reveal() if isinstance(text, Secret) else text


def address(request: HttpRequest) -> URL:
    """Return the whole address of *request*."""
    url = URL(request.url, encoded=False)
    return url.update_query(revealed(request.query)) if request.query else url


def encode_json(value: object) -> bytes:
    """Encode a JSON body, revealing the secrets in it."""
    return _ENCODER.encode(value).encode()


def _plain(value: object) -> object:
    match value:
        case Secret():
            return value.reveal()
        case tuple():
            return list(value)
        case _ if hasattr(value, "items"):
            return dict(value.items())
        case _:
            raise TypeError(f"{type(value).__name__} does not fit into JSON")


_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain)


def encoded_body(body: Json | Form | Blob | None) -> tuple[bytes, str | None]:
    """Return the bytes of a body and its content type, the same ones each time; None for no body."""
    match body:
        case None:
            return b"", None
        case Json(value=value):
            return encode_json(value), "application/json"
        case Form(fields=fields):
            return urlencode(revealed(fields)).encode(), "application/x-www-form-urlencoded"
        case Blob(data=data, content_type=kind):
            return data, kind


def encoded(request: HttpRequest) -> dict[str, Any]:
    """Return the body of *request* as aiohttp's arguments."""
    match request.body:
        case Multipart(fields=fields, files=files):
            form = aiohttp.FormData(revealed(fields))
            for name, blob in files:
                file = io.BytesIO(blob.data)
                form.add_field(name, file, filename=blob.name, content_type=blob.content_type)
            return {"data": form}
        case body:
            data, kind = encoded_body(body)
            return {} if kind is None else {"data": _payload(data, kind)}


def _payload(body: bytes, content_type: str) -> aiohttp.Payload:
    if len(body) <= _ONE_PIECE:
        return aiohttp.BytesPayload(body, content_type=content_type)
    return aiohttp.BytesIOPayload(io.BytesIO(body), content_type=content_type)
