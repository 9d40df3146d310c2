"""The shell for aiohttp applications."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from pika_async.callbacks.receiver import Receiver


def application(receiver: Receiver) -> web.Application:
    """Make an application all of whose paths lead to *receiver*."""

    async def respond(request: web.Request) -> web.Response:
        headers = {name.lower(): ", ".join(request.headers.getall(name)) for name in request.headers}
        reply = await receiver.answer(request.method, request.path, headers, _chunks(request))
        return web.Response(status=reply.status, headers=reply.headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", respond)
    return app


async def _chunks(request: web.Request) -> AsyncGenerator[bytes]:
    try:
        # Chunk by chunk, because aiohttp's own limit is the whole application's.
        async for chunk in request.content.iter_any():
            yield chunk
    except web.RequestPayloadError as error:
        raise ConnectionError("The callback's body broke off.") from error
