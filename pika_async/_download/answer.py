"""What a media host answers, and the seam at which answers are recorded and replayed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from time import monotonic
from typing import Protocol

from aiohttp import ClientError, ClientResponse
from attrs import field, frozen

from pika_async._download.failures import TooSlowError, broken_off
from pika_async._download.pace import Pace
from pika_async._http import HttpRequest, HttpResponse
from pika_async._proxies import Proxy

_CONTENT_RANGE = re.compile(r"bytes[ =]\s*(?:(\d{1,18})-\d+|\*)/(\d{1,18}|\*)", re.ASCII | re.IGNORECASE)


@frozen(kw_only=True)
class Answer:
    """What a media host said before the first byte of the body.

    *start* and *total* count bytes of the whole file, *encoding* is the host's own label for them, and *by*
    says who answered. *read* returns the bytes that have come, undecoded, or `b""` at the end, and raises
    `BrokenOffError` if the answer is cut.
    """

    status: int
    start: int
    total: int | None
    etag: str | None
    modified: str | None
    content_type: str
    encoding: str
    retry_after: float | None
    by: str
    read: Callable[[], Awaitable[bytes]] = field(repr=False)


class Tape(Protocol):
    """Records the answers of media hosts as they pass, or answers in their place."""

    def got(
        self, link: str, answer: AbstractAsyncContextManager[Answer]
    ) -> AbstractAsyncContextManager[Answer]: ...
    async def sent(
        self, request: HttpRequest, answer: Callable[[], Awaitable[HttpResponse]]
    ) -> HttpResponse: ...


def answer_of(response: ClientResponse, proxy: Proxy | None, pace: Pace) -> Answer:
    """Read the head of *response*; its bytes are read at *pace* at least."""

    async def read() -> bytes:
        began = monotonic()
        try:
            chunk = await response.content.readany()
        except (ClientError, TimeoutError) as broken:
            raise broken_off(broken) from broken
        if chunk and pace.is_too_slow(len(chunk), monotonic() - began):
            raise TooSlowError(f"the host sent fewer than {pace.least:g} bytes a second")
        return chunk

    headers = response.headers
    place = _CONTENT_RANGE.fullmatch(headers.get("Content-Range", "").strip())
    if response.status in {206, 416}:
        start = int(place[1]) if place and place[1] else -1
        total = int(place[2]) if place and place[2] != "*" else None
    else:
        start, total = 0, response.content_length
    after = headers.get("Retry-After", "")
    etag = headers.get("ETag")
    return Answer(
        status=response.status,
        start=start,
        total=total,
        etag=etag if etag and not etag.startswith("W/") else None,
        modified=headers.get("Last-Modified"),
        content_type=response.content_type if "Content-Type" in headers else "",
        encoding=", ".join(headers.getall("Content-Encoding", ())).lower(),
        retry_after=float(after) if after.isascii() and after.isdecimal() else None,
        by="the host" if proxy is None else f"the host, or the proxy {proxy},",
        read=read,
    )
