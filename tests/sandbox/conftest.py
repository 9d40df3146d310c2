"""What the sandbox's tests share: a client and a receiver of callbacks."""

import asyncio
import json
from contextlib import asynccontextmanager
from urllib.parse import parse_qsl

import aiohttp
import pytest
from aiohttp import web


@pytest.fixture
async def client():
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
        yield session


class Receiver:
    """A real HTTP server that keeps every callback as (path, content type, body)."""

    def __init__(self):
        self.url = ""
        self.got = asyncio.Queue()
        self.sizes = []

    async def handle(self, request):
        body = await request.content.read()
        self.sizes.append((len(body), request.headers.get("content-length")))
        if request.content_type == "application/json":
            fields = json.loads(body)
        else:
            fields = dict(parse_qsl(body.decode(), keep_blank_values=True))
        self.got.put_nowait((request.path, request.content_type, fields))
        return web.Response()

    async def next(self):
        return await asyncio.wait_for(self.got.get(), 5)

    async def bodies(self, count):
        return [(await self.next())[2] for _ in range(count)]


@pytest.fixture
def receiver_at():
    """Return a context manager that runs a receiver."""

    @asynccontextmanager
    async def run():
        receiver = Receiver()
        runner = web.ServerRunner(web.Server(receiver.handle, access_log=None), shutdown_timeout=0.05)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        receiver.url = "http://{}:{}".format(*runner.addresses[0])
        try:
            yield receiver
        finally:
            await runner.cleanup()

    return run


@pytest.fixture
async def receiver(receiver_at):
    async with receiver_at() as receiver:
        yield receiver
