"""Which connection a request leaves on: never one on which a stranger's answer may lie."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable

import aiohttp
import pytest

from pika_async import _connections, _transport
from pika_async._transport import Transport
from tests import hostile
from tests.hostile import Asked, Server, Wire, http, order, sending, serving

pytestmark = pytest.mark.anyio


STRAY = http(200, {"task": "of somebody else"})


def _by_prompt(asked: Asked) -> bytes:
    return http(200, {"task": asked.json["prompt"]})


async def _tasks(transport: Transport, server: Server, between: Callable[[Wire], None]) -> list[str]:
    first = await transport.submit(order(server.url, "one"))
    between(server.wires[0])
    second = await transport.submit(order(server.url, "two"))
    return [first.json()["task"], second.json()["task"]]


async def test_a_healthy_connection_is_used_again() -> None:
    """Submits and look-ups share one connection as long as it is clean."""
    async with serving(hostile.answer_all(_by_prompt)) as server, sending(trust_env=False) as transport:
        assert await _tasks(transport, server, lambda _: None) == ["one", "two"]
        await transport.poll(order(server.url, "three"))
        assert server.connections == 1


async def test_an_answer_lying_on_a_pooled_connection_is_never_ours() -> None:
    """A stray answer that came while the connection was idle, unseen by our loop, gives no foreign task."""
    async with serving(hostile.answer_all(_by_prompt)) as server, sending(trust_env=False) as transport:
        assert await _tasks(transport, server, lambda wire: wire.send_now(STRAY)) == ["one", "two"]
        assert server.posts == {"one": 1, "two": 1}
        assert server.connections == 2


async def pooled_data(transport: Transport) -> None:
    """Wait until bytes that nobody asked for have been read on the one pooled connection."""
    ((protocol, _),) = next(iter(transport._connector._conns.values()))
    read, arrived = protocol.data_received, asyncio.Event()

    def data_received(data: bytes) -> None:
        read(data)
        arrived.set()

    protocol.data_received = data_received
    await arrived.wait()


async def test_an_answer_read_on_an_idle_connection_is_never_ours() -> None:
    """The same when our loop has already taken the stray answer from the kernel."""
    async with serving(hostile.answer_all(_by_prompt)) as server, sending(trust_env=False) as transport:
        assert (await transport.submit(order(server.url, "one"))).json() == {"task": "one"}
        server.wires[0].send(STRAY)
        await pooled_data(transport)
        assert (await transport.submit(order(server.url, "two"))).json() == {"task": "two"}
        assert server.posts == {"one": 1, "two": 1}


async def test_a_second_answer_behind_the_first_is_never_ours() -> None:
    """The same when the stray answer comes in one piece with the right one."""
    double = hostile.answer_all(lambda asked: _by_prompt(asked) + STRAY)
    async with serving(double) as server, sending(trust_env=False) as transport:
        assert await _tasks(transport, server, lambda _: None) == ["one", "two"]
        assert server.posts == {"one": 1, "two": 1}


async def test_an_answer_that_comes_during_the_fence_is_never_ours() -> None:
    """A stray answer that arrives between choosing the connection and sending costs a fresh connection."""
    async with serving(hostile.answer_all(_by_prompt)) as server, sending(trust_env=False) as transport:
        fences: list[int] = []

        async def fence() -> None:
            fences.append(server.connections)
            if len(fences) == 1:
                server.wires[0].send_now(STRAY)

        await transport.submit(order(server.url, "one"))
        assert (await transport.submit(order(server.url, "two"), fence)).json() == {"task": "two"}
        assert server.posts == {"one": 1, "two": 1}
        assert fences == [1, 2]


async def test_a_connection_that_closed_while_idle_is_not_used() -> None:
    """An end of the connection that our loop has not seen yet costs a fresh one, and no ambiguity."""
    async with serving(hostile.answer_all(_by_prompt)) as server, sending(trust_env=False) as transport:
        assert await _tasks(transport, server, Wire.cut_now) == ["one", "two"]
        assert server.posts == {"one": 1, "two": 1}
        assert server.connections == 2


async def test_look_ups_are_as_careful() -> None:
    """A stray answer is no answer to a look-up either."""
    async with serving(hostile.answer_all(_by_prompt)) as server, sending(trust_env=False) as transport:
        await transport.poll(order(server.url, "one"))
        server.wires[0].send_now(STRAY)
        assert (await transport.poll(order(server.url, "two"))).json() == {"task": "two"}


def test_the_private_method_we_override_is_still_what_it_was() -> None:
    """Fails when aiohttp changes `_get`; then look at `_CleanConnector` before anything else."""
    own = inspect.signature(aiohttp.TCPConnector._get)
    assert list(own.parameters) == ["self", "key", "traces"]
    assert inspect.iscoroutinefunction(aiohttp.TCPConnector._get)


@pytest.mark.parametrize("change", ["signature", "poll"])
async def test_without_that_method_every_request_gets_a_fresh_connection(
    change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An aiohttp, or a system, that does not fit costs speed, not money."""

    async def other(self: object, key: object) -> None: ...

    if change == "signature":
        monkeypatch.setattr(aiohttp.TCPConnector, "_get", other)
        connector = _connections.connector()
        monkeypatch.undo()
        monkeypatch.setattr(_transport, "connector", lambda: connector)
    else:
        monkeypatch.delattr(_connections.select, "poll")
    async with serving(hostile.answer_all(_by_prompt)) as server, sending(trust_env=False) as transport:
        assert await _tasks(transport, server, lambda wire: wire.send_now(STRAY)) == ["one", "two"]
        assert server.connections == 2
        assert server.asked[0].headers["connection"] == "close"


# A connection of one's own


async def test_a_fresh_connection_carries_one_submit_alone() -> None:
    """It takes none from the pool, tells the host that it is the last one, and goes into no pool."""
    async with serving(hostile.answer_all(_by_prompt)) as server, sending(trust_env=False) as transport:
        await transport.poll(order(server.url, "a look"))
        for prompt in ("one", "two"):
            answered = await transport.submit(order(server.url, prompt), fresh_connection=True)
            assert answered.json() == {"task": prompt}
        await transport.poll(order(server.url, "another look"))
        assert server.connections == 3
        assert [asked.headers.get("connection") for asked in server.asked] == [None, "close", "close", None]


async def test_a_second_answer_on_a_fresh_connection_reaches_nobody() -> None:
    """A host that answers twice cannot give the next submit a stranger's task."""
    double = hostile.answer_all(lambda asked: _by_prompt(asked) + STRAY)
    async with serving(double) as server, sending(trust_env=False) as transport:
        for prompt in ("one", "two", "three"):
            answered = await transport.submit(order(server.url, prompt), fresh_connection=True)
            assert answered.json() == {"task": prompt}


async def test_the_fence_holds_a_fresh_connection_back_too() -> None:
    """The fence runs once, on the new connection, before the first byte."""
    async with serving(hostile.stay_silent_to_the_end) as server, sending(trust_env=False) as transport:

        async def fence() -> None:
            await server.until(lambda: server.connections == 1)
            raise LookupError

        with pytest.raises(LookupError):
            await transport.submit(order(server.url), fence, fresh_connection=True)
        await transport.aclose()
        await server.until(lambda: bool(server.asked))
        assert server.asked[0].body == b""
