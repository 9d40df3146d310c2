"""The only sender of API requests: reveals secrets, encodes bodies, and knows whether a request left.

Every rule here stands in http-facts: the trace flag decides "was it sent", redirects are off, a request
is never put on a pooled connection that is closing or already holds bytes.
"""

from __future__ import annotations

import inspect
import json
import select
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any, Protocol
from urllib.parse import urlencode, urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from attrs import field, frozen
from yarl import URL

from pika_async._http import Form, HttpRequest, HttpResponse, Json, Multipart, Text
from pika_async._secret import Secret

_LARGEST_ANSWER = 64 * 1024 * 1024

Fence = Callable[[], Awaitable[None]]


@frozen(kw_only=True)
class Timeouts:
    """Seconds each kind of call may take; *connect* is part of the others."""

    connect: float = 10.0
    submit: float = 60.0
    poll: float = 30.0
    held: float = 330.0


class SendError(Exception):
    """No usable answer. *sent* False is proof that nothing of the request left."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Sender(Protocol):
    """What the engine sends with; `Transport` is the real one, `pika_async.testing` has a scripted one."""

    @property
    def timeouts(self) -> Timeouts: ...
    async def submit(self, request: HttpRequest, fence: Fence | None = None) -> HttpResponse: ...
    async def poll(self, request: HttpRequest) -> HttpResponse: ...
    async def aclose(self) -> None: ...


@frozen
class _Proxies:
    """The proxies of the environment, looked up once per origin.

    aiohttp's own `trust_env` costs two thread hops a request and takes passwords from `.netrc`, which
    would collide with our Authorization header.
    """

    trusted: bool
    _known: dict[str, dict[str, Any]] = field(factory=dict, init=False)

    def options(self, url: str) -> dict[str, Any]:
        """Give aiohttp's proxy options for *url*."""
        if not self.trusted:
            return {}
        parts = urlsplit(url)
        return self._known.setdefault(
            f"{parts.scheme}://{parts.netloc}", self._looked_up(parts.scheme, parts.hostname or "")
        )

    @staticmethod
    def _looked_up(scheme: str, host: str) -> dict[str, Any]:
        proxies = getproxies()
        address = proxies.get(scheme) or proxies.get("all")
        if not address or proxy_bypass(host):
            return {}
        proxy = URL(address)
        if proxy.user is None:
            return {"proxy": proxy}
        credentials = aiohttp.encode_basic_auth(proxy.user, proxy.password or "")
        return {"proxy": proxy.with_user(None), "proxy_headers": {"Proxy-Authorization": credentials}}


def _is_unclean(connection: Any) -> bool:
    """Tell whether a pooled *connection* is closing or has bytes to read that no request asked for."""
    transport = connection.transport
    if transport is None or transport.is_closing() or connection.protocol.should_close:
        return True
    sock = transport.get_extra_info("socket")
    if sock is None or sock.fileno() < 0:
        return True
    poller = select.poll()
    poller.register(sock.fileno(), select.POLLIN)
    return bool(poller.poll(0))


class _CleanConnector(aiohttp.TCPConnector):
    """Drops a pooled connection that is not clean; overrides a private method, guarded by a test."""

    async def _get(self, key: Any, traces: Any) -> Any:
        while (connection := await super()._get(key, traces)) is not None:
            if not _is_unclean(connection):
                return connection
            connection.close()
        return None


def _connector() -> aiohttp.TCPConnector:
    known = getattr(aiohttp.TCPConnector, "_get", None)
    fits = known is not None and list(inspect.signature(known).parameters) == ["self", "key", "traces"]
    if fits and hasattr(select, "poll"):
        return _CleanConnector(limit=0, keepalive_timeout=4.0)
    return aiohttp.TCPConnector(limit=0, force_close=True)


class Transport:
    """Sends requests over one connection pool; made inside a running event loop."""

    def __init__(self, *, trust_env: bool = True, timeouts: Timeouts | None = None) -> None:
        self.timeouts = timeouts or Timeouts()
        self._proxies = _Proxies(trust_env)
        self._connector = _connector()
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
            skip_auto_headers=("User-Agent",),
            headers={"User-Agent": "pika-async"},
            **options,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._submits.close()
        await self._polls.close()
        await self._connector.close()

    async def submit(self, request: HttpRequest, fence: Fence | None = None) -> HttpResponse:
        """Send a billed *request* once; *fence* runs after connecting, before the first byte.

        Raises `SendError`, and whatever the fence raises, in which case nothing was sent.
        """
        total = self.timeouts.held if request.held else self.timeouts.submit
        flag = SimpleNamespace(sent=False, fence=fence)
        return await self._send(self._submits, request, total, flag)

    async def poll(self, request: HttpRequest) -> HttpResponse:
        """Send a free *request*; raises `SendError`."""
        return await self._send(self._polls, request, self.timeouts.poll, SimpleNamespace(sent=True))

    async def _send(
        self, session: aiohttp.ClientSession, request: HttpRequest, total: float, flag: SimpleNamespace
    ) -> HttpResponse:
        try:
            # No local variable ever holds a revealed secret: tracebacks with locals are shown to people.
            async with session.request(
                request.method,
                _address(request),
                headers=_revealed(request.headers),
                timeout=self._limits[total],
                allow_redirects=False,
                trace_request_ctx=flag,
                **_encoded(request),
                **self._proxies.options(request.url),
            ) as response:
                return HttpResponse(
                    status=response.status,
                    headers={name.lower(): value for name, value in response.headers.items()},
                    body=await _whole(response),
                )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise SendError(_told(error), sent=flag.sent) from None


def _sent_flag() -> aiohttp.TraceConfig:
    async def about_to_write(_: object, context: SimpleNamespace, __: object) -> None:
        flag = context.trace_request_ctx
        if flag.fence is not None:
            await flag.fence()
        flag.sent = True

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(about_to_write)
    return trace


def _told(error: BaseException) -> str:
    """Describe a failure without addresses or headers, which may hold secrets."""
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "the name of the host was not found"
        case aiohttp.ClientConnectorCertificateError():
            return "the host's certificate is not valid"
        case aiohttp.ClientConnectorError(os_error=cause):
            return f"no connection to the host ({cause.strerror or type(cause).__name__})"
        case aiohttp.ConnectionTimeoutError():
            return "no connection to the host in time"
        case TimeoutError():
            return "no answer in time"
        case aiohttp.ServerDisconnectedError():
            return "the host closed the connection without an answer"
        case aiohttp.ClientPayloadError():
            return "the answer was cut off or damaged"
        case aiohttp.ClientResponseError():
            return "the answer is not HTTP"
        case OSError():
            return f"the connection broke ({error.strerror or type(error).__name__})"
        case _:
            return f"the connection broke ({type(error).__name__})"


async def _whole(response: aiohttp.ClientResponse) -> bytes:
    if (response.content_length or 0) <= _LARGEST_ANSWER and response.content_length is not None:
        return await response.read()
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > _LARGEST_ANSWER:
            raise aiohttp.ClientPayloadError
    return bytes(body)


def _revealed(texts: Any) -> dict[str, str]:
    return {name: reveal(text) for name, text in texts.items()}


def reveal(text: Text) -> str:
    """Give the text of a value that may be secret."""
    return text.reveal() if isinstance(text, Secret) else text


def _address(request: HttpRequest) -> URL:
    url = URL(request.url, encoded=False)
    return url.update_query(_revealed(request.query)) if request.query else url


def encode_json(value: object) -> bytes:
    """Encode a JSON body, revealing the secrets in it."""
    return json.dumps(
        value, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=_plain
    ).encode()


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


def _encoded(request: HttpRequest) -> dict[str, Any]:
    match request.body:
        case None:
            return {}
        case Json(value=value):
            return {"data": aiohttp.BytesPayload(encode_json(value), content_type="application/json")}
        case Form(fields=fields):
            return {
                "data": aiohttp.BytesPayload(
                    urlencode(_revealed(fields)).encode(), content_type="application/x-www-form-urlencoded"
                )
            }
        case Multipart(fields=fields, files=files):
            form = aiohttp.FormData(_revealed(fields))
            for name, blob in files:
                form.add_field(name, blob.data, filename=blob.name, content_type=blob.content_type)
            return {"data": form}
