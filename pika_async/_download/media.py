"""The only reader of media links: no key, no cookie, no proxy, and no address that is not public."""

from __future__ import annotations

import re
import socket
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Self

from aiohttp import (
    AddrInfoType,
    ClientConnectorError,
    ClientError,
    ClientResponse,
    ClientResponseError,
    ClientSession,
    ClientTimeout,
    DummyCookieJar,
    InvalidURL,
    TCPConnector,
)
from aiohttp.abc import AbstractResolver
from anyio import Semaphore
from attrs import field, frozen
from yarl import URL

from pika_async._download.addresses import is_public

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_MOST_REDIRECTS = 5
_READ_BUFFER = 256 * 1024
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+|\*)", re.ASCII)


class LinkRefusedError(Exception):
    """We will not read this link; the text says why and what to do."""


class BrokenOffError(Exception):
    """The host could not be reached, fell silent or broke off; *retry_after* is its wish in seconds."""

    def __init__(self, why: str, *, retry_after: float | None = None) -> None:
        super().__init__(why)
        self.retry_after = retry_after


@frozen(kw_only=True)
class Answer:
    """What a media host said before the first byte of the body.

    *start* and *total* count bytes of the whole file. *validator* suits `If-Range`: a strong ETag.
    """

    status: int
    start: int
    total: int | None
    etag: str | None
    modified: str | None
    content_type: str
    encoding: str
    retry_after: float | None
    _response: ClientResponse = field(repr=False)

    async def read(self) -> bytes:
        """Return the bytes that have come, undecoded, or `b""` at the end; raise `BrokenOffError` if cut."""
        try:
            return await self._response.content.readany()
        except (ClientError, TimeoutError) as broken:
            raise _interruption(broken) from broken


class MediaSession:
    """Connections to media hosts, for one client on one event loop.

    *allowed_hosts* are hosts or origins (`media.lan`, `127.0.0.1:8123`) read although their
    addresses are not public. *idle_timeout* is the longest silence in seconds, *width* the most
    downloads at a time. Needs a running loop; close it.
    """

    def __init__(
        self,
        *,
        allowed_hosts: Collection[str] = (),
        idle_timeout: float = 60.0,
        connect_timeout: float = 10.0,
        width: int = 8,
        public: Callable[[str], bool] = is_public,
        resolver: AbstractResolver | None = None,
    ) -> None:
        self.slots = Semaphore(width)
        self._public = public
        self._allowed = frozenset(_origin(host) for host in allowed_hosts)
        timeout = ClientTimeout(total=None, sock_connect=connect_timeout, sock_read=idle_timeout)
        self._guarded = _session(timeout, resolver, self._socket)
        self._trusting = _session(timeout, resolver, None)

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

    @asynccontextmanager
    async def get(self, link: str, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
        """Ask for *link*, follow redirects, and give the last answer; every hop is checked anew."""
        url = _checked(link)
        for _ in range(_MOST_REDIRECTS + 1):
            response = await self._ask(url, headers)
            try:
                target = response.headers.get("Location")
                if response.status not in _REDIRECTS or target is None:
                    yield _answer(response)
                    return
            finally:
                response.release()
            url = _checked(target, relative_to=url)
        raise LinkRefusedError(
            f"it was redirected more than {_MOST_REDIRECTS} times; look the job up for a fresh link"
        )

    async def _ask(self, url: URL, headers: Mapping[str, str]) -> ClientResponse:
        host = (url.host or "").lower()
        trusted = not self._allowed.isdisjoint({(host, None), (host, url.port)})
        session = self._trusting if trusted else self._guarded
        if session.closed:
            raise LinkRefusedError("the client is closed; download again with an open one")
        try:
            return await session.get(url, headers=headers, allow_redirects=False)
        except InvalidURL:
            raise LinkRefusedError("it is not a valid link; ask the provider for the video") from None
        except ClientConnectorError as broken:
            if isinstance(broken.os_error, _NotPublicError):
                raise LinkRefusedError(
                    f"{host} is not a public address; if that host is your own, allow it"
                ) from None
            raise _interruption(broken) from broken
        except ClientResponseError as broken:
            # Its text holds the whole link, signature included.
            raise _interruption(broken) from None
        except (ClientError, TimeoutError) as broken:
            raise _interruption(broken) from broken

    def _socket(self, info: AddrInfoType) -> socket.socket:
        family, kind, protocol, _, address = info
        if not self._public(str(address[0])):
            raise _NotPublicError("address is not public")
        return socket.socket(family, kind, protocol)


def place_of(link: str) -> str:
    """Name *link* for people and notes: host and path, never the query, which may be a signature.

    >>> place_of("https://cdn.example/cat.mp4?sig=abc")
    'cdn.example/cat.mp4'
    """
    try:
        url = URL(link, encoded=True)
        return url.raw_authority.rpartition("@")[2] + url.raw_path
    except ValueError:
        return "the link"


class _NotPublicError(OSError):
    pass


def _session(
    timeout: ClientTimeout,
    resolver: AbstractResolver | None,
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
    )


def _origin(host: str) -> tuple[str, int | None]:
    url = URL(host if "://" in host else f"//{host}")
    if not url.host:
        raise ValueError(f"{host!r} is neither a host nor an origin: write 'media.lan' or '127.0.0.1:8123'")
    return url.host.lower(), url.port


def _checked(link: str, *, relative_to: URL | None = None) -> URL:
    try:
        # yarl's own quoting would change the letters that a signature was made over.
        url = URL(link, encoded=re.fullmatch(r"[!-~]+", link) is not None)
        url = url if relative_to is None else relative_to.join(url)
        plain = url.scheme in {"http", "https"} and bool(url.host) and url.port is not None
        userinfo = "@" in url.raw_authority
    except ValueError:
        raise LinkRefusedError("it is not a valid link; ask the provider for the video") from None
    if not plain:
        raise LinkRefusedError("it is not an http or https link; ask the provider for the video")
    if userinfo:
        raise LinkRefusedError("it carries a user name or password; take that out")
    return url


def _answer(response: ClientResponse) -> Answer:
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
        encoding=headers.get("Content-Encoding", "identity").strip().lower(),
        retry_after=float(after) if after.isascii() and after.isdecimal() else None,
        response=response,
    )


def _interruption(broken: Exception) -> BrokenOffError:
    match broken:
        case TimeoutError():
            return BrokenOffError("the host fell silent")
        case ClientConnectorError():
            return BrokenOffError("the host could not be reached")
        case _:
            return BrokenOffError("the connection broke off")
