"""The only reader of media links: no key, no cookie, and no address that is not public."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from time import monotonic
from types import TracebackType
from typing import Any, Self

from aiohttp import (
    AddrInfoType,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientSession,
    ClientTimeout,
    DefaultResolver,
    DummyCookieJar,
    InvalidURL,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver
from anyio import Semaphore
from attrs import field, frozen
from yarl import URL

from pika_async._download.addresses import is_public
from pika_async._download.failures import (
    BrokenOffError,
    LinkRefusedError,
    TooSlowError,
    broken_off,
    proxy_wants_password,
    unreached,
)
from pika_async._download.guard import Guard, NotPublicError
from pika_async._download.links import checked
from pika_async._download.pace import Pace
from pika_async._encoding import address, encoded, revealed
from pika_async._http import HttpRequest, HttpResponse
from pika_async._proxies import Proxies, Proxy
from pika_async.errors import ConfigError

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_READ_BUFFER = 256 * 1024
_LONGEST_HEADER = 64 * 1024
_LARGEST_ANSWER = 1024 * 1024
_UPLOADS = 10
_CONTENT_RANGE = re.compile(r"bytes[ =]\s*(?:(\d{1,18})-\d+|\*)/(\d{1,18}|\*)", re.ASCII | re.IGNORECASE)


@frozen(kw_only=True)
class Answer:
    """What a media host said before the first byte of the body.

    *start* and *total* count bytes of the whole file, *encoding* is the host's own label for them, and *by*
    says who answered.
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
    _pace: Pace
    _response: ClientResponse = field(repr=False)

    async def read(self) -> bytes:
        """Return the bytes that have come, undecoded, or `b""` at the end; raise `BrokenOffError` if cut."""
        began = monotonic()
        try:
            chunk = await self._response.content.readany()
        except (ClientError, TimeoutError) as broken:
            raise broken_off(broken) from broken
        if chunk and self._pace.is_too_slow(len(chunk), monotonic() - began):
            raise TooSlowError(f"the host sent fewer than {self._pace.least:g} bytes a second")
        return chunk


class MediaSession:
    """Connections to media hosts, for one client on one event loop.

    *allowed_hosts* are hosts or origins (`media.lan`, `127.0.0.1:8123`) read although their
    addresses are not public. *proxies* are gone through where one is named for a link; what such a proxy
    connects to is judged by name. *idle_timeout* is the longest silence in seconds, *width* the most
    downloads at a time. *max_bytes* bounds one file, and *least_speed* in bytes per second is judged over
    *speed_window* seconds. Needs a running loop; close it.
    """

    def __init__(
        self,
        *,
        allowed_hosts: Collection[str] = (),
        proxies: Proxies | None = None,
        max_bytes: int | None = None,
        least_speed: float | None = None,
        idle_timeout: float = 60.0,
        connect_timeout: float = 10.0,
        speed_window: float = 30.0,
        width: int = 8,
        public: Callable[[str], bool] = is_public,
        resolver: AbstractResolver | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.slots = Semaphore(width)
        self.sleep = sleep
        self.max_bytes = max_bytes
        self._pace = (least_speed or 0.0, speed_window)
        self._guard = Guard(allowed_hosts, public=public)
        self._proxies = proxies or Proxies(trusted=False)
        self._resolver = resolver or DefaultResolver()
        # A host that sends its headers letter by letter is never idle.
        self._longest_ask = connect_timeout + idle_timeout
        self._longest_upload = _UPLOADS * idle_timeout
        timeout = ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=idle_timeout)
        self._guarded = _session(timeout, self._resolver, self._guard.socket)
        self._trusting = _session(timeout, self._resolver, None)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection; downloads still running end and keep their parts."""
        await self._guarded.close()
        await self._trusting.close()
        await self._resolver.close()

    @asynccontextmanager
    async def get(self, link: str, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
        """Ask for *link*, follow redirects, and give the last answer; every hop is checked anew."""
        url = checked(link)
        for _ in range(_MOST_REDIRECTS + 1):
            proxy = self._proxy_to(url)
            response = await self._ask(url, headers, proxy)
            try:
                target = response.headers.get("Location")
                if response.status not in _REDIRECTS or target is None:
                    yield _answer(response, proxy, Pace(*self._pace))
                    return
            finally:
                response.release()
            url = checked(target, relative_to=url)
        raise LinkRefusedError(
            f"it was redirected more than {_MOST_REDIRECTS} times; look the job up for a fresh link"
        )

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send a step of an upload to a host that an answer named: a public one, with no key of ours.

        Redirects are not followed. Raises `LinkRefusedError` and `BrokenOffError`.
        """
        url = checked(str(address(request)))
        response = await self._ask(
            url, revealed(request.headers), self._proxy_to(url), method=request.method, **encoded(request)
        )
        try:
            async with asyncio.timeout(self._longest_ask):
                body = await response.content.read(_LARGEST_ANSWER)
        except (ClientError, TimeoutError) as broken:
            raise broken_off(broken) from None
        finally:
            response.release()
        headers = {name.lower(): value for name, value in response.headers.items()}
        return HttpResponse(status=response.status, headers=headers, body=body)

    def _proxy_to(self, url: URL) -> Proxy | None:
        try:
            return self._proxies.find(str(url.origin()))
        except ConfigError as error:
            raise LinkRefusedError(error.message.rstrip(".")) from None

    async def _ask(
        self, url: URL, headers: Mapping[str, str], proxy: Proxy | None, *, method: str = "GET", **body: Any
    ) -> ClientResponse:
        allowed, session = self._guard.allows(url), self._trusting
        if not allowed:
            self._guard.check_literal(url)
            if proxy is None:
                session = self._guarded
            else:
                await self._guard.check_name(url, self._resolver)
        if session.closed:
            raise LinkRefusedError("the client is closed; download again with an open one")
        match await self._answered(session, url, headers, proxy, method=method, body=body):
            case ClientResponse() as response:
                return response
            case failure:
                # Raised here, because aiohttp's own error may hold the whole link or a proxy's password.
                raise failure

    async def _answered(
        self,
        session: ClientSession,
        url: URL,
        headers: Mapping[str, str],
        proxy: Proxy | None,
        *,
        method: str,
        body: Mapping[str, Any],
    ) -> ClientResponse | LinkRefusedError | BrokenOffError:
        try:
            async with asyncio.timeout(self._longest_ask if not body else self._longest_upload):
                response = await session.request(
                    method,
                    url,
                    headers=headers,
                    allow_redirects=False,
                    proxy=None if proxy is None else proxy.url,
                    **body,
                )
        except InvalidURL:
            return LinkRefusedError("it is not a valid link; ask the provider for the video")
        except (ClientError, TimeoutError) as broken:
            if isinstance(broken, ClientConnectorError) and isinstance(broken.os_error, NotPublicError):
                return self._guard.refusal(url)
            return unreached(broken, url.host or "", None if proxy is None else str(proxy))
        if proxy is not None and response.status == 407:
            response.release()
            return proxy_wants_password(str(proxy))
        return response


def _session(
    timeout: ClientTimeout,
    resolver: AbstractResolver,
    factory: Callable[[AddrInfoType], socket.socket] | None,
) -> ClientSession:
    return ClientSession(
        # No DNS cache: a retry may be sent to a healthier edge.
        connector=TCPConnector(limit=0, use_dns_cache=False, resolver=resolver, socket_factory=factory),
        timeout=timeout,
        cookie_jar=DummyCookieJar(),
        trust_env=False,
        auto_decompress=False,
        read_bufsize=_READ_BUFFER,
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
    )


def _answer(response: ClientResponse, proxy: Proxy | None, pace: Pace) -> Answer:
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
        pace=pace,
        response=response,
    )
