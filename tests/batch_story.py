"""What happens to a durable batch over many lives of its program, and what the provider saw of it."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import socket
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

from attrs import Factory, define, evolve

from pika_acedata import AceDataEmulator
from pika_async._ledger.records import JobRecord
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.provider import Json
from pika_async.sandbox import CallbackFault, Sandbox
from pika_duomi import DuomiEmulator
from tests.doorway import Doorway
from tests.durable_batch import UNRESOLVED, VIDEO, Orders, run
from tests.kill_points import IN_PROCESS, Point
from tests.world_time import WorldTime

LATER = 600.0
"""Seconds after which every lease, and E, is over."""

_TOO_LONG = 60.0

_processes = multiprocessing.get_context("forkserver")
# All that the program would import, so that a life and its death cost a fork and no second of imports.
_processes.set_forkserver_preload(["pytest", "cattrs", "tests.durable_batch", "pika_async._engine.engine"])


@define(eq=False)
class Counting:
    """An emulator that notes each POST as it arrives, and refuses the first of the prompts *refused_once*."""

    emulator: Any
    posts: Counter[str]
    refused_once: set[str]

    @property
    def paths(self):
        return self.emulator.paths

    def answer(self, request, world, /):
        if request.url.endswith(("/pika/videos", "/pro/generate")):
            prompt = request.body.value["prompt"]
            self.posts[prompt] += 1
            if prompt in self.refused_once:
                self.refused_once.remove(prompt)
                refused = {**request.body.value, "prompt": f"{prompt} sandbox-no-balance"}
                request = evolve(request, body=Json(refused))
        return self.emulator.answer(request, world)


@define(eq=False)
class Child:
    """A run of the program in a process that can be killed and stopped."""

    process: Any
    line: Any
    story: Story
    point: Point | None

    async def heard(self, *kinds: str) -> Any:
        """Wait until the process says something of one of *kinds*; a crash is an error."""
        while True:
            kind, said = await self._said()
            assert kind != "crashed", said
            if kind in kinds:
                return said

    async def reached(self) -> None:
        """Wait until the process stands at its point."""
        if self.point in IN_PROCESS:
            await self.heard("at")
        else:
            await self.story.doorway.reached()

    async def results(self) -> Mapping[str, str]:
        """Wait for its end, and give what became of each prompt."""
        results = await self.heard("ended")
        self._bury()
        return results

    def kill(self) -> None:
        """End the process as the kernel does, at once."""
        self.process.kill()
        assert self._bury() == -signal.SIGKILL

    async def stop(self) -> None:
        """Stop the process, and wait until it stands still."""
        os.kill(self.process.pid, signal.SIGSTOP)
        while not self._stands_still():  # noqa: ASYNC110 - the kernel tells nobody but the parent
            await asyncio.sleep(0)

    def go_on(self) -> None:
        """Let a stopped process, which may also stand at a point, go on."""
        os.kill(self.process.pid, signal.SIGCONT)
        if self.point in IN_PROCESS:
            self.line.send("go on")

    async def _said(self) -> Any:
        loop = asyncio.get_running_loop()
        heard = loop.create_future()
        loop.add_reader(self.line.fileno(), lambda: heard.done() or heard.set_result(None))
        try:
            await heard
        finally:
            loop.remove_reader(self.line.fileno())
        return self.line.recv()

    def _stands_still(self) -> bool:
        # The state follows the name, which is in brackets and may hold some.
        return Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"

    def _bury(self) -> int:
        self.story.alive.remove(self)
        self.process.join()
        code = self.process.exitcode
        self.process.close()
        self.line.close()
        return code


@define(eq=False)
class Story:
    """One ledger, one provider, one time; any number of processes one after the other or together."""

    folder: Path
    provider: str
    sandbox: Sandbox
    doorway: Doorway
    time: WorldTime
    posts: Counter[str]
    refused_once: set[str]
    door: socket.socket | None
    words: Counter[str] = Factory(Counter)
    alive: set[Child] = Factory(set)

    @property
    def ledger(self) -> Path:
        """Return the file of the ledger."""
        return self.folder / "jobs.db"

    def begin(
        self, prompts: Sequence[str], stop_at: Point | None = None, nth: int = 1, **orders: Any
    ) -> Child:
        """Start the program."""
        if stop_at is not None:
            self.doorway.close_at(stop_at, nth)
        ours, theirs = _processes.Pipe()
        told = Orders(
            ledger=orders.pop("ledger", self.ledger),
            time=self.folder / "time",
            url=self.doorway.url,
            prompts=tuple(prompts),
            provider=self.provider,
            stop_at=stop_at,
            nth=nth,
            door=self.door,
            **orders,
        )
        process = _processes.Process(target=run, args=(told, theirs), daemon=True)
        process.start()
        theirs.close()
        child = Child(process, ours, self, stop_at)
        self.alive.add(child)
        return child

    async def killed_at(self, point: Point, prompts: Sequence[str], nth: int = 1, **orders: Any) -> None:
        """Start the program and kill it at *point*."""
        child = self.begin(prompts, point, nth, **orders)
        await child.reached()
        child.kill()

    async def killed_after(self, seconds: float, prompts: Sequence[str]) -> None:
        """Start the program and kill it *seconds* after its first line, wherever it is."""
        child = self.begin(prompts)
        await child.heard("started")
        await asyncio.sleep(seconds)
        child.kill()

    async def ended(self, prompts: Sequence[str] = (), **orders: Any) -> Mapping[str, str]:
        """Let the program run to its end, leaping over all waits."""
        return await self.alone(self.begin(prompts, **orders))

    async def alone(self, child: Child) -> Mapping[str, str]:
        """Let time belong to *child* until its end, and give what became of each prompt."""
        self.time.leaper = child.process.pid
        try:
            return await child.results()
        finally:
            self.time.leaper = 0

    async def reconciled(self, prompts: Sequence[str]) -> set[str]:
        """Run until each job has ended or is unresolved; give the unresolved ones, which the ledger lists."""
        self.time.leap(LATER)
        results = await self.ended(prompts)
        doubtful = {prompt for prompt, result in results.items() if result == UNRESOLVED}
        assert set(results.values()) <= {VIDEO, UNRESOLVED}, results
        assert {job.request.prompt for job in await self.jobs("unresolved")} >= doubtful
        return doubtful

    async def settled(self, prompts: Sequence[str]) -> None:
        """Bring every video home, and see that each was paid for once.

        What is unresolved, and unknown to the provider, is resubmitted. That is a person's work: the program
        surfaced it, the provider's console shows nothing, the word is given.
        """
        doubtful = await self.reconciled(prompts)
        unknown = frozenset(prompt for prompt in doubtful if not self.sandbox.billed[prompt])
        self.words.update(unknown)
        if doubtful - unknown:
            await self.watched()
        if doubtful:
            last = await self.ended(sorted(doubtful), resubmit=unknown)
            assert set(last.values()) == {VIDEO}
        assert self.sandbox.billed == dict.fromkeys(prompts, 1)
        assert all(count <= 1 + self.words[prompt] for prompt, count in self.posts.items())
        assert not self._taken_for_a_copy()

    async def watched(self) -> None:
        """Have the ledger recovered and watched for a while, with nothing bought."""
        await self.ended(unsent_too=False, stay=10.0)

    def _taken_for_a_copy(self) -> bool:
        with closing(sqlite3.connect(self.ledger)) as connection:
            rows = "SELECT 1 FROM history WHERE before = 'queued' AND after = 'ambiguous'"
            return connection.execute(rows).fetchone() is not None

    async def jobs(self, state: str | None = None) -> Sequence[JobRecord]:
        """Read the ledger as `pika-async jobs` does."""
        async with self.opened() as ledger:
            return await ledger.jobs(state, limit=10_000)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[SqliteLedger]:
        """Open the ledger beside the program."""
        ledger = SqliteLedger(self.ledger)
        await ledger.open()
        try:
            yield ledger
        finally:
            await ledger.aclose()


@asynccontextmanager
async def story(
    folder: Path,
    provider: str = "acedata",
    *,
    render_time: float = 0.02,
    receiving: bool = False,
    callback_faults: CallbackFault | None = None,
) -> AsyncIterator[Story]:
    """Begin a story in *folder*; *receiving* callbacks, if so told."""
    time = WorldTime(folder / "time")
    posts: Counter[str] = Counter()
    refused_once: set[str] = set()
    emulator = AceDataEmulator() if provider == "acedata" else DuomiEmulator()
    sandbox = Sandbox(
        render_time=render_time,
        clock=time.wall,
        emulators=[Counting(emulator, posts, refused_once)],
        callback_faults=callback_faults,
    )
    door = socket.create_server(("127.0.0.1", 0), backlog=512) if receiving else None
    async with asyncio.timeout(_TOO_LONG), sandbox, Doorway(sandbox.url) as doorway:
        told = Story(folder, provider, sandbox, doorway, time, posts, refused_once, door)
        try:
            yield told
        finally:
            # Only a test that failed leaves some, and a stopped one would never hear a gentler signal.
            for child in tuple(told.alive):
                child.kill()
            if door is not None:
                door.close()
            time.close()
