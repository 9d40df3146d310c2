"""One simulated process: a client, its loop, its callers; it may be killed between any two callbacks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from benchmarks.simulation.clock import SimulatedClock
from benchmarks.simulation.loop import SimulatedLoop
from benchmarks.simulation.media import Folder, Opened, SimulatedMedia
from benchmarks.simulation.network import SimulatedTransport
from benchmarks.simulation.plan import RECEIVER, Order
from pika_async import Pika
from pika_async._ledger.change import Change
from pika_async._ledger.events import Refused
from pika_async._ledger.records import AttemptState
from pika_async.callbacks import Callbacks
from pika_async.errors import ConfigError, PikaError
from pika_async.results import VideoResult

if TYPE_CHECKING:
    from benchmarks.simulation.world import World


def _queues_again(change: Change) -> bool:
    refused = change.moved and isinstance(change.event, Refused)
    return refused and change.after.newest.state is AttemptState.QUEUED


class Process:
    """What runs under one process id; after its death another one takes its place."""

    def __init__(self, world: World, name: str, ledger: Any) -> None:
        self.world = world
        self.name = name
        self.alive = True
        self.ready = False
        self.closed = self._closing = False
        self.stopped_until = 0.0
        self.doom: int | None = None
        self._fuse: int | None = None
        self.pika: Pika | None = None
        self._new_ledger = ledger
        self.ledger = ledger(self)
        chance = world.chances[f"threads of {name}"]
        self.loop = SimulatedLoop(lambda: world.now, lambda: chance.choice((0.0, 0.01)), self._broken)
        self.clock = SimulatedClock(world, self.loop)
        self._opened = asyncio.Event()
        self.files = Opened()
        self.callers: dict[asyncio.Task[Any], str] = {}

    def _broken(self, what: str) -> None:
        if self.alive:
            self.world.broken(f"an error that nobody caught: {what}")

    # What the world asks.

    def next_at(self) -> float:
        """Return when something is due; infinity where nothing is."""
        if not self.alive:
            return float("inf")
        when = self.loop.next_at()
        return max(when, self.stopped_until)

    def step(self) -> None:
        self.loop.step(self._goes_on)

    def _goes_on(self) -> bool:
        if self._fuse is not None:
            self._fuse -= 1
            if self._fuse < 0:
                self.kill()
        return self.alive and self.stopped_until <= self.world.now

    def passed(self, what: str) -> None:
        """Note a moment in which a process may die."""
        if self.doom is not None:
            self.doom -= 1
            if self.doom == 0:
                self.doom = None
                self._fuse = self.world.chances["fuse"].choice((0, 0, 1, 2, 3, 5, 8))

    def kill(self) -> None:
        """End here, with all that is in memory."""
        self.alive = False
        self._fuse = None
        self.world.log(f"{self.name} is killed")
        self.world.happened["crash"] += 1
        self.ledger.die()
        self.files.die()

    def over(self) -> None:
        """Note that the client is closed, and so the process has ended by itself."""
        self.world.log(f"{self.name} has ended")
        self.alive = False
        self.files.die()

    # As the ledger's disk.

    def pause(self) -> float:
        return self.world.pause()

    def fate(self) -> Any:
        return self.world.fate()

    def changed(self, change: Any) -> None:
        self.world.changed(change)
        if self.doom is not None and not self.world.plan.returns and _queues_again(change):
            # Whoever waits for the job elsewhere is to send what this process has queued.
            self.doom, self._fuse = None, self.world.chances["fuse"].choice((0, 1, 3, 100))

    # What runs in it.

    def start(self, *, recover: bool) -> None:
        self.world.log(f"{self.name} starts")
        self._begin("main", self._main(recover))

    def _begin(self, name: str, coro: Any) -> asyncio.Task[Any]:
        task = self.loop.create_task(coro)
        self.callers[task] = name
        return task

    async def _main(self, recover: bool) -> None:
        world = self.world
        while True:
            self.pika = pika = Pika(
                *world.adapters,
                ledger=self.ledger,
                max_concurrency=world.plan.slots,
                transport=SimulatedTransport(world, self.passed, lambda: self.alive),
                clock=self.clock,
                callbacks=Callbacks(public_url=RECEIVER) if world.plan.pushes else None,
            )
            try:
                await pika.__aenter__()
                break
            except PikaError as error:
                world.log(f"{self.name} cannot open: {error.message}")
                await asyncio.sleep(1.0)
                self.ledger = self._new_ledger(self)
        pika._lifecycle._media = SimulatedMedia(world, self.passed)
        self.ready = True
        self._opened.set()
        if recover:
            await self.recover()

    async def recover(self) -> None:
        """Take over everything, and have bought what was never sent."""
        while True:
            try:
                jobs = await self.pika.recover(queued=True)
            except PikaError as error:
                self.world.log(f"{self.name} cannot recover: {error.message}")
                await asyncio.sleep(1.0)
            else:
                self.world.log(f"{self.name} recovered {len(jobs)}")
                return

    async def receive(self, url: str, headers: Mapping[str, str], body: bytes, *, cut: bool) -> None:
        """Let the client's receiver answer a callback; of one that is *cut* the line breaks."""

        async def chunks() -> AsyncGenerator[bytes]:
            yield body
            if cut:
                raise ConnectionError

        reply = await self.pika.callbacks.answer("POST", urlsplit(url).path, headers, chunks())
        self.world.log(f"{self.name} answers a callback: {reply.status}")

    def order(self, order: Order, *, stays: bool = False) -> None:
        """Have a caller order, and perhaps leave; one that *stays* does not."""
        task = self._begin(order.prompt, self._order(order))
        if order.leaves_after is not None and not stays and "cancel" in self.world.plan.faults:
            self.loop.call_later(order.leaves_after, self._leave, task, order)

    def _leave(self, task: asyncio.Task[Any], order: Order) -> None:
        if not task.done():
            self.world.happened["cancel"] += 1
            self.world.log(f"the caller of {order.prompt} leaves")
            if self._waits_for(order.prompt) <= 1:
                self.world.asked[order.prompt].cancelled = True
            task.cancel()

    def _waits_for(self, prompt: str) -> int:
        """Return how many callers wait for the job of an order, here and now."""
        if not self.ready:
            return 0
        flights = self.pika._lifecycle._engine.desk.flights.values()
        return sum(len(flight._waits) for flight in flights if self.world.prompt_of(flight.id) == prompt)

    async def _order(self, order: Order) -> None:
        asked = self.world.asked[order.prompt]
        await self._opened.wait()
        try:
            video = await self.pika.generate(
                order.prompt,
                timeout=order.patience,
                idempotency_key=f"key {order.number}" if order.key else None,
            )
        except PikaError as error:
            self._told(order, asked, error)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # noqa: BLE001 - the law: callers see our errors alone
            self.world.broken(f"a caller was told {error!r}")
        else:
            self.world.log(f"caller of {order.prompt}: video {video.id}")
            asked.videos.add(video.video_url)
            asked.told.append("video")
            asked.free = False
            if self.world.folder is not None:
                await self._save(order, video, self.world.folder)

    async def _save(self, order: Order, video: VideoResult, folder: Folder) -> None:
        """Download until the video is there, whoever brings it; the client may be closed meanwhile."""
        while folder.saved(order.number) is None:
            try:
                saved = await self.pika.download(video, folder.file(order.number))
            except ConfigError:
                return
            except PikaError as error:
                self.world.log(f"{order.prompt} is not saved: {type(error).__name__}")
                await asyncio.sleep(5.0)
            else:
                self.world.log(f"{order.prompt} is saved{', resumed' if saved.resumed else ''}")
                self.world.happened["downloads"] += 1
                self.world.happened["downloads, resumed"] += saved.resumed
                self.world.asked[order.prompt].saved = True

    def _told(self, order: Order, asked: Any, error: PikaError) -> None:
        kind = type(error).__name__
        self.world.log(f"caller of {order.prompt}: {kind}, charged {error.charged}: {error.message}")
        asked.told.append(kind)
        asked.free = error.charged == "no"
        given_up = asked.cancelled or (self._closing and not self.world.remembers)
        if error.message.startswith("The job was cancelled") and not given_up:
            self.world.broken(f"{order.prompt} is called cancelled, and nobody wanted that")
        # One that is stopped while it closes tells what it read before.
        knows = not (self.closed and "stop" in self.world.plan.faults)
        if error.charged == "no" and knows:
            bought = [d for d in asked.departures if d.number not in asked.refused]
            if any(bill.prompt == order.prompt for s in self.world.servers.values() for bill in s.bills):
                self.world.broken(f"{order.prompt} is called free and was bought ({kind})")
            elif bought and not asked.resubmits:
                self.world.broken(f"{order.prompt} is called free and may be bought ({kind})")

    def close(self) -> asyncio.Task[Any]:
        """Close the client; without a ledger, what was never sent is cancelled."""
        self._closing = True
        return self.begin(self.pika.aclose())

    async def decide(self) -> None:
        """Have a person settle one of the unresolved jobs, as the plan says."""
        word = self.world.plan.word
        try:
            jobs = await self.pika.jobs("unresolved")
        except PikaError:
            return
        for job in jobs:
            prompt = self.world.prompt_of(job.id)
            try:
                if word == "resubmit":
                    self.world.asked[prompt].resubmits += 1
                    await job.resubmit()
                elif word == "abandon":
                    await job.abandon()
                self.world.log(f"a person says of {prompt}: {word}")
            except ConfigError as error:
                self.world.log(f"a person says of {prompt}: {word}, in vain: {error.message}")
            except PikaError as error:
                self.world.log(f"a person says of {prompt}: {word}, unheard: {error.message}")

    def begin(self, coro: Any) -> asyncio.Task[Any]:
        return self._begin("errand", coro)
