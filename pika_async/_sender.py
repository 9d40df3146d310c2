"""What the engine sends with: the contract, its times and its error."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from inspect import signature
from typing import Protocol

from attrs import frozen

from pika_async._crossing import Value
from pika_async._http import HttpRequest, HttpResponse

Fence = Callable[[], Awaitable[None]]


@frozen(kw_only=True)
class Timeouts(Value):
    """Seconds each kind of call may take; *connect* is part of the others."""

    connect: float = 10.0
    submit: float = 60.0
    poll: float = 30.0
    held: float = 330.0


class SendError(Exception):
    """No usable answer. *sent* False is proof that nothing of the request left."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class Sender(Protocol):
    """What the engine sends with; `Transport` is the real one, `pika_async.testing` has a scripted one."""

    @property
    def timeouts(self) -> Timeouts: ...
    async def submit(
        self, request: HttpRequest, fence: Fence | None = None, *, fresh_connection: bool = False
    ) -> HttpResponse: ...
    async def poll(self, request: HttpRequest) -> HttpResponse: ...
    async def aclose(self) -> None: ...


def makes_fresh_connections(sender: Sender) -> bool:
    """Return whether *sender* knows the option; one written for the first release does not."""
    return "fresh_connection" in signature(sender.submit).parameters


async def submitted(sender: Sender, request: HttpRequest, fence: Fence, *, fresh: bool) -> HttpResponse:
    """Send a billed *request* once; the option is named only where it is wanted."""
    if fresh:
        return await sender.submit(request, fence, fresh_connection=True)
    return await sender.submit(request, fence)
