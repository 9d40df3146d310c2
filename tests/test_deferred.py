"""The sender that loads the real one when it first sends."""

import inspect

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pika_async._deferred import Deferred
from pika_async._http import HttpRequest
from pika_async._transport import Transport

pytestmark = pytest.mark.anyio


async def test_one_transport_sends_everything_and_is_closed():
    """The first request makes it, the second uses it, and closing closes it."""

    async def answer(request):
        return web.Response(text=request.method)

    app = web.Application()
    app.router.add_route("*", "/", answer)
    fences = []

    async def fence():
        fences.append(1)

    async with TestServer(app) as server:
        sender, url = Deferred(trust_env=False), str(server.make_url("/"))
        assert sender._transport is None
        posted = await sender.submit(HttpRequest(method="POST", url=url), fence)
        made = sender._transport
        looked = await sender.poll(HttpRequest(method="GET", url=url))
        assert (posted.body, looked.body, fences) == (b"POST", b"GET", [1])
        assert sender._transport is made
        await sender.aclose()
        assert made.closed


async def test_closing_before_the_first_request_makes_nothing():
    """A client that is opened and closed never needs aiohttp."""
    sender = Deferred(trust_env=True)
    await sender.aclose()
    assert sender._transport is None


def test_it_takes_what_the_transport_takes():
    """The engine asks the signature which options a sender knows."""
    for name in ("submit", "poll"):
        ours, real = (inspect.signature(getattr(each, name)) for each in (Deferred, Transport))
        assert ours == real
