"""The network between one process and the providers: a `Sender` that loses, cuts and delays."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol

from attrs import evolve, frozen

from benchmarks.simulation.provider import Server
from pika_async._http import HttpRequest, HttpResponse
from pika_async._transport import Fence, SendError, Timeouts
from pika_async.emulator import Held, Outcome

_REFUSALS = (Outcome.MODERATED, Outcome.NO_BALANCE, Outcome.RATE_LIMITED, Outcome.RETRY_AFTER)
_PROOFS = frozenset(refusal.value for refusal in _REFUSALS)
_UNSURE = (Outcome.SERVER_ERROR, Outcome.HTML)


@frozen
class Departure:
    """A POST whose first byte left: what it orders, for which attempt, and which of all it is.

    It is sent *again* where one of its key and bytes left before.
    """

    number: int
    server: str
    prompt: str
    attempt: str | None
    body: str
    again: bool = False


class Net(Protocol):
    """What the network asks the world: whether a fault comes now, and chance; and what it tells it."""

    servers: dict[str, Server]

    def strikes(self, fault: str) -> bool: ...
    def chance(self) -> Any: ...
    def after(self, seconds: float, call: Callable[[], None]) -> None: ...
    def departs(self, server: Server, request: HttpRequest) -> Departure: ...
    def unreached(self, request: HttpRequest) -> None: ...
    def refused(self, departure: Departure) -> None: ...
    def log(self, what: str) -> None: ...


class SimulatedTransport:
    """Sends for one process. What has left arrives although the process dies; its answer is lost then."""

    def __init__(self, net: Net, passed: Callable[[str], None], alive: Callable[[], bool]) -> None:
        self.timeouts = Timeouts()
        self._net = net
        self._passed = passed
        self._alive = alive

    async def submit(
        self, request: HttpRequest, fence: Fence | None = None, *, fresh_connection: bool = False
    ) -> HttpResponse:
        net, chance = self._net, self._net.chance()
        await asyncio.sleep(chance.choice((0.001, 0.05)))
        if net.strikes("late"):
            await asyncio.sleep(chance.choice((0.5, 4.9, 5.1, 9.0)))
        if net.strikes("unreached"):
            net.unreached(request)
            raise SendError("no connection to the host", sent=False)
        if fence is not None:
            self._passed("before the fence")
            await fence()
        self._passed("after the fence")
        server = net.servers[request.origin]
        departure = net.departs(server, request)
        limit = self.timeouts.held if request.held else self.timeouts.submit
        return await self._exchange(server, request, limit, departure)

    async def poll(self, request: HttpRequest) -> HttpResponse:
        await asyncio.sleep(0.001)
        if self._net.strikes("look-ups"):
            match self._net.chance().randrange(4):
                case 0:
                    raise SendError("no connection to the host", sent=False)
                case 1:
                    return HttpResponse(status=429, headers={"retry-after": "3"}, body=b"{}")
                case 2:
                    return HttpResponse(status=503, headers={}, body=b"<html>busy</html>")
                case 3:
                    await asyncio.sleep(20)
        return await self._exchange(self._net.servers[request.origin], request, self.timeouts.poll, None)

    async def aclose(self) -> None:
        """Let go."""

    async def _exchange(  # noqa: PLR0915 - the way of one exchange, told in its order
        self, server: Server, request: HttpRequest, limit: float, departure: Departure | None
    ) -> HttpResponse:
        net, chance, buys = self._net, self._net.chance(), departure is not None
        answer: asyncio.Future[HttpResponse] = asyncio.get_running_loop().create_future()

        def fail(why: str) -> None:
            if self._alive() and not answer.done():
                answer.set_exception(SendError(why, sent=True))

        def arrive() -> None:
            word = ""
            if buys:
                if net.strikes("unread"):
                    net.log(f"the provider never read {departure.number}")
                    return fail("the connection was reset")
                if departure.again and net.strikes("refused"):
                    net.log(f"the key is refused for {departure.number}")
                    return leave(server.submitted_by_nobody(request), "")
                if net.strikes("refused"):
                    word = chance.choice(_REFUSALS).value
                elif net.strikes("page") and chance.random() < 0.5:
                    word = chance.choice(_UNSURE).value
            told = server.submitted(request, word) if buys else server.asked(request)
            if buys and "sandbox-moderated" in departure.prompt:
                word = Outcome.MODERATED.value
            if isinstance(told, Held):
                net.after(
                    max(0.0, told.until - server.now), lambda: leave(told.answer and told.answer(), word)
                )
            else:
                leave(told, word)
            return None

        def leave(told: HttpResponse | None, word: str) -> None:
            if told is None or (buys and net.strikes("reset")):
                net.after(chance.uniform(0.001, 1), lambda: fail("the connection was reset"))
                return
            if buys and not word and net.strikes("page"):
                told, word = HttpResponse(status=502, headers={}, body=b"<html>Bad Gateway</html>"), "page"
            if net.strikes("partial"):
                if chance.random() < 0.5:
                    net.after(0.01, lambda: fail("the answer broke off"))
                    return
                told = evolve(told, body=told.body[: chance.randrange(len(told.body) + 1)])
            pause = chance.choice((0.02, 0.2, 2.0))
            if net.strikes("late"):
                pause = chance.choice((20.0, 59.0, 70.0, 100.0))
            net.after(pause, lambda: reach(told, word))

        def reach(told: HttpResponse, word: str) -> None:
            if self._alive() and not answer.done():
                if buys:
                    net.log(f"answer {departure.number}: {told.status}")
                    if word in _PROOFS:
                        net.refused(departure)
                    self._passed("an answer came")
                answer.set_result(told)

        pause = chance.choice((0.01, 0.1, 1.0))
        if net.strikes("late"):
            pause += chance.choice((5.0, 30.0, 70.0))
        net.after(pause, arrive)
        timer = asyncio.get_running_loop().call_later(limit, fail, "no answer in time")
        try:
            return await answer
        finally:
            timer.cancel()
