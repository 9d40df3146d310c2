"""A transport that plays a script instead of sending."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from attrs import define, field

from pika_async._crossing import process_bound
from pika_async._http import HttpRequest, HttpResponse
from pika_async._sender import Fence, Timeouts

Answer: TypeAlias = HttpResponse | Exception


@process_bound("make a ScriptedTransport(...) in each process")
@define(eq=False)
class ScriptedTransport:
    """Answers each request by calling *script*, which returns or raises; keeps *submits* and *polls*.

    *fresh* says of each submit whether it asked for a connection of its own.
    """

    script: Callable[[HttpRequest], Answer | Awaitable[Answer]]
    timeouts: Timeouts = field(factory=Timeouts)
    submits: list[HttpRequest] = field(factory=list)
    polls: list[HttpRequest] = field(factory=list)
    fresh: list[bool] = field(factory=list)
    closed: bool = False

    async def submit(
        self, request: HttpRequest, fence: Fence | None = None, *, fresh_connection: bool = False
    ) -> HttpResponse:
        """Run the fence, note the POST and whether it wants a fresh connection, and answer."""
        if fence is not None:
            await fence()
        self.submits.append(request)
        self.fresh.append(fresh_connection)
        return await self._answer(request)

    async def poll(self, request: HttpRequest) -> HttpResponse:
        """Note the look-up and answer."""
        self.polls.append(request)
        return await self._answer(request)

    async def aclose(self) -> None:
        """Note that the client closed the transport."""
        self.closed = True

    async def _answer(self, request: HttpRequest) -> HttpResponse:
        answer = self.script(request)
        if not isinstance(answer, HttpResponse | Exception):
            answer = await answer
        if isinstance(answer, Exception):
            raise answer
        return answer
