"""A request that aiohttp has received in our values, and an answer of ours in aiohttp's."""

from __future__ import annotations

import json
from typing import Final, Literal, TypeAlias
from urllib.parse import parse_qsl

from aiohttp import web

from pika_async._http import Body, Form, HttpRequest, HttpResponse, Json
from pika_async.requests import Blob

Method: TypeAlias = Literal["GET", "POST", "PUT", "DELETE"]
METHODS: Final[dict[str, Method]] = {"GET": "GET", "POST": "POST", "PUT": "PUT", "DELETE": "DELETE"}
"""What requests of providers are made with."""


async def translate(request: web.BaseRequest, method: Method, url: str, query: str) -> HttpRequest:
    """Read the whole of *request*; raises `ConfigError` for what HTTP does not allow, or aiohttp's errors."""
    body = await request.content.read() if request.body_exists else b""
    return HttpRequest(
        method=method,
        url=url,
        headers=headers_of(request),
        query=dict(parse_qsl(query, keep_blank_values=True)),
        body=_body(request, body),
    )


def headers_of(request: web.BaseRequest) -> dict[str, str]:
    """Return the headers by their names in small letters."""
    return {name.lower(): value for name, value in request.headers.items()}


def plain(status: int, sentence: str) -> HttpResponse:
    """Make an answer of one sentence for people."""
    return HttpResponse(
        status=status, headers={"content-type": "text/plain; charset=utf-8"}, body=sentence.encode()
    )


def answered(answer: HttpResponse) -> web.Response:
    """Return *answer* as aiohttp sends it."""
    return web.Response(status=answer.status, headers=answer.headers, body=answer.body)


def _body(request: web.BaseRequest, body: bytes) -> Body | None:
    content_type = request.content_type
    if content_type == "application/x-www-form-urlencoded":
        return Form(dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)))
    if not body:
        return None
    try:
        value = json.loads(body) if content_type.endswith("json") else None
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict):
        return Json(value)
    # What is uploaded is bytes; a POST of anything but media, JSON and forms is no request of a provider.
    uploaded = request.method == "PUT" or content_type.startswith(("image/", "video/", "audio/"))
    return Blob(body, content_type) if uploaded else None
