"""The receiver: reads a request within limits, and answers once its callback is committed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Protocol

from attrs import frozen

from pika_async._crossing import process_bound
from pika_async.callbacks.handler import CallbackEvent, Handler, Reply
from pika_async.callbacks.options import Callbacks
from pika_async.callbacks.token import ACCOUNT, make_token
from pika_async.errors import ConfigError, LedgerError

if TYPE_CHECKING:
    from aiohttp import web

    from pika_async.callbacks._asgi import AsgiApp

log = logging.getLogger("pika_async")


class Inbox(Protocol):
    """Keeps callbacks until the engine has processed them."""

    async def receive(self, event: CallbackEvent) -> None:
        """Return once *event*, or an earlier one like it, is committed; else raise `LedgerError`."""


@frozen
class _Opened:
    handler: Handler
    inbox: Inbox
    loop: asyncio.AbstractEventLoop


@process_bound("make a client with Pika(callbacks=Callbacks(...)) in the other process and mount its own")
class Receiver:
    """Receives callbacks. Mount it into your application, before or after the client opens.

    Until it is open, and after it is closed, it answers 503, and a provider may then send the callback
    again. `received` counts the genuine callbacks that have arrived, repeats included.
    """

    def __init__(self, options: Callbacks) -> None:
        self.received = 0
        self._options = options
        self._opened: _Opened | None = None

    def open(self, inbox: Inbox, keys: Iterable[bytes]) -> None:
        """Start to receive, in the running event loop; *keys* are those of `Callbacks.keys`."""
        handler = Handler(tuple(keys), self._options.max_body)
        self._opened = _Opened(handler, inbox, asyncio.get_running_loop())

    def close(self) -> None:
        """Stop receiving."""
        self._opened = None

    def account_url(self, provider: str, account: str = "default") -> str:
        """Return the address for all callbacks of an account, to be entered at the provider's console.

        For a provider that takes no address with each job. The address is known while the client is open, and
        stays the same with the same ledger or `Callbacks(secret=...)`.
        """
        if self._opened is None:
            raise ConfigError("The address is known while the client is open; open it first.")
        token = make_token(self._opened.handler.keys[0], f"{ACCOUNT}{provider}:{account}")
        return self._options.address(token).reveal()

    def aiohttp(self) -> web.Application:
        """Make an application for `app.add_subapp("/pika", ...)`."""
        from pika_async.callbacks._aiohttp import application

        return application(self)

    def asgi(self) -> AsgiApp:
        """Make an ASGI 3 application for `app.mount("/pika", ...)` in FastAPI or Starlette."""
        from pika_async.callbacks._asgi import application

        return application(self)

    async def answer(
        self, method: str, path: str, headers: Mapping[str, str], chunks: AsyncGenerator[bytes]
    ) -> Reply:
        """Answer one request; a forged one is answered before its body is read.

        *chunks* raises `ConnectionError` when the body breaks off. Raises `ConfigError` in another event
        loop than the client's.
        """
        opened = self._opened
        if opened is None:
            return Reply(503)
        if asyncio.get_running_loop() is not opened.loop:
            raise ConfigError(
                "The callback receiver serves another event loop than its client's; open the client where "
                "the application runs, for instance in its lifespan."
            )
        if isinstance(refusal := opened.handler.admit(method, path, headers), Reply):
            return refusal
        try:
            async with asyncio.timeout(self._options.body_timeout):
                body = await _read(chunks, self._options.max_body)
        except TimeoutError:
            return Reply(408)
        except ConnectionError:
            return Reply(400)
        reply = opened.handler.handle(method, path, headers, body)
        if reply.event is not None:
            self._count()
            try:
                await opened.inbox.receive(reply.event)
            except LedgerError as error:
                log.warning("attempt %s: a callback could not be kept: %s", reply.event.attempt_id, error)
                return Reply(503)
        return reply

    def _count(self) -> None:
        self.received += 1
        if self.received == 1:
            log.info("the first callback has arrived, so providers reach this receiver")


async def _read(chunks: AsyncGenerator[bytes], limit: int) -> bytes:
    """Read a body; of one that is longer than *limit*, only as much as shows that."""
    body = bytearray()
    async with aclosing(chunks):
        async for chunk in chunks:
            body += chunk
            if len(body) > limit:
                break
    return bytes(body)
