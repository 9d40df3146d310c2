"""The only reader of media links: no cookie, no address that is not public, no key behind the first hop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
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
from yarl import URL

from pika_async._download.addresses import is_public
from pika_async._download.answer import Answer, Tape, answer_of
from pika_async._download.failures import (
    BrokenOffError,
    LinkRefusedError,
    broken_off,
    proxy_wants_password,
    unreached,
)
from pika_async._download.guard import Guard, NotPublicError
from pika_async._download.links import Link, address_of, checked, headers_of_first_hop, with_query
from pika_async._download.pace import Pace
from pika_async._encoding import address, encoded, revealed
from pika_async._http import HttpRequest, HttpResponse, Text
from pika_async._proxies import Proxies, Proxy
from pika_async.errors import ConfigError

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_READ_BUFFER = 256 * 1024
_LONGEST_HEADER = 64 * 1024
_LARGEST_ANSWER = 1024 * 1024
_UPLOADS = 10
_NO_QUERY: Mapping[str, Text] = {}


class MediaSession:
    """Connections to media hosts, for one client on one event loop.

    *allowed_hosts* are hosts or origins (`media.lan`, `127.0.0.1:8123`) read although their
    addresses are not public. *proxies* are gone through where one is named for a link; what such a proxy
    connects to is judged by name. *idle_timeout* is the longest silence in seconds, *width* the most
    downloads at a time. *max_bytes* bounds one file, and *least_speed* in bytes per second is judged over
    *speed_window* seconds. A *tape* records what is answered, or answers itself. Needs a running loop; close
    it.
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
        tape: Tape | None = None,
    ) -> None:
        self.slots = Semaphore(width)
        self.sleep = sleep
        self.max_bytes = max_bytes
        self._tape = tape
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

    def get(self, link: Link, headers: Mapping[str, str]) -> AbstractAsyncContextManager[Answer]:
        """Ask for *link*, follow redirects, and yield the last answer; every hop is checked again.

        What a request as *link* bears beside its address is sent with the first hop alone.
        """
        answer = self._got(link, headers)
        return answer if self._tape is None else self._tape.got(address_of(link), answer)

    @asynccontextmanager
    async def _got(self, link: Link, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
        url, query = checked(address_of(link)), _NO_QUERY
        sent: Mapping[str, Text] = headers
        if isinstance(link, HttpRequest):
            query, sent = link.query, headers_of_first_hop(link, headers)
        for _ in range(_MOST_REDIRECTS + 1):
            proxy = self._proxy_to(url)
            response = await self._ask(url, sent, proxy, query=query)
            try:
                target = response.headers.get("Location")
                if response.status not in _REDIRECTS or target is None:
                    yield answer_of(response, proxy, Pace(*self._pace))
                    return
            finally:
                response.release()
            url, query, sent = checked(target, relative_to=url), _NO_QUERY, headers
        raise LinkRefusedError(
            f"it was redirected more than {_MOST_REDIRECTS} times; look the job up for a fresh link"
        )

    async def send(self, request: HttpRequest) -> HttpResponse:
        """Send a step of an upload to a host that an answer named: a public one, with no key of ours.

        Redirects are not followed. Raises `LinkRefusedError` and `BrokenOffError`.
        """
        answer = partial(self._sent, request)
        return await (answer() if self._tape is None else self._tape.sent(request, answer))

    async def _sent(self, request: HttpRequest) -> HttpResponse:
        url = checked(str(address(request)))
        response = await self._ask(
            url, request.headers, self._proxy_to(url), method=request.method, **encoded(request)
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
        self,
        url: URL,
        headers: Mapping[str, Text],
        proxy: Proxy | None,
        *,
        method: str = "GET",
        query: Mapping[str, Text] = _NO_QUERY,
        **body: Any,
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
        match await self._answered(session, url, headers, proxy, method=method, query=query, body=body):
            case ClientResponse() as response:
                return response
            case failure:
                # Raised here, because aiohttp's own error may hold the whole link or a proxy's password.
                raise failure

    async def _answered(
        self,
        session: ClientSession,
        url: URL,
        headers: Mapping[str, Text],
        proxy: Proxy | None,
        *,
        method: str,
        query: Mapping[str, Text],
        body: Mapping[str, Any],
    ) -> ClientResponse | LinkRefusedError | BrokenOffError:
        try:
            async with asyncio.timeout(self._longest_ask if not body else self._longest_upload):
                response = await session.request(
                    method,
                    with_query(url, query),
                    headers=revealed(headers),
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
