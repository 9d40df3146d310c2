"""Callbacks go to this machine and to allowed hosts, when they are due, and harm nobody."""

import asyncio
import logging
from functools import partial

import pytest

from pika_acedata._emulator import AceDataEmulator
from pika_async.sandbox import Sandbox
from pika_async.sandbox._delivery import _NearResolver

pytestmark = pytest.mark.anyio

TOKEN = "/hook/attempt-1.0123456789abcdef"
sandbox_with = partial(Sandbox, render_time=0.04, emulators=(AceDataEmulator(),))


async def submit(client, sandbox, callback_url):
    """Order a video whose end is told at *callback_url*; return the status of the answer."""
    async with client.post(
        f"{sandbox.url}/pika/videos",
        json={"action": "generate", "prompt": "moving", "model": "2.0", "callback_url": callback_url},
        headers={"authorization": "Bearer sandbox"},
    ) as answer:
        return answer.status


async def test_an_address_nobody_has_is_left_alone(client):
    """Hosts under `.invalid` are never called."""
    async with sandbox_with() as sandbox:
        await submit(client, sandbox, "https://callback.invalid/token")
        assert not sandbox._sender._deliveries


async def test_a_dead_receiver_harms_nobody(client, receiver_at):
    """A callback that cannot be delivered is dropped, as the documents promise no repeat."""
    async with receiver_at() as gone:
        pass
    async with sandbox_with() as sandbox:
        await submit(client, sandbox, gone.url + TOKEN)
        await asyncio.wait_for(asyncio.gather(*sandbox._sender._deliveries), 5)
        await submit(client, sandbox, gone.url + TOKEN)


async def test_stopping_drops_what_is_not_due(client, receiver):
    """A stopped sandbox sends nothing more and does not wait."""
    async with sandbox_with(render_time=600) as sandbox:
        await submit(client, sandbox, receiver.url + TOKEN)
    assert receiver.got.empty()


@pytest.mark.parametrize(
    "host", ["192.0.2.1", "10.0.0.1", "169.254.169.254", "[fd00::1]", "0.0.0.0", "167772161", "127.1"]
)
async def test_no_callback_goes_to_another_machine(client, caplog, host):
    """Whoever orders chooses the address; the log says the host once, and never the token."""
    async with sandbox_with() as sandbox:
        for _ in range(2):
            assert await submit(client, sandbox, f"http://{host}:9/hook/a.token") == 200
        assert not sandbox._sender._deliveries
    (record,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert host.strip("[]") in record.message
    assert "allowed_hosts" in record.message
    assert "a.token" not in caplog.text


class _Dns:
    def __init__(self, *addresses):
        self._found = [{"host": address} for address in addresses]

    async def resolve(self, host, port, family):
        return self._found


async def near(host, *addresses, allowed=()):
    """Resolve *host* to those of *addresses* that a callback may go to."""
    refused = []
    resolver = _NearResolver(allowed, refused.append)
    resolver._resolver = _Dns(*addresses)
    try:
        return [at["host"] for at in await resolver.resolve(host)], refused
    except OSError:
        return [], refused


async def test_a_name_is_judged_by_its_addresses():
    """A name of this machine's own is fine; one that leads elsewhere is not, unless it was allowed."""
    assert await near("me.test", "127.0.0.1", "::1") == (["127.0.0.1", "::1"], [])
    assert await near("both.test", "127.0.0.1", "10.0.0.1") == (["127.0.0.1"], [])
    assert await near("far.test", "10.0.0.1") == ([], ["far.test"])
    assert await near("Far.test", "10.0.0.1", allowed=("far.test",)) == (["10.0.0.1"], [])


async def test_a_name_of_this_machine_gets_its_callback(client, receiver):
    """`localhost` is resolved by the real resolver, and delivered to."""
    async with sandbox_with() as sandbox:
        port = receiver.url.rpartition(":")[2]
        assert await submit(client, sandbox, f"http://localhost:{port}/hook/t") == 200
        path, _, _ = await receiver.next()
    assert path == "/hook/t"


async def test_an_allowed_host_gets_its_callback(client, caplog):
    """A host that was named is no other machine, whatever its address."""
    async with sandbox_with(allowed_hosts=["192.0.2.1"]) as sandbox:
        assert await submit(client, sandbox, "http://192.0.2.1:9/hook/t") == 200
        assert len(sandbox._sender._deliveries) == 1
    assert not caplog.records
