"""Which connection a request leaves on: a pooled one that is clean, or a fresh one.

A stray answer that lies on an idle pooled connection would be taken for the answer of our POST
(http-facts). aiohttp has no public hook for that choice, so one private method of it is overridden here,
guarded by tests/test_connections.py. An aiohttp or a system that does not fit gets a fresh connection
for every request.
"""

from __future__ import annotations

import inspect
import select
from contextvars import ContextVar
from typing import Any

import aiohttp
from attrs import define

_IDLE_SECONDS = 4.0


@define
class Choice:
    """The connection of one request: *fresh* asks for a new one; *reused* is the pooled one it got."""

    fresh: bool = False
    reused: Any = None

    @property
    def spoilt(self) -> bool:
        """Return whether the pooled connection has closed, or got bytes, since it was chosen."""
        return self.reused is not None and is_unclean(self.reused)


_choice: ContextVar[Choice | None] = ContextVar("_choice", default=None)


def choose(choice: Choice) -> None:
    """Let the next request of this task choose its connection by *choice*."""
    _choice.set(choice)


def connector() -> aiohttp.TCPConnector:
    """Make the connection pool; must run inside an event loop."""
    known = getattr(aiohttp.TCPConnector, "_get", None)
    fits = known is not None and list(inspect.signature(known).parameters) == ["self", "key", "traces"]
    if fits and hasattr(select, "poll"):
        return _CleanConnector(limit=0, keepalive_timeout=_IDLE_SECONDS)
    return aiohttp.TCPConnector(limit=0, force_close=True)


class _CleanConnector(aiohttp.TCPConnector):
    """Drops a pooled connection that is not clean."""

    async def _get(self, key: Any, traces: Any) -> Any:
        choice = _choice.get()
        if choice is not None and choice.fresh:
            return None
        while (connection := await super()._get(key, traces)) is not None:
            if not is_unclean(connection):
                break
            connection.close()
        if choice is not None:
            choice.reused = connection
        return connection


def is_unclean(connection: Any) -> bool:
    """Return whether a pooled *connection* is closing or has bytes to read that no request asked for."""
    transport = connection.transport
    if transport is None or transport.is_closing() or connection.protocol.should_close:
        return True
    sock = transport.get_extra_info("socket")
    if sock is None or (number := sock.fileno()) < 0:
        return True
    poller = select.poll()
    poller.register(number, select.POLLIN)
    return bool(poller.poll(0))
