"""A media host on a loopback socket that cuts, lies, stalls and resets as a test tells it to."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus

from attrs import define, evolve, field, frozen

FOREVER = 3600.0


async def at_once(seconds: float) -> None:
    """Stand for a pause that nobody waits for."""
    await asyncio.sleep(0)


def video(size: int = 20_000, *, fill: bytes = b"pika") -> bytes:
    """Make a file of *size* bytes whose boxes are those of an MP4."""
    head = b"\0\0\0\x18ftypisom\0\0\2\0isommp42"
    body = (fill * (size // len(fill) + 1))[: size - len(head) - 8]
    return head + (len(body) + 8).to_bytes(4, "big") + b"mdat" + body


@frozen
class Asked:
    """A request that came, its header names in lower case."""

    path: str
    headers: Mapping[str, str]

    @property
    def start(self) -> int | None:
        text = self.headers.get("range")
        return None if text is None else int(text.removeprefix("bytes=").removesuffix("-"))


@frozen
class Reply:
    """An answer; with *cut* only that many bytes of its body are sent, and the connection ends.

    With *drip* the rest follows byte by byte, so many seconds apart; with *endless* the headers never end.
    """

    status: int = 200
    headers: Mapping[str, str] = field(factory=dict)
    body: bytes = b""
    cut: int | None = None
    stall: bool = False
    drip: float | None = None
    endless: bool = False
    reset: bool = False

    def but(self, **changes: object) -> Reply:
        return evolve(self, **changes)

    def with_headers(self, **headers: str | None) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        kept = {**self.headers, **named}
        return evolve(self, headers={name: value for name, value in kept.items() if value is not None})


Script = Callable[[Asked], Reply]


def file_reply(asked: Asked, body: bytes, *, etag: str | None = '"one"') -> Reply:
    """Answer as RFC 9110 wants it: ranges, If-Range and 416."""
    headers = {"Content-Type": "video/mp4", "Content-Length": str(len(body))}
    if etag is not None:
        headers["ETag"] = etag
    if asked.start is None or asked.headers.get("if-range") != etag:
        return Reply(200, headers, body)
    if asked.start >= len(body):
        return Reply(416, {"Content-Range": f"bytes */{len(body)}", "Content-Length": "0"})
    rest = body[asked.start :]
    headers |= {
        "Content-Range": f"bytes {asked.start}-{len(body) - 1}/{len(body)}",
        "Content-Length": str(len(rest)),
    }
    return Reply(206, headers, rest)


@define
class Host:
    """A running host: where it is, who came, and what they asked for."""

    script: Script
    scheme: str = "http"
    port: int = 0
    connections: int = 0
    asked: list[Asked] = field(factory=list)

    @property
    def origin(self) -> str:
        return f"127.0.0.1:{self.port}"

    def link(self, path: str = "/cat.mp4?sig=s3cret") -> str:
        return f"{self.scheme}://{self.origin}{path}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._answer(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        self.asked.append(asked := Asked(first.split(" ")[1], headers))
        reply = self.script(asked)
        head = [f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
        head += [f"{name}: {value}" for name, value in reply.headers.items()]
        while reply.endless:
            writer.write("\r\n".join(head).encode("latin-1"))
            head = ["", "X: y"]
            await asyncio.sleep(0.01)
        sent = reply.body if reply.cut is None else reply.body[: reply.cut]
        writer.write("\r\n".join([*head, "", ""]).encode("latin-1") + sent)
        await writer.drain()
        if reply.drip is not None:
            for at in range(len(sent), len(reply.body)):
                writer.write(reply.body[at : at + 1])
                await asyncio.sleep(reply.drip)
        if reply.stall:
            await asyncio.sleep(FOREVER)
        if reply.reset:
            writer.transport.abort()
        return reply.cut is None and "Content-Length" in reply.headers


@asynccontextmanager
async def hosting(
    script: Script, address: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> AsyncIterator[Host]:
    """Serve *script* until the block ends."""
    host = Host(script, scheme="http" if tls is None else "https")
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        running.add(asyncio.current_task())
        await host._serve(reader, writer)

    server = await asyncio.start_server(serve, address, 0, ssl=tls)
    host.port = server.sockets[0].getsockname()[1]
    try:
        yield host
    finally:
        server.close()
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
