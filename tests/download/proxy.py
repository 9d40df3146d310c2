"""A proxy on a loopback socket: it takes every name to loopback, and answers with a status where told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from attrs import define, field


@define
class Proxy:
    """A running proxy and the first lines of what was asked of it."""

    refusing: int | None = None
    port: int = 0
    asked: list[str] = field(factory=list)
    passwords: list[str | None] = field(factory=list)

    @property
    def url(self) -> str:
        return f"http://ann:s3cret@127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        method, target, _ = first.split(" ")
        self.asked.append(f"{method} {target}")
        self.passwords.append(headers.get("proxy-authorization"))
        if self.refusing is not None:
            writer.write(f"HTTP/1.1 {self.refusing} No\r\nContent-Length: 0\r\n\r\n".encode())
            return
        place = urlsplit(f"//{target}" if method == "CONNECT" else target)
        inner, outer = await asyncio.open_connection("127.0.0.1", place.port)
        if method == "CONNECT":
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            path = f"{place.path}?{place.query}" if place.query else place.path
            outer.write(head.replace(target.encode(), path.encode(), 1))
        try:
            await asyncio.gather(_carry(inner, writer), _carry(reader, outer))
        finally:
            outer.close()


async def _carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    while data := await source.read(65_536):
        sink.write(data)
        await sink.drain()
    with suppress(OSError):
        sink.write_eof()


@asynccontextmanager
async def proxying(refusing: int | None = None) -> AsyncIterator[Proxy]:
    """Be a proxy until the block ends."""
    proxy = Proxy(refusing)
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.current_task())
        try:
            await proxy._serve(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
