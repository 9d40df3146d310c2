"""The real sender, loaded with the first request: aiohttp takes longer to load than all of ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pika_async._http import HttpRequest, HttpResponse
from pika_async._sender import Fence, Timeouts

if TYPE_CHECKING:
    from pika_async._transport import Transport


class Deferred:
    """A `Sender` that makes its `Transport` when it first sends."""

    def __init__(self, *, trust_env: bool) -> None:
        self.timeouts = Timeouts()
        self._trust_env = trust_env
        self._transport: Transport | None = None

    async def submit(
        self, request: HttpRequest, fence: Fence | None = None, *, fresh_connection: bool = False
    ) -> HttpResponse:
        """Send a billed *request* once; see `Transport.submit`."""
        return await self._opened().submit(request, fence, fresh_connection=fresh_connection)

    async def poll(self, request: HttpRequest) -> HttpResponse:
        """Send a free *request*; see `Transport.poll`."""
        return await self._opened().poll(request)

    async def aclose(self) -> None:
        """Close what was opened."""
        if self._transport is not None:
            await self._transport.aclose()

    def _opened(self) -> Transport:
        if self._transport is None:
            from pika_async._transport import Transport

            self._transport = Transport(trust_env=self._trust_env, timeouts=self.timeouts)
        return self._transport
