"""Adapts the receiver to aiohttp applications."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from aiohttp import web

from pika_async.callbacks.handler import Answers, joined


def application(receiver: Answers) -> web.Application:
    """Make an application that passes every request to *receiver*, whatever its path."""

    async def respond(request: web.Request) -> web.Response:
        headers = joined(request.headers.items())
        reply = await receiver.answer(request.method, request.path, headers, _chunks(request))
        return web.Response(status=reply.status, headers=reply.headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    return app


async def _chunks(request: web.Request) -> AsyncGenerator[bytes]:
    try:
        # Read in chunks, because aiohttp's own limit would be that of the whole application.
        async for chunk in request.content.iter_any():
            yield chunk
    except web.RequestPayloadError as error:
        raise ConnectionError("The callback's body broke off.") from error
