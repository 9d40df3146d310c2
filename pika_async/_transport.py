"""The only sender of API requests: reveals secrets, encodes bodies, and knows whether a request left.

Every rule here stands in http-facts: the trace flag decides "was it sent", redirects are off, a request
is never put on a pooled connection that is closing or already holds bytes. No error that leaves here carries
a frame of aiohttp, because their locals hold the revealed key.
"""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
from types import SimpleNamespace
from typing import Any

import aiohttp
from attrs import define

from pika_async._connections import Choice, choose, connector
from pika_async._encoding import address, encoded, revealed
from pika_async._http import HttpRequest, HttpResponse, Multipart
from pika_async._proxies import Proxies
from pika_async._sender import Fence, SendError, Timeouts
from pika_async.errors import ConfigError
from pika_async.requests import Blob

log = logging.getLogger("pika_async")

_LARGEST_ANSWER = 64 * 1024 * 1024
_LAST = {"Connection": "close"}


class _NotCleanError(Exception):
    """Bytes arrived on a pooled connection while the fence ran."""


@define
class _Departure(Choice):
    """Whether a request may leave, and whether it has."""

    fence: Fence | None = None
    sent: bool = False
    held_back: Exception | None = None

    async def allowed(self) -> bool:
        """Run the fence; from the moment this returns True the request counts as sent."""
        try:
            if self.fence is not None:
                await self.fence()
        except Exception as error:  # noqa: BLE001 - whatever the fence raises is handed to the caller
            self.held_back = error
            return False
        if self.spoilt:
            self.held_back = _NotCleanError()
            return False
        self.sent = True
        return True


class _HeldBackError(Exception):
    """Ends a request inside aiohttp; `_Departure.held_back` says why."""


class Transport:
    """Sends requests over one connection pool; made inside a running event loop."""

    def __init__(self, *, trust_env: bool = True, timeouts: Timeouts | None = None) -> None:
        self.timeouts = timeouts or Timeouts()
        self._proxies = Proxies(trust_env)
        self._connector = connector()
        self._submits = self._session(trace_configs=[_sent_flag()])
        self._polls = self._session()
        self._limits = {
            total: aiohttp.ClientTimeout(total=total, sock_connect=self.timeouts.connect)
            for total in (self.timeouts.submit, self.timeouts.poll, self.timeouts.held)
        }

    def _session(self, **options: Any) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=self._connector,
            connector_owner=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "pika-async"},
            **options,
        )

    @property
    def closed(self) -> bool:
        """Return whether every connection is given back."""
        return self._connector.closed

    async def aclose(self) -> None:
        """Close every connection."""
        await self._submits.close()
        await self._polls.close()
        await self._connector.close()

    async def submit(
        self, request: HttpRequest, fence: Fence | None = None, *, fresh_connection: bool = False
    ) -> HttpResponse:
        """Send a billed *request* once; *fence* runs after connecting, before the first byte.

        *fresh_connection* makes a connection that carried nothing before and carries nothing after, where
        nothing but the connection ties an answer to its request; it costs a handshake.
        Raises `SendError`, and whatever the fence raises, in which case nothing was sent.
        """
        total = self.timeouts.held if request.held else self.timeouts.submit
        while True:
            try:
                return await self._send(
                    self._submits, request, total, _Departure(fresh=fresh_connection, fence=fence)
                )
            except _NotCleanError:
                continue  # nothing was sent, and that connection is gone from the pool

    async def poll(self, request: HttpRequest) -> HttpResponse:
        """Send a free *request*; raises `SendError`. Uploads of bytes may take as long as a held answer."""
        long = request.held or isinstance(request.body, Blob | Multipart)
        total = self.timeouts.held if long else self.timeouts.poll
        return await self._send(self._polls, request, total, _Departure(sent=True))

    async def _send(
        self, session: aiohttp.ClientSession, request: HttpRequest, total: float, departure: _Departure
    ) -> HttpResponse:
        failure: BaseException
        try:
            return await self._exchanged(session, request, total, departure)
        except asyncio.CancelledError as cancelled:
            failure = asyncio.CancelledError(*cancelled.args)
        except Exception as error:  # noqa: BLE001 - whatever it is, the flag alone tells whether money may have gone
            failure = departure.held_back or SendError(_told(error, departure.sent), sent=departure.sent)
        try:
            raise failure
        finally:
            del failure

    async def _exchanged(
        self, session: aiohttp.ClientSession, request: HttpRequest, total: float, departure: _Departure
    ) -> HttpResponse:
        choose(departure)
        async with session.request(
            request.method,
            address(request),
            headers=revealed(request.headers) | (_LAST if departure.fresh else {}),
            timeout=self._limits[total],
            allow_redirects=False,
            proxy=self._proxies.proxy_for(request.url),
            trace_request_ctx=departure,
            **encoded(request),
        ) as response:
            log.debug("%s %s: HTTP %d", request.method, request.url, response.status)
            return HttpResponse(
                status=response.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=await _whole(response),
            )


def _sent_flag() -> aiohttp.TraceConfig:
    async def about_to_write(_: object, context: SimpleNamespace, __: object) -> None:
        if not await context.trace_request_ctx.allowed():
            raise _HeldBackError

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(about_to_write)
    return trace


def _told(error: Exception, sent: bool) -> str:
    """Describe a failure without addresses or headers, which may hold secrets."""
    match error:
        case SendError():
            return str(error)
        case ConfigError():
            return error.message.rstrip(".")
        case aiohttp.ClientConnectorDNSError():
            return "the name of the host was not found"
        case aiohttp.ClientConnectorCertificateError():
            return "the host's certificate is not valid"
        case aiohttp.ClientProxyConnectionError(os_error=cause):
            return f"no connection to the proxy ({_reason(cause)})"
        case aiohttp.ClientHttpProxyError():
            return f"the proxy refused to connect (HTTP {error.status})"
        case aiohttp.ClientConnectorError(os_error=cause):
            return f"no connection to the host ({_reason(cause)})"
        case aiohttp.ConnectionTimeoutError():
            return "no connection to the host in time"
        case TimeoutError():
            return "no answer in time" if sent else "no connection to the host in time"
        case aiohttp.ServerDisconnectedError():
            return "the host closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "the answer was cut off or damaged"
        case aiohttp.ClientResponseError():
            return "the answer is not HTTP"
        case OSError():
            return f"the connection broke ({_reason(error)})"
        case _ if sent or isinstance(error, aiohttp.ClientError):
            return f"the connection broke ({type(error).__name__})"
        case _:
            return f"the request cannot be put into HTTP ({type(error).__name__})"


def _reason(error: OSError) -> str:
    """Return the system's words for *error*; asyncio's own add the address."""
    if error.errno is None or isinstance(error, ssl.SSLError):
        return type(error).__name__
    return os.strerror(error.errno)


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    """Read the body; raises for one that is larger than any real answer, counted as it is decoded."""
    declared = response.content_length
    if declared is not None and declared > _LARGEST_ANSWER:
        raise aiohttp.ClientPayloadError
    if declared is not None and "Content-Encoding" not in response.headers:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise aiohttp.ClientPayloadError
    return bytes(body)
