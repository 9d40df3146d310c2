"""The way to the provider, which can be closed before a POST or behind it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, suppress
from typing import Self
from urllib.parse import urlsplit

from attrs import Factory, define

from tests.kill_points import Point

_AT_THE_DOOR = {
    Point.UNREAD: Point.UNREAD,
    Point.UNANSWERED: Point.UNANSWERED,
    Point.CALLBACK_ANSWERED: Point.UNANSWERED,
}
_POSTS = (b"POST /pika/videos ", b"POST /api/video/pika/pro/generate ")


@define(eq=False)
class Doorway:
    """Relays between clients and the provider, and holds the *nth* POST, or its answer, at *point*."""

    target: str
    point: Point | None = None
    nth: int = 1
    url: str = ""
    _reached: asyncio.Event = Factory(asyncio.Event)
    _opened: asyncio.Event = Factory(asyncio.Event)
    _answered: asyncio.Event = Factory(asyncio.Event)
    _dropped: bool = False
    _tasks: set[asyncio.Task[None]] = Factory(set)
    _listener: socket.socket = Factory(lambda: socket.create_server(("127.0.0.1", 0), backlog=512))

    async def __aenter__(self) -> Self:
        self._listener.settimeout(0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._spawn(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listener.close()

    def close_at(self, point: Point, nth: int = 1) -> None:
        """Hold the *nth* POST from now on at *point*, if that is a point of the way."""
        self.point, self.nth, self._dropped = _AT_THE_DOOR.get(point), nth, False
        for event in (self._reached, self._opened, self._answered):
            event.clear()

    async def reached(self) -> None:
        """Wait until something is held."""
        await self._reached.wait()

    async def open(self) -> None:
        """Let it pass, and wait until the provider has answered it."""
        self._opened.set()
        await self._answered.wait()

    def drop(self) -> None:
        """Let it never arrive."""
        self._dropped = True
        self._opened.set()

    def _spawn(self, coroutine) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listener)
            self._spawn(self._relay(client))

    async def _relay(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with ExitStack() as stack, suppress(OSError):
            provider = socket.socket()
            for end in (client, provider):
                stack.enter_context(end)
                end.settimeout(0)
            await loop.sock_connect(provider, (urlsplit(self.target).hostname, urlsplit(self.target).port))
            line = _Line(client, provider)
            back = loop.create_task(self._answers(line))
            try:
                await self._requests(line)
                # A client that died has closed its side; what it sent before is on its way all the same.
                line.gone = True
                if line.posted:
                    await back
            finally:
                back.cancel()
                await asyncio.gather(back, return_exceptions=True)

    async def _requests(self, line: _Line) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await _readable(line.client)
            if line.client.recv(64, socket.MSG_PEEK).startswith(_POSTS):
                line.held = await self._hold(Point.UNREAD)
                if line.held and self._dropped:
                    return
                line.posted = True
            if not (data := await loop.sock_recv(line.client, 65536)):
                return
            await loop.sock_sendall(line.provider, data)

    async def _answers(self, line: _Line) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(line.provider, 65536):
            if line.posted:
                line.held |= await self._hold(Point.UNANSWERED)
                line.posted = False
                if line.held:
                    self._answered.set()
                if line.gone:
                    return
            await loop.sock_sendall(line.client, data)

    async def _hold(self, point: Point) -> bool:
        if self.point is not point:
            return False
        self.nth -= 1
        if self.nth != 0:
            return False
        self._reached.set()
        await self._opened.wait()
        return True


@define(eq=False)
class _Line:
    """Two connections, one to each side; whether a POST is unanswered, was held, or its client is gone."""

    client: socket.socket
    provider: socket.socket
    posted: bool = False
    held: bool = False
    gone: bool = False


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()
    loop.add_reader(sock, lambda: arrived.done() or arrived.set_result(None))
    try:
        await arrived
    finally:
        loop.remove_reader(sock)
