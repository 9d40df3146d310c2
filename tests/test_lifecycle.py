"""Opening and closing a client: once, in one event loop, and with nothing left behind."""

from __future__ import annotations

import asyncio
import threading

import pytest

from pika_async import Generate, Pika, State, VideoResult
from pika_async._ledger.memory import MemoryLedger
from pika_async.errors import ConfigError, LedgerError
from pika_async.testing import FakeClock, ScriptedTransport
from tests.engine.scripted import Scripted, scene

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    "use",
    [
        lambda pika: pika.generate("a cat"),
        lambda pika: pika.ingredients("a cat", [b"x"]),
        lambda pika: pika.style("a cat", style="Inflate"),
        lambda pika: pika.submit(Generate("a cat")),
        lambda pika: anext(pika.recover()),
        lambda pika: called(pika.map, []),
        lambda pika: called(pika.job, "pika1.x"),
        lambda pika: called(pika.stats),
        lambda pika: pika.download(VideoResult("1", "https://x.test/v", None, None, State.SUCCEEDED), "v"),
    ],
)
async def test_a_client_is_used_inside_async_with(use):
    """Before and after it, every call says so, and what to do."""
    pika = Pika(Scripted(), transport=ScriptedTransport(None), clock=FakeClock())
    with pytest.raises(ConfigError, match="not open yet"):
        await use(pika)
    async with pika:
        pass
    with pytest.raises(ConfigError, match="closed"):
        await use(pika)


async def called(function, *args):
    """Call a plain function where an awaitable is wanted."""
    return function(*args)


async def test_a_client_is_opened_once():
    """Neither twice at a time nor again."""
    pika = Pika(Scripted(), transport=ScriptedTransport(None), clock=FakeClock())
    async with pika:
        with pytest.raises(ConfigError, match="opened before"):
            await pika.__aenter__()
    with pytest.raises(ConfigError, match="opened before"):
        await pika.__aenter__()


async def test_a_client_belongs_to_one_loop():
    """Used from another one it says so, instead of hanging there."""
    caught = []

    async with scene() as s:

        def elsewhere():
            try:
                asyncio.run(s.pika.generate("a cat"))
            except ConfigError as error:
                caught.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    assert "another event loop" in caught[0].message


class Breaking(MemoryLedger):
    """Opens, and fails at *broken*; notes whether it was closed."""

    def __init__(self, broken):
        super().__init__()
        self.broken = broken
        self.closed = 0

    async def secret(self):
        return await (self._fail() if self.broken == "secret" else super().secret())

    async def usage(self, account):
        return await (self._fail() if self.broken == "usage" else super().usage(account))

    async def _fail(self):
        raise LedgerError("The disk is full.")

    async def aclose(self):
        self.closed += 1
        await super().aclose()


@pytest.mark.parametrize("broken", ["secret", "usage"])
async def test_a_client_that_cannot_open_leaves_no_ledger_open(broken):
    """An application that tries again would hold one more thread, or pool of connections, each time."""
    ledger = Breaking(broken)
    pika = Pika(Scripted(), ledger=ledger, transport=ScriptedTransport(None), clock=FakeClock())
    with pytest.raises(LedgerError, match="disk is full"):
        await pika.__aenter__()
    assert ledger.closed == 1
    await pika.aclose()
    assert ledger.closed == 1


async def test_a_client_can_be_closed_twice():
    """The second time there is nothing to do."""
    async with scene() as s:
        await s.pika.aclose()
        await s.pika.aclose()


async def test_a_job_outlives_its_client_but_cannot_be_waited_for_there():
    """The handle says what to do; what it knows it still tells."""
    async with scene() as s:
        job = await s.pika.submit(Generate("a cat"))
    for use in (job.wait(), job.refresh(), anext(job.events())):
        with pytest.raises(ConfigError, match="closed"):
            await use
    assert job.state is State.RUNNING
    assert job.token


async def test_trouble_inside_the_block_closes_the_client():
    """The user's own error is what comes out."""
    scenes = []

    async def fails():
        async with scene() as s:
            scenes.append(s)
            s.begin(s.pika.generate("a cat"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fails()
    assert scenes[0].wire.closed
