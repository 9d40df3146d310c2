"""Answers that are lost on real sockets: one bill each, and how many doubts are left for a person."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

import aiohttp
from aiohttp import web
from attrs import Factory, asdict, define

from benchmarks._campaign import Campaign, Tally
from pika_async import SubmitUnknown
from pika_async.errors import PikaError
from pika_async.sandbox import Sandbox

CLAIM = (
    "where the provider keeps keys, a lost answer is asked for again: one bill each, and no person is needed"
)
_FAULTS = ("cut before", "cut after", "half an answer", "late", "5xx before", "5xx after")
_LATE = 0.3
_AT_ONCE = 200
_DYING, _DEATHS = "pika, owners killed", 3
_JOBS = {"pika": 100, _DYING: 200, "acedata": 50, "duomi": 50}
"""Jobs of each provider for one seed; about a third of all POSTs meet a fault."""


@define(eq=False)
class Line:
    """The way to the provider: a POST meets a fault with probability *chance*; *random* draws its kind."""

    target: str
    random: Random
    chance: float = 0.35
    faults: Counter[str] = Factory(Counter)
    held: bool = False
    posts: int = 0
    under_way: int = 0
    _arrived: asyncio.Event = Factory(asyncio.Event)

    async def relay(self, request: web.Request) -> web.StreamResponse:
        is_post = request.method == "POST"
        self.posts += is_post
        self.under_way += is_post
        self._arrived.set()
        try:
            return await self._relay(request)
        except ConnectionError:
            return _cut(request)  # whoever asked has died
        finally:
            self.under_way -= is_post

    async def reached(self, posts: int) -> None:
        """Wait until that many POSTs have come, and one of them has no answer yet."""
        while self.posts < posts or not self.under_way:
            self._arrived.clear()
            await self._arrived.wait()

    async def _relay(self, request: web.Request) -> web.StreamResponse:
        fault = (
            self.random.choice(_FAULTS)
            if request.method == "POST" and self.random.random() < self.chance
            else ""
        )
        self.faults[fault] += bool(fault)
        if self.held and request.method == "POST" and not fault:
            await asyncio.sleep(_LATE)  # so that an owner dies with answers under way
        if fault == "cut before":
            return _cut(request)
        if fault == "5xx before":
            return web.Response(status=502, text="Bad Gateway")
        status, headers, body = await self._forward(request)
        match fault:
            case "cut after":
                return _cut(request)
            case "5xx after":
                return web.Response(status=503, text="Service Unavailable")
            case "late":
                await asyncio.sleep(_LATE)
            case "half an answer":
                half = web.StreamResponse(status=status, headers={"content-length": str(len(body))})
                await half.prepare(request)
                await half.write(body[: len(body) // 2])
                return _cut(request)
        return web.Response(status=status, headers=headers, body=body)

    async def _forward(self, request: web.Request) -> tuple[int, dict[str, str], bytes]:
        session = request.app[_SESSION]
        headers = {k: v for k, v in request.headers.items() if k.lower() not in {"host", "content-length"}}
        async with session.request(
            request.method, self.target + request.path_qs, headers=headers, data=await request.read()
        ) as answer:
            return answer.status, {"content-type": answer.content_type}, await answer.read()


_SESSION: web.AppKey[aiohttp.ClientSession] = web.AppKey("session", aiohttp.ClientSession)


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


@asynccontextmanager
async def line_to(sandbox: Sandbox, seed: int) -> AsyncIterator[tuple[Line, str]]:
    """Open a faulty line to *sandbox*; returns its address as well."""
    line = Line(sandbox.url, Random(seed))
    app = web.Application(client_max_size=2**24)
    app.router.add_route("*", "/{path:.*}", line.relay)
    async with aiohttp.ClientSession() as session:
        app[_SESSION] = session
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            yield line, f"http://127.0.0.1:{runner.addresses[0][1]}"
        finally:
            await runner.cleanup()


@define
class Became:
    """What became of a provider's jobs."""

    faults: int = 0
    killed: int = 0
    jobs: int = 0
    videos: int = 0
    doubts: int = 0
    refused: int = 0
    bought_twice: int = 0


async def tried(provider: str, jobs: int, seed: int) -> Became:
    """Order *jobs* videos over the faulty line, and count."""
    tally = Became(jobs=jobs)
    async with Sandbox(render_time=0.0) as sandbox, line_to(sandbox, seed) as (line, url):
        async with sandbox.client(provider, base_url=url, max_concurrency=jobs) as pika:
            room = asyncio.Semaphore(_AT_ONCE)

            async def order(number: int) -> None:
                async with room:
                    try:
                        await pika.generate(f"A cat, number {number}", timeout=None)
                        tally.videos += 1
                    except SubmitUnknown:
                        tally.doubts += 1
                    except PikaError:
                        tally.refused += 1

            await asyncio.gather(*(order(number) for number in range(jobs)))
        tally.faults = line.faults.total()
        tally.bought_twice = sum(count - 1 for count in sandbox.billed.values())
    return tally


async def with_dead_owners(jobs: int, seed: int, deaths: int) -> Became:
    """Order *jobs* videos of `pika` in a process that is killed *deaths* times while POSTs are under way.

    The same faulty line lies before the provider. What a dead owner had sent is asked for by the next one.
    """
    random, found = Random(seed), Became(jobs=jobs)
    with TemporaryDirectory() as folder:
        async with Sandbox(render_time=0.0) as sandbox, line_to(sandbox, seed) as (line, url):
            line.held = True
            for _ in range(deaths):
                owner = await _owner(url, sandbox.media_host, Path(folder, "jobs.db"), jobs)
                wanted = line.posts + random.randint(1, max(1, jobs // (2 * deaths)))
                ended = asyncio.ensure_future(owner.wait())
                seen = asyncio.ensure_future(line.reached(wanted))
                await asyncio.wait([ended, seen], return_when=asyncio.FIRST_COMPLETED)
                seen.cancel()
                if owner.returncode is None:
                    line.faults["killed owner"] += line.under_way
                    owner.kill()
                await owner.communicate()
            line.held = False
            last = await _owner(url, sandbox.media_host, Path(folder, "jobs.db"), jobs)
            told, _ = await last.communicate()
            seen = json.loads(told)
            found.videos, found.doubts, found.refused = seen["videos"], seen["doubts"], seen["refused"]
        found.faults = line.faults.total()
        found.killed = line.faults["killed owner"]
        found.bought_twice = sum(count - 1 for count in sandbox.billed.values())
    return found


async def _owner(url: str, media_host: str, ledger: Path, jobs: int) -> asyncio.subprocess.Process:
    order = (url, media_host, str(ledger), "0", str(jobs))
    return await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks._owner", *order, stdout=asyncio.subprocess.PIPE
    )


def one(seed: int) -> Tally:
    """Order from the provider that keeps keys, also in processes that die, and from two that do not."""
    logging.getLogger("pika_async").setLevel(logging.ERROR)  # each doubt is counted below
    tally = Tally()
    for name, jobs in _JOBS.items():
        dies = name == _DYING
        found = asyncio.run(with_dead_owners(jobs, seed, _DEATHS) if dies else tried(name, jobs, seed))
        tally.counts.update({f"{what}, {name}": count for what, count in asdict(found).items()})
        tally.counts["faults"] += found.faults
        tally.counts["bought twice"] += found.bought_twice
        if found.bought_twice:
            tally.broken.append(f"{found.bought_twice} of {name} were bought twice")
    if doubts := tally.counts["doubts, pika"] + tally.counts[f"doubts, {_DYING}"]:
        tally.broken.append(f"{doubts} doubts of a provider that keeps keys")
    return tally


CAMPAIGN = Campaign(
    name="replay",
    claim=CLAIM,
    one=one,
    quick=1,
    full=100,
    none=("bought twice", "doubts, pika", f"doubts, {_DYING}"),
    least={"faults": 10_000},
)
measure = CAMPAIGN.measure

if __name__ == "__main__":
    CAMPAIGN.main()
