"""What the receiver's tests share: an inbox to look into, and real servers around the receiver."""

import asyncio
import socket
from contextlib import asynccontextmanager

import aiohttp
import pytest
import uvicorn
from aiohttp import web
from attrs import define, field
from fastapi import FastAPI

from pika_async.callbacks import Callbacks, Receiver
from pika_async.callbacks.token import make_token

KEY = b"a secret of the tests"
ATTEMPT = "a1b2-1-9f"
TOKEN = make_token(KEY, ATTEMPT)


@define
class FakeInbox:
    """Remembers what it was given; with *error* it commits nothing, while *busy* it is not done."""

    events: list = field(factory=list)
    error: Exception | None = None
    busy: asyncio.Event | None = None
    asked: asyncio.Event = field(factory=asyncio.Event)

    async def receive(self, event):
        self.asked.set()
        if self.busy is not None:
            await self.busy.wait()
        if self.error is not None:
            raise self.error
        self.events.append(event)


@pytest.fixture
def inbox():
    return FakeInbox()


@pytest.fixture
def make_receiver(inbox):
    """Make an open receiver; its limits are the caller's."""

    def make(**limits):
        receiver = Receiver(Callbacks(public_url="https://app.test/pika", secret=KEY, **limits))
        receiver.open(inbox, [KEY])
        return receiver

    return make


@asynccontextmanager
async def serve_aiohttp(receiver):
    """Serve *receiver* as a part of an aiohttp application; yields the port."""
    app = web.Application()
    app.add_subapp("/pika", receiver.aiohttp())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.02)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


@asynccontextmanager
async def serve_fastapi(receiver):
    """Serve *receiver* as a part of a FastAPI application under uvicorn; yields the port."""
    app = FastAPI()
    app.mount("/pika", receiver.asgi())
    with listening() as listener:
        yielded = listener.getsockname()[1]
        async with running(app, listener):
            yield yielded


@asynccontextmanager
async def serve_bare(receiver):
    """Serve *receiver* under uvicorn with nothing around it; yields the port."""
    with listening() as listener:
        async with running(receiver.asgi(), listener, lifespan="on"):
            yield listener.getsockname()[1]


def listening():
    """Return a socket at which clients may knock before the server has started."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    return listener


class PromptServer(uvicorn.Server):
    """A uvicorn that ends as soon as `end` is set, not at its next look at the clock."""

    def __init__(self, config):
        super().__init__(config)
        self.end = asyncio.Event()

    async def main_loop(self):
        await self.end.wait()


@asynccontextmanager
async def running(app, listener, **options):
    """Run uvicorn on *listener* until the block ends."""
    config = uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1, **options)
    server = PromptServer(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.end.set()
        await task


SERVERS = {"aiohttp": serve_aiohttp, "fastapi": serve_fastapi}


@pytest.fixture(params=SERVERS)
def serve(request):
    """Serve a receiver by either shell."""
    return SERVERS[request.param]


@pytest.fixture
async def client(anyio_backend):
    async with aiohttp.ClientSession() as session:
        yield session


async def converse(port, *pieces, path=f"/pika/{TOKEN}", head="Transfer-Encoding: chunked\r\n"):
    """Send a POST as raw text, piece by piece; returns the status, or None if the server hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"POST {path} HTTP/1.1\r\nHost: app.test\r\n{head}\r\n".encode())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        line = await reader.readline()
        return int(line.split()[1]) if line else None
    finally:
        writer.close()
