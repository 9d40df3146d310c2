"""The fake server, in a process of its own: little but a parser, so that clients are what is measured."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
import subprocess
import sys
import time
from types import TracebackType
from typing import Any, Self
from urllib.request import Request, urlopen

from benchmarks._machine import cores, stay_on
from benchmarks._wires import Wires, done_at

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_LAST = re.compile(rb"\r\nconnection: *close", re.IGNORECASE)
_OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
_MEDIA = (
    b'HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nAccept-Ranges: bytes\r\nETag: "v1"\r\n'
    b"Content-Length: %d\r\n\r\n"
)


class _Speaker(asyncio.Protocol):
    def __init__(self, host: _Host) -> None:
        self._host = host
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            found = _LENGTH.search(head)
            whole = end + 4 + (int(found[1]) if found else 0)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            method, path, _ = head.split(b" ", 2)
            self._host.respond(self._transport, method, path.decode(), body)
            if _LAST.search(head):
                self._transport.close()


class _Host:
    def __init__(self) -> None:
        self.wires = Wires()
        self.wires.on_callback = self._call_back
        self._media = b""
        self._calls: set[asyncio.Task[None]] = set()
        self._posted: dict[str, float] = {}
        self._session: Any = None

    def respond(self, transport: asyncio.Transport, method: bytes, path: str, body: bytes) -> None:
        if path.startswith("/media/"):
            self.wires.requests["media"] += 1
            transport.write(_MEDIA % len(self._media))
            transport.write(self._media)
            return
        try:
            answer = self._control(body) if path == "/control" else self.wires.answer(method, path, body)
        except (KeyError, ValueError):
            transport.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}")
            return
        transport.write(_OK % len(answer) + answer)

    def _control(self, body: bytes) -> bytes:
        """Return what was asked so far, then start anew if the body says so."""
        told = {**self.wires.requests, "posted": self._posted}
        order = json.loads(body)
        if order:
            self._posted = {}
            self.wires.reset(*order["renders"])
            if len(self._media) != order["media"]:
                self._media = _video(order["media"])
        return json.dumps(told).encode()

    def _call_back(self, url: str, task: bytes) -> None:
        call = asyncio.get_running_loop().create_task(self._post(url, task))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _post(self, url: str, task: bytes) -> None:
        import aiohttp

        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=100))
        await asyncio.sleep(done_at(task.decode()) - time.monotonic())
        self._posted[task.decode()] = time.monotonic()
        headers = {"content-type": "application/json"}
        async with self._session.post(url, data=self.wires.result(task), headers=headers) as answer:
            await answer.read()

    async def serve(self, certificate: str | None) -> None:
        """Listen until standard input ends; over TLS where there is a *certificate* with its key."""
        loop = asyncio.get_running_loop()
        tls = None
        if certificate is not None:
            tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            tls.load_cert_chain(certificate)
        server = await loop.create_server(lambda: _Speaker(self), "127.0.0.1", 0, backlog=4096, ssl=tls)
        scheme = "http" if tls is None else "https"
        self.wires.base = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        print(self.wires.base, flush=True)
        await loop.run_in_executor(None, sys.stdin.read)
        if self._session is not None:
            await self._session.close()


def _video(size: int) -> bytes:
    """Make *size* bytes that look like a whole MP4: a type, an empty index, and one box of data."""
    if not size:
        return b""
    head = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + b"\0\0\0\x08moov"
    return (head + (size - len(head)).to_bytes(4, "big") + b"mdat").ljust(size, b"\x5a")


class Server:
    """The server's process, seen from outside; ends with its `with`, or with whoever started it.

    *certificate* is a file with one and its key, for TLS; whoever asks must trust it by `SSL_CERT_FILE`.
    """

    def __init__(self, certificate: str | None = None) -> None:
        self._certificate = [] if certificate is None else [certificate]

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._server", *self._certificate],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.url = self._process.stdout.readline().strip()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        end(self._process)

    def reset(self, *, renders: tuple[float, float] = (0.0, 0.0), media: int = 0) -> None:
        """Start counting anew; *renders* are the shortest and longest seconds, *media* bytes of a video."""
        self._ask({"renders": renders, "media": media})

    def counts(self) -> dict[str, Any]:
        """Return how often what was asked for, and when callbacks were posted."""
        return self._ask({})

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        with urlopen(Request(f"{self.url}/control", data=json.dumps(order).encode()), timeout=30) as answer:
            told: dict[str, Any] = json.load(answer)
            return told


def end(process: subprocess.Popen[str]) -> None:
    """End a process of ours: it leaves when its input closes, and is killed if it does not."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    stay_on(cores()[1])
    asyncio.run(_Host().serve(sys.argv[1] if len(sys.argv) > 1 else None))
