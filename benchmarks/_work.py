"""The work that contestants do, the same for each."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median, quantiles
from typing import Any

from benchmarks._clients import opener
from benchmarks._machine import Peak, Stalls
from benchmarks._wires import done_at


@contextmanager
def timed(told: dict[str, Any]) -> Iterator[None]:
    """Note the wall and CPU seconds of the work alone, without the opening and closing of clients."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    told |= {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}


async def sequential(url: str, *, client: str, jobs: int, **options: Any) -> dict[str, Any]:
    """Buy one video after another."""
    told: dict[str, Any] = {}
    async with opener(client)(url, **options) as generate:
        with timed(told):
            for number in range(jobs):
                assert await generate(f"A cat surfing at sunset, number {number}")
    return told


async def gather(
    url: str, *, client: str, jobs: int, at_most: int | None = None, **options: Any
) -> dict[str, Any]:
    """Buy all at once, or *at_most* at a time for clients without such a limit; tells what it took."""
    turns = asyncio.Semaphore(at_most or jobs)
    delays: list[float] = []
    told: dict[str, Any] = {}
    async with opener(client)(url, **options) as generate:

        async def bought(number: int) -> None:
            delays.append(
                -done_at(await generate(f"A cat surfing at sunset, number {number}")) + time.monotonic()
            )

        async def in_turn(number: int) -> None:
            async with turns:
                await bought(number)

        with timed(told), Peak() as peak, Stalls() as stalls:
            await asyncio.gather(*((in_turn if at_most else bought)(number) for number in range(jobs)))
    assert len(delays) == jobs
    return {
        **told,
        "p50": median(delays),
        "p95": quantiles(delays, n=20)[-1],
        "p99": quantiles(delays, n=100)[-1],
        "memory": peak.grown,
        "stall": stalls.longest,
        "busy": stalls.longest_busy,
    }


async def plain_gather(
    url: str, *, client: str, jobs: int, at_most: int | None = None, **options: Any
) -> dict[str, Any]:
    """Buy all at once, with nothing watching."""
    turns = asyncio.Semaphore(at_most or jobs)
    told: dict[str, Any] = {}
    async with opener(client)(url, **options) as generate:

        async def in_turn(number: int) -> str:
            async with turns:
                return await generate(f"A cat surfing at sunset, number {number}")

        with timed(told):
            if at_most:
                done = await asyncio.gather(*(in_turn(n) for n in range(jobs)))
            else:
                done = await asyncio.gather(
                    *(generate(f"A cat surfing at sunset, number {n}") for n in range(jobs))
                )
    assert all(done)
    return told
