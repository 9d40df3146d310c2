"""A raw server on loopback that fails as a test tells it to, and counts the POSTs that reached it whole."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import json
import os
import socket
import ssl
import struct
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

from attrs import define, evolve, field, frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from pika_async._http import HttpRequest, Json
from pika_async._secret import Secret
from pika_async._transport import Timeouts, Transport

CANARY = "canary-4e1f"


@frozen
class Asked:
    """A request that arrived whole."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@define(eq=False, repr=False)
class Wire:
    """One connection, seen from the server's end."""

    server: Server
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def ask(self) -> Asked:
        """Read one request to its last byte, and count it."""
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        method, target, _ = first.split(" ")
        asked = Asked(method, target, headers, body)
        self.server.count(asked)
        return asked

    async def started(self) -> None:
        """Wait for the first byte of a request."""
        await self.reader.read(1)

    def send(self, data: bytes) -> None:
        self.writer.write(data)

    def reset(self) -> None:
        """End the connection with an RST."""
        linger = struct.pack("ii", 1, 0)
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()

    def cut_now(self) -> None:
        """End the connection in the kernel, before any event loop hears of it."""
        with self._raw() as raw:
            raw.shutdown(socket.SHUT_RDWR)

    def send_now(self, data: bytes) -> None:
        """Put *data* into the kernel, before any event loop hears of it."""
        with self._raw() as raw:
            raw.sendall(data)

    def _raw(self) -> socket.socket:
        return socket.socket(fileno=os.dup(self.writer.get_extra_info("socket").fileno()))

    def deaf(self) -> None:
        """Read nothing any more, so that the client's writes get stuck."""
        self.writer.transport.pause_reading()


Script = Callable[[Wire], Awaitable[None]]


@define(eq=False, repr=False)
class Server:
    """What one loopback server does, and what it saw."""

    script: Script
    scheme: str = "http"
    port: int = 0
    connections: int = 0
    wires: list[Wire] = field(factory=list)
    asked: list[Asked] = field(factory=list)
    posts: Counter[str] = field(factory=Counter)
    _news: asyncio.Event = field(factory=asyncio.Event)

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def count(self, asked: Asked) -> None:
        self.asked.append(asked)
        with suppress(ValueError, TypeError, KeyError):
            self.posts[asked.json["prompt"]] += asked.method == "POST"
        self._news.set()

    async def until(self, done: Callable[[], bool]) -> None:
        """Wait for requests until *done*."""
        async with asyncio.timeout(5):
            while not done():
                self._news.clear()
                await self._news.wait()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        wire = Wire(self, reader, writer)
        self.wires.append(wire)
        self._news.set()
        try:
            await self.script(wire)
            with suppress(ConnectionError):
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass
        except asyncio.CancelledError:
            # The end of the test. Passed on, Python 3.11 would log it as an error of its own.
            writer.transport.abort()
        finally:
            writer.close()


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[Server]:
    """Run *script* for every connection until the block ends."""
    server = Server(script, "http" if tls is None else "https")
    running: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        await server.serve(reader, writer)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in running:
            task.cancel()
        ends = await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0)
        for end in ends:
            if isinstance(end, Exception):
                raise end


# Scripts


async def forever(wire: Wire) -> None:
    """Accept, read, and say nothing."""
    await asyncio.get_running_loop().create_future()


async def reset_on_accept(wire: Wire) -> None:
    wire.reset()


async def reset_before_reading(wire: Wire) -> None:
    await wire.started()
    wire.reset()


async def reset_after_reading(wire: Wire) -> None:
    await wire.ask()
    wire.reset()


async def close_on_start(wire: Wire) -> None:
    await wire.started()


async def close_after_reading(wire: Wire) -> None:
    await wire.ask()


async def stall(wire: Wire) -> None:
    await wire.ask()
    await forever(wire)


async def read_nothing(wire: Wire) -> None:
    wire.deaf()
    await forever(wire)


async def stay_silent_to_the_end(wire: Wire) -> None:
    """Keep every byte that comes, answer none."""
    wire.server.count(Asked("", "", {}, await wire.reader.read()))


def answer(raw: bytes, *, then_reset: bool = False) -> Script:
    """Read one request, send *raw* and close."""

    async def script(wire: Wire) -> None:
        await wire.ask()
        wire.send(raw)
        if then_reset:
            await wire.writer.drain()
            wire.reset()

    return script


def answer_all(make: Callable[[Asked], bytes]) -> Script:
    """Answer every request of a connection."""

    async def script(wire: Wire) -> None:
        while True:
            wire.send(make(await wire.ask()))

    return script


def http(
    status: int = 200, body: bytes | Mapping[str, Any] = b"", framing: str = "length", **headers: str
) -> bytes:
    """Write an answer; *framing* says how its end is known: `length`, `chunked` or `close`."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    match framing:
        case "length":
            named = {"Content-Length": str(len(content)), **named}
        case "chunked":
            named["Transfer-Encoding"] = "chunked"
            content = b"%x\r\n%s\r\n0\r\n\r\n" % (len(content), content)
        case "close":
            named["Connection"] = "close"
    head = [f"HTTP/1.1 {status} X", *(f"{n}: {v}" for n, v in named.items())]
    return "\r\n".join([*head, "", ""]).encode() + content


# What is sent


def order(url: str, prompt: str = "a cat", **changes: Any) -> HttpRequest:
    """Make a submit that bears secrets wherever one can."""
    body = Json({"prompt": prompt, "key": Secret(CANARY)})
    headers = {"Authorization": Secret(CANARY).within("Bearer {}")}
    request = HttpRequest(method="POST", url=f"{url}/videos", headers=headers, body=body)
    return evolve(request, query={"sign": Secret(CANARY)}, **changes)


@asynccontextmanager
async def sending(timeouts: Timeouts | None = None, *, trust: Identity | None = None, **options: Any):
    transport = Transport(timeouts=timeouts, **options)
    if trust is not None:
        transport._connector._ssl = trust.client
    try:
        yield transport
    finally:
        await transport.aclose()


# Places where nobody answers


def nobody() -> str:
    """Return an address at which connections are refused."""
    with socket.socket() as once:
        once.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{once.getsockname()[1]}"


@contextmanager
def full_backlog() -> Any:
    """Return an address at which connecting takes for ever."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:
            one.settimeout(0)
            one.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for one in waiting:
            one.close()


@frozen
class Identity:
    """A self-signed certificate for 127.0.0.1, as its server and a client that trusts it see it."""

    server: ssl.SSLContext
    client: ssl.SSLContext


def identity(folder: Path) -> Identity:
    """Make a certificate in *folder*."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    chain = folder / "localhost.pem"
    chain.write_bytes(
        certificate.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain)
    return Identity(server, ssl.create_default_context(cafile=chain))


def shown(error: BaseException) -> str:
    """Return all that tracebacks with locals and the chain of *error* can show, outside the tests."""
    texts: list[str] = []
    seen: set[int] = set()

    def walk(told: traceback.TracebackException | None) -> None:
        if told is None or id(told) in seen:
            return
        seen.add(id(told))
        texts.extend(told.format_exception_only())
        frames = [frame for frame in told.stack if Path(__file__).parent not in Path(frame.filename).parents]
        texts.extend(f"{frame.name}: {frame.locals}" for frame in frames)
        walk(told.__cause__)
        walk(told.__context__)

    walk(traceback.TracebackException.from_exception(error, capture_locals=True))
    link: BaseException | None = error
    while link is not None:
        texts.append(f"{link} {link!r} {link.args} {vars(link)}")
        link = link.__cause__ or link.__context__
    return "\n".join(texts)
