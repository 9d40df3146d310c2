"""A fleet seen from outside: one process that enqueues, workers that die, and a provider that counts.

It knows the public API, the command line and the database's address, and nothing else.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from random import Random

from anyio.from_thread import start_blocking_portal
from attrs import Factory, define

from pika_async import Job, LedgerError, Pika
from pika_async.sandbox import Sandbox
from tests.postgres import Cluster

_KEY = "sandbox-key"
_STARTS_WITHIN = 60.0


@define(eq=False)
class Fleet:
    """Workers on one ledger, in front of one provider."""

    cluster: Cluster
    provider: Sandbox
    options: tuple[str, ...] = ()
    pool: Cluster | None = None
    environment: dict[str, str] = Factory(dict)
    program: tuple[str, ...] = ("-m", "pika_async")
    stderr: int | None = None
    workers: list[asyncio.subprocess.Process] = Factory(list)
    stopped: list[asyncio.subprocess.Process] = Factory(list)
    done: Counter[str] = Factory(Counter)

    @property
    def dsn(self) -> str:
        """The database of the ledger, or the pool in front of it."""
        return (self.pool or self.cluster).dsn()

    def client(self) -> Pika:
        """Return a client that records and waits."""
        return Pika("acedata", ledger=self.dsn, work=False)

    async def start(self, count: int = 1) -> None:
        """Start workers, and return when each says that it works."""
        async with asyncio.timeout(_STARTS_WITHIN):
            await asyncio.gather(*(self._started() for _ in range(count)))

    async def _started(self) -> None:
        """Start a worker, and another as long as it ends because no database answers: supervisors do so."""
        words = ("work", "acedata", "--ledger", self.dsn, *self.options)
        variables = {
            **os.environ,
            "ACEDATA_BASE_URL": self.provider.url,
            "ACEDATA_API_KEY": _KEY,
            "PIKA_ASYNC_MEDIA_HOST": self.provider.media_host,
            "PYTHONUNBUFFERED": "1",
            "NO_PROXY": "127.0.0.1",
            **self.environment,
        }
        while True:
            worker = await asyncio.create_subprocess_exec(
                sys.executable,
                *self.program,
                *words,
                env=variables,
                stdout=asyncio.subprocess.PIPE,
                stderr=self.stderr,
            )
            self.workers.append(worker)
            assert worker.stdout is not None
            async for line in worker.stdout:
                if b"Working on" in line:
                    return
            assert await worker.wait() == 1, "the worker ended"
            self.workers.remove(worker)
            self.done["restarted"] += 1
            await asyncio.sleep(1.0)

    async def kill(self, chance: Random) -> None:
        """Kill a worker, and start another."""
        worker = self.workers.pop(chance.randrange(len(self.workers)))
        worker.kill()
        await worker.wait()
        self.done["killed"] += 1
        await self.start()

    async def suspend(self, chance: Random, seconds: float) -> None:
        """Stop a worker in the middle of whatever it does, and let it go on later."""
        worker = chance.choice(self.workers)
        worker.send_signal(signal.SIGSTOP)
        self.done["suspended"] += 1
        await asyncio.sleep(seconds)
        worker.send_signal(signal.SIGCONT)

    async def roll(self) -> None:
        """Replace all workers one by one, as a deployment does."""
        for worker in tuple(self.workers):
            worker.terminate()
            assert await worker.wait() == 0
            self.workers.remove(worker)
            self.done["rolled"] += 1
            await self.start()

    async def cut(self, count: int) -> None:
        """Break connections to the database, whosever they are."""
        ended = await asyncio.to_thread(
            self.cluster.sql,
            "SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM pg_stat_activity WHERE "
            f"backend_type = 'client backend' AND pid <> pg_backend_pid() ORDER BY random() LIMIT {count}) x",
        )
        self.done["cut"] += ended[0][0]

    async def crash(self) -> None:
        """Let the database crash, and start it again."""
        await asyncio.to_thread(self.cluster.control, "-m", "immediate", "stop")
        await asyncio.to_thread(self.cluster.start)
        self.done["crashed"] += 1

    async def end(self) -> None:
        """End every worker, the dead ones too."""
        for worker in self.workers:
            if worker.returncode is None:
                worker.send_signal(signal.SIGCONT)
                worker.kill()
        for worker in self.workers:
            await worker.wait()


@asynccontextmanager
async def fleet(
    cluster: Cluster, render_time: float, *options: str, pool: Cluster | None = None
) -> AsyncIterator[Fleet]:
    """Make a provider and a fleet without workers.

    The provider has a thread of its own: it drops what a dead worker sent if it stands still meanwhile, as it
    would in a loop that starts and kills processes.
    """
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(Sandbox(render_time=render_time)) as provider,
    ):
        made = Fleet(cluster, provider, options, pool)
        try:
            yield made
        finally:
            await made.end()


async def enqueued(pika: Pika, prompt: str) -> Job:
    """Enqueue as a web application does: with a key, and once more when the database is away."""
    while True:
        try:
            return await pika.enqueue(prompt, idempotency_key=f"order {prompt}")
        except LedgerError:
            await asyncio.sleep(0.2)


@define
class Tally:
    """What a run came to; *states* counts the jobs by how they ended."""

    jobs: int
    seconds: float
    double: int
    lost: int
    states: Counter[str]
    done: Counter[str]

    @property
    def well(self) -> bool:
        """Whether everything was bought once and has ended with a video."""
        return not self.double and not self.lost and self.states == {"succeeded": self.jobs}


async def counted(made: Fleet, prompts: list[str], jobs: list[Job], began: float, patience: float) -> Tally:
    """Wait for every job, and let the provider count."""

    async def end(job: Job) -> str:
        while True:
            try:
                await job.wait(patience)
            except LedgerError:
                await asyncio.sleep(0.2)
            except Exception as error:  # noqa: BLE001 - whatever became of it is counted
                return f"{type(error).__name__}: {error}"[:90]
            else:
                return str(job.state)

    states = Counter(await asyncio.gather(*map(end, jobs)))
    bought = made.provider.billed
    return Tally(
        jobs=len(jobs),
        seconds=time.monotonic() - began,
        double=sum(bought[prompt] - 1 for prompt in prompts if bought[prompt] > 1),
        lost=sum(not bought[prompt] for prompt in prompts),
        states=states,
        done=made.done,
    )


@define(kw_only=True)
class Plan:
    """How much happens to a fleet, in an order that a seed decides."""

    jobs: int
    workers: int = 3
    kills: int = 0
    stops: int = 0
    stop_seconds: float = 20.0
    cuts: int = 0
    crashes: int = 0
    pause: float = 1.0
    patience: float = 900.0


async def told(cluster: Cluster, plan: Plan, seed: int, pool: Cluster | None = None) -> Tally:
    """Enqueue orders while workers and the database die, deploy once, and count what came of it."""
    chance, began = Random(seed), time.monotonic()
    prompts = [f"cat {seed}.{number}" for number in range(plan.jobs)]
    async with fleet(cluster, 3.0, pool=pool) as made:
        await made.start(plan.workers)
        async with made.client() as shop:

            async def order() -> list[Job]:
                ordered = []
                for prompt in prompts:
                    ordered.append(await enqueued(shop, prompt))
                    await asyncio.sleep(chance.uniform(0, 0.1))
                return ordered

            ordering = asyncio.create_task(order())
            acts = [
                *([partial(made.kill, chance)] * plan.kills),
                *([partial(made.suspend, chance, plan.stop_seconds)] * plan.stops),
                *([partial(made.cut, 5)] * plan.cuts),
                *([made.crash] * plan.crashes),
            ]
            chance.shuffle(acts)
            for act in acts:
                await asyncio.sleep(chance.uniform(0, plan.pause))
                await act()
            await made.roll()
            return await counted(made, prompts, await ordering, began, plan.patience)
