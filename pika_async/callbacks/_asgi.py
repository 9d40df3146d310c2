"""Adapts the receiver to ASGI 3 applications; needs no framework and no lifespan events."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any, TypeAlias

from pika_async.callbacks.handler import Answers, Reply, joined

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
AsgiApp: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]


def application(receiver: Answers) -> AsgiApp:
    """Make an application that passes every request to *receiver*, whatever its path."""

    async def respond(scope: Message, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                headers = joined(
                    (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
                )
                reply = await receiver.answer(scope["method"], scope["path"], headers, _chunks(receive))
                await _send(reply, send)
            case "lifespan":
                await _complete_lifespan(receive, send)
            case "websocket":
                await send({"type": "websocket.close"})

    return respond


async def _chunks(receive: Receive) -> AsyncGenerator[bytes]:
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("The sender of the callback disconnected.")
        yield message.get("body", b"")
        more = message.get("more_body", False)


async def _send(reply: Reply, send: Send) -> None:
    headers = [(b"content-length", b"0")]
    headers += [(name.lower().encode(), value.encode()) for name, value in reply.headers.items()]
    # A server may raise OSError when the sender has closed the connection.
    with suppress(OSError):
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


async def _complete_lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return
