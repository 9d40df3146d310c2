"""Callers cancelled at any await, and clients closed at any moment: whoever comes after need not pay again.

With the same key on the same ledger the next client finds the video if one was paid for, hears that nothing
was bought, or is told that nobody can know; in virtual time, on both ledgers.
"""

from __future__ import annotations

import asyncio
import types
from itertools import count
from typing import Any

import pytest
from attrs import Factory, define

from pika_async import Generate, JobUnresolved, PikaError, SubmitUnknown, VideoResult
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.testing import FakeClock
from tests.engine.scripted import Historian, Host, scene

pytestmark = pytest.mark.anyio

KEY = "the cat's"
POST = 12
"""Moments in which a POST comes to its end: closing a client waits for that."""


class LastingMemory(MemoryLedger):
    """Memory that outlives its client, as a file outlives its process."""

    remembers = True


@pytest.fixture(params=["memory", "sqlite"])
def new_ledger(request, tmp_path):
    """Return a function that makes a new ledger, as a function that opens it for one client after another."""
    numbers = count()

    def new():
        if request.param == "sqlite":
            path = tmp_path / f"{next(numbers)}.db"
            return lambda: SqliteLedger(path)
        lasting = LastingMemory()
        return lambda: lasting

    return new


async def submit(pika, key):
    """Buy a video as far as the provider's acceptance."""
    return await pika.submit(Generate("a cat"), idempotency_key=key)


async def generate(pika, key):
    """Buy a video and wait for it."""
    return await pika.generate("a cat", idempotency_key=key, timeout=None)


every_call = pytest.mark.parametrize("buy", [submit, generate])
with_and_without_key = pytest.mark.parametrize("key", [KEY, None])


@types.coroutine
def cancelled_at(which, awaited):
    """Await *awaited*, cancelled while it waits for the *which*-th time."""
    steps = awaited.__await__()
    go_on, value = steps.send, None
    for number in count(1):
        try:
            waited_for = go_on(value)
        except StopIteration as stop:
            return stop.value
        if number == which:
            asyncio.current_task().cancel()
        try:
            go_on, value = steps.send, (yield waited_for)
        except BaseException as error:  # noqa: BLE001 - handed on to whoever waits
            go_on, value = steps.throw, error


@define(eq=False)
class DistantHost(Host):
    """Takes half a second of virtual time to get a POST, and as long to answer it."""

    render_time: float = 1.0

    async def _submit(self, request):
        await self._pass(0.5)
        told = await super()._submit(request)
        await self._pass(0.5)
        return told

    async def _pass(self, seconds):
        over = asyncio.get_running_loop().create_future()
        self.clock.call_at(self.clock.now() + seconds, lambda: over.done() or over.set_result(None))
        await over


@define(eq=False)
class Shop:
    """A ledger and a host, and the clients that come to them one after the other."""

    open_ledger: Any
    clock: FakeClock = Factory(FakeClock)
    host: DistantHost = Factory(lambda shop: DistantHost(shop.clock), takes_self=True)

    def client(self):
        """Open a client."""
        hosts = {"scripted": self.host}
        return scene(Historian(), ledger=self.open_ledger(), clock=self.clock, hosts=hosts)

    async def assert_settled(self, key):
        """Come back with the same key, or for what is left: what was paid for is there, and paid once."""
        paid = self.host.billed.total()
        await self.clock.advance(600.0)
        async with self.client() as s:
            left = [job async for job in s.pika.recover(queued=True)]
            calls = [job.wait(timeout=None) for job in left] if key is None else [generate(s.pika, key)]
            ends = [await last_word(s, call) for call in calls]
            doubtful = len(await s.engine.desk.ledger.jobs("unresolved"))
        for end in ends:
            match end:
                case VideoResult():
                    assert self.host.billed.total() == 1
                case JobUnresolved():
                    assert doubtful == 1
                    assert not paid
                case PikaError(charged=charged):
                    assert charged == "no"
                    assert not self.host.billed
        assert self.host.billed.total() <= 1


async def last_word(s, call):
    """Return what *call* gives or raises, waiting on for as long as nobody knows."""
    while isinstance(end := await outcome(s, call), SubmitUnknown):
        call = end.job.wait(timeout=None)
    return end


async def moments(s, number):
    """Let ledger, loop and clock go on by *number* small steps."""
    for _ in range(number):
        await s.engine.desk.ledger.usage("scripted:default")
        await s.clock.advance(0.1)


async def ended(s, call):
    """Let time pass until *call* has ended, and give its task."""
    task = s.begin(call)
    while not task.done():
        await moments(s, 1)
    return task


async def outcome(s, call):
    """Return what *call* gives or raises."""
    task = await ended(s, call)
    return task.exception() or task.result()


async def state(s):
    """Tell where the only job stands."""
    jobs = await s.engine.desk.ledger.jobs()
    return str(jobs[0].newest.state) if jobs else "not there"


@every_call
@with_and_without_key
async def test_cancelling_at_every_await(buy, key, new_ledger):
    """Wherever the caller stands, its cancellation leaves a job that the next one can trust."""
    for which in count(1):
        shop = Shop(new_ledger())
        async with shop.client() as s:
            cancelled = (await ended(s, cancelled_at(which, buy(s.pika, key)))).cancelled()
            await moments(s, POST)
        await shop.assert_settled(key)
        if not cancelled:
            break
    assert which > 1


@every_call
@with_and_without_key
async def test_cancelling_at_every_moment(buy, key, new_ledger):
    """One await is long: cancelled before the claim, during the POST, and while the video renders."""
    seen = set()
    for number in count():
        shop = Shop(new_ledger())
        async with shop.client() as s:
            task = s.begin(buy(s.pika, key))
            await moments(s, number)
            seen.add(await state(s))
            too_late = not task.cancel()
            await moments(s, POST)
        await shop.assert_settled(key)
        if too_late:
            break
    assert {"sending", "running"} <= seen


@with_and_without_key
async def test_closing_at_every_moment(key, new_ledger):
    """The client gives its POST up without patience, at whatever await that stands."""
    seen = set()
    for number in count():
        shop = Shop(new_ledger())
        async with shop.client() as s:
            task = s.begin(generate(s.pika, key))
            await moments(s, number)
            seen.add(await state(s))
            too_late = task.done()
            await s.engine.aclose(patience=0.0)
        await shop.assert_settled(key)
        if too_late:
            break
    assert {"sending", "running"} <= seen
