"""Sends callbacks over real sockets, to this machine and to the hosts that were allowed."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Callable, Collection
from io import BytesIO
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from pika_async.sandbox._callbacks import Callback, encode
from pika_async.sandbox._guard import is_loopback

_log = logging.getLogger("pika_async.sandbox")

_PIECES: Final = 10
_MOST_REFUSALS: Final = 100
_TIMEOUT: Final = aiohttp.ClientTimeout(total=30)


class CallbackSender:
    """POSTs callbacks when they are due, each once and with no retries: the documents promise none.

    It sends to this machine and to the *allowed* hosts only: whoever orders a video chooses the address,
    and must not reach other machines through ours.
    """

    def __init__(self, clock: Callable[[], float], allowed: Collection[str] = ()) -> None:
        self._clock = clock
        self._allowed = allowed
        self._refused: set[str] = set()
        self._session: aiohttp.ClientSession | None = None
        self._deliveries: set[asyncio.Task[None]] = set()

    def send(self, callback: Callback) -> asyncio.Task[None] | None:
        """Start the delivery that waits until *callback* is due; None where it may not or cannot be sent."""
        if not callback.times or not callback.url.isascii():
            return None
        try:
            # Read as aiohttp will read it, so that both see the same host.
            url = URL(callback.url)
            host = url.raw_host or ""
        except ValueError:
            return None
        if url.scheme not in {"http", "https"} or host.endswith(".invalid"):
            return None
        # aiohttp resolves no such host, and the system may read 167772161 as 10.0.0.1.
        numeric = ":" in host or host.replace(".", "").isdigit()
        if numeric and not (host in self._allowed or is_loopback(host)):
            self._refuse(host)
            return None
        delivery = asyncio.create_task(self._deliver(callback))
        self._deliveries.add(delivery)
        delivery.add_done_callback(self._deliveries.discard)
        return delivery

    async def aclose(self) -> None:
        """Drop callbacks that were not sent yet, and close the connections."""
        for delivery in self._deliveries:
            delivery.cancel()
        await asyncio.gather(*self._deliveries, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _deliver(self, callback: Callback) -> None:
        await sleep_until(callback.at, self._clock)
        if self._session is None:
            resolver = _NearResolver(self._allowed, self._refuse)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=resolver),
                timeout=_TIMEOUT,
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        content_type, body = encode(callback)
        for _ in range(callback.times):
            # A slow body has no length in advance, so it goes in chunks.
            data = _dribble(body, callback.pause) if callback.pause else BytesIO(body)
            headers = {"content-type": content_type, **callback.headers}
            try:
                async with self._session.post(
                    callback.url, data=data, headers=headers, allow_redirects=False
                ) as answer:
                    await answer.read()
            except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
                # The address bears a token, so it is not named.
                _log.debug("A callback was not delivered: %s", type(error).__name__)

    def _refuse(self, host: str) -> None:
        if host not in self._refused and len(self._refused) < _MOST_REFUSALS:
            self._refused.add(host)
            _log.warning(
                "No callback is sent to %.100r: the sandbox calls back to this machine only. Name the host "
                "when you start it (allowed_hosts, or --allow-host).",
                host,
            )


class _NearResolver(AbstractResolver):
    """Resolves names, and leaves out addresses of other machines unless the name is *allowed*.

    Asked at each new connection, so a name cannot change its meaning after a check.
    """

    def __init__(self, allowed: Collection[str], refuse: Callable[[str], None]) -> None:
        self._allowed, self._refuse = allowed, refuse
        self._resolver = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._resolver.resolve(host, port, family)
        near = found if host.lower() in self._allowed else [at for at in found if is_loopback(at["host"])]
        if not near:
            self._refuse(host)
            raise OSError("The host is another machine.")
        return near

    async def close(self) -> None:
        await self._resolver.close()


async def sleep_until(when: float, clock: Callable[[], float]) -> None:
    """Wait until *clock* returns *when* or later."""
    while (left := when - clock()) > 0:  # noqa: ASYNC110  there is no event but the time itself
        await asyncio.sleep(left)


async def _dribble(body: bytes, pause: float) -> AsyncIterator[bytes]:
    size = -(-len(body) // _PIECES)
    for start in range(0, len(body), size):
        yield body[start : start + size]
        await asyncio.sleep(pause)
