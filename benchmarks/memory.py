"""What a job in flight holds of memory."""

from __future__ import annotations

import time
from statistics import median
from typing import Any

from benchmarks._contest import Turn, compete
from benchmarks._machine import Peak
from benchmarks._report import Cell, Figure, Report
from benchmarks._server import Server
from benchmarks._wires import done_at

CLAIM = "10,000 in flight: peak memory per job, through map and through gather"


async def through_map(url: str, *, jobs: int) -> dict[str, Any]:
    """Buy *jobs* videos through `pika.map`, all in flight at once, keeping no item."""
    from pika_async import Generate, Pika

    delays: list[float] = []
    async with Pika(
        "acedata",
        api_key="sandbox-benchmark",
        base_url=url,
        poll_rate=None,
        max_concurrency=jobs,
    ) as pika:
        with Peak() as peak:
            requests = (Generate(f"A cat surfing at sunset, number {number}") for number in range(jobs))
            async for item in pika.map(requests):
                assert item.result is not None
                delays.append(time.monotonic() - done_at(item.result.id or ""))
    assert len(delays) == jobs
    return {"memory": peak.grown, "p50": median(delays)}


def measure(*, full: bool) -> Report:
    """Resident memory at its peak less that before, in a fresh process. Quick: 2,000 jobs, one round.

    That holds everything: tasks of the caller, results, sockets, buffers, what the allocator keeps.
    """
    jobs, rounds, renders = (10_000, 3, (12.0, 15.0)) if full else (2_000, 1, (2.0, 3.0))
    gather = "benchmarks._work:gather"
    warm_up = {"jobs": 100}

    def turn(call: str, **arguments: Any) -> Turn:
        return Turn(
            call=call, arguments={"jobs": jobs, **arguments}, renders=renders, warm_up=warm_up, fresh=True
        )

    turns = {
        "floor, gather": turn(gather, client="floor", every=1.0, connections=100),
        "ours, gather": turn(gather, client="ours", every=1.0),
        "ours, map": turn("benchmarks.memory:through_map"),
    }
    with Server() as server:
        outcome = compete(server, turns, rounds=rounds)
    kilobytes = {name: outcome.median(name, "memory") / jobs / 1e3 for name in outcome.samples}
    rows: list[dict[str, Cell]] = [{"client": name, "KB/job": value} for name, value in kilobytes.items()]
    figures = [
        Figure(name="through map", value=kilobytes.get("ours, map"), goal=6.0, unit="KB/job"),
        Figure(name="through gather", value=kilobytes.get("ours, gather"), goal=9.0, unit="KB/job"),
    ]
    return Report(
        name="memory", claim=CLAIM, quick=not full, rows=rows, figures=figures, remarks=outcome.remarks
    )
