"""A program that buys a batch of videos durably, and that is killed and stopped while it does so.

Its like is what a user writes: a ledger in a file, one idempotency key for each video, and `recover` at the
start. What is strange in it is handed in through the library's own seams: ledger, transport and clock.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from aiohttp import web
from attrs import frozen

from pika_acedata import AceData
from pika_async import JobUnresolved, Pika, PikaError, SubmitUnknown
from pika_async.callbacks import Callbacks
from pika_duomi import Duomi
from tests.kill_points import IN_PROCESS, Busy, Point, Stop, StoppingLedger, StoppingTransport
from tests.world_time import WorldClock, WorldLoop, WorldTime

PROVIDERS = {"acedata": AceData, "duomi": Duomi}
VIDEO, UNRESOLVED = "video", "unresolved"


@frozen(kw_only=True)
class Orders:
    """What one run is told; *resubmit* are the prompts on which a person has given the word.

    It stays open for *stay* seconds after its work, for late evidence.
    """

    ledger: Path
    time: Path
    url: str
    prompts: tuple[str, ...]
    provider: str = "acedata"
    stop_at: Point | None = None
    nth: int = 1
    unsent_too: bool = True
    resubmit: frozenset[str] = frozenset()
    stay: float = 0.0
    max_concurrency: int = 32
    door: socket.socket | None = None


def run(orders: Orders, line: Connection) -> None:
    """Buy what *orders* say, in a process of its own; tell on *line* how far it has come."""
    logging.disable()
    line.send(("started", os.getpid()))
    busy = Busy()
    world = WorldTime(orders.time)
    with asyncio.Runner(loop_factory=lambda: WorldLoop(world, lambda: bool(busy))) as runner:
        try:
            line.send(("ended", runner.run(_bought(orders, line, busy, world))))
        except BaseException as error:
            line.send(("crashed", repr(error)))
            raise


async def _bought(orders: Orders, line: Connection, busy: Busy, world: WorldTime) -> dict[str, str]:
    # As after a suspend, a process that goes on looks at its clock at once.
    asyncio.get_running_loop().add_signal_handler(signal.SIGCONT, lambda: None)
    stop = Stop(orders.stop_at if orders.stop_at in IN_PROCESS else None, orders.nth, line)
    ledger = StoppingLedger(orders.ledger, stop, busy, world)
    pika = Pika(
        PROVIDERS[orders.provider](api_key="sandbox-batch", base_url=orders.url),
        ledger=ledger,
        callbacks=None if orders.door is None else Callbacks(public_url=_address(orders.door)),
        max_concurrency=orders.max_concurrency,
        poll_rate=None,
        poll_interval=0.02,
        transport=StoppingTransport(stop, busy, world, ledger),
        clock=WorldClock(world),
    )
    async with pika, _receiving(pika, orders.door):
        async for _ in pika.recover(queued=orders.unsent_too):
            pass
        ends = await asyncio.gather(*(_video(pika, prompt, orders) for prompt in orders.prompts))
        await asyncio.sleep(orders.stay)
    return dict(zip(orders.prompts, ends, strict=True))


async def _video(pika: Pika, prompt: str, orders: Orders) -> str:
    """Buy one video and stay with it to its end, or to where only a person can go on."""
    wait = pika.generate(prompt, idempotency_key=prompt, timeout=None)
    while True:
        try:
            await wait
        except SubmitUnknown as error:
            wait = error.job.wait(timeout=None)
        except JobUnresolved as error:
            if prompt not in orders.resubmit:
                return UNRESOLVED
            await error.job.resubmit()
            wait = error.job.wait(timeout=None)
        except PikaError as error:
            return f"{type(error).__name__}: {error.message}"
        else:
            return VIDEO


def _address(door: socket.socket) -> str:
    return f"http://127.0.0.1:{door.getsockname()[1]}"


@asynccontextmanager
async def _receiving(pika: Pika, door: socket.socket | None) -> AsyncIterator[None]:
    if door is None:
        yield
        return
    runner = web.AppRunner(pika.callbacks.aiohttp(), access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, door).start()
    try:
        yield
    finally:
        await runner.cleanup()
