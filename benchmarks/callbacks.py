"""How soon the caller has what the provider pushed."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from benchmarks._contest import Turn, compete
from benchmarks._report import Cell, Figure, Report
from benchmarks._server import Server

CLAIM = "callbacks: from the provider's POST to the caller's result"


async def pushed(url: str, *, jobs: int, budget: float | None) -> dict[str, Any]:
    """Buy *jobs* videos with callbacks on, and note when each result is there."""
    from aiohttp import web

    from pika_async import Pika
    from pika_async.callbacks import Callbacks

    found: dict[str, float] = {}
    app = web.Application()
    runner = web.AppRunner(app, access_log=None)
    site_port = _free_port()
    callbacks = Callbacks(
        public_url=f"http://127.0.0.1:{site_port}/pika", secret="for a benchmark only, not secret"
    )
    async with Pika(
        "acedata",
        api_key="sandbox-benchmark",
        base_url=url,
        poll_rate=budget,
        max_concurrency=jobs,
        callbacks=callbacks,
    ) as pika:
        app.add_subapp("/pika", pika.callbacks.aiohttp())
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", site_port).start()

            async def bought(number: int) -> None:
                task = (await pika.generate(f"A cat surfing at sunset, number {number}")).id or ""
                found[task] = time.monotonic()

            await asyncio.gather(*(bought(number) for number in range(jobs)))
        finally:
            await runner.cleanup()
    return {"found": found}


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def measure(*, full: bool) -> Report:
    """1,000 jobs of 3 to 8 s, in quick form 100 of 1 to 2 s; the receiver is an aiohttp application.

    One look a second confirms fifty ends. With that budget the renders take up to 33 s, in quick form 4 s:
    were there more than fifty ends a second, the queue for the budget would be what is measured.
    """
    jobs, ends, shortest = (1_000, 5.0, 3.0) if full else (100, 1.0, 1.0)
    spreads = {None: ends, 1.0: 6.0 * ends if full else 3.0 * ends}
    turns = {
        name: Turn(
            call="benchmarks.callbacks:pushed",
            arguments={"jobs": jobs, "budget": budget},
            renders=(shortest, shortest + spreads[budget]),
            warm_up={"jobs": 5, "budget": None},
            rounds=1 if budget else 3,
        )
        for name, budget in (("no budget", None), ("default budget", 1.0))
    }
    with Server() as server:
        outcome = compete(server, turns, rounds=3 if full else 1)

    def p50(sample: dict[str, Any]) -> float:
        waits = sorted(
            sample["found"][task] - at for task, at in sample["posted"].items() if task in sample["found"]
        )
        return float(waits[len(waits) // 2])

    rows: list[dict[str, Cell]] = [
        {
            "polling": name,
            "p50 ms": outcome.median(name, p50) * 1e3,
            "requests/job": outcome.median(name, "requests") / jobs,
        }
        for name in outcome.samples
    ]
    figures = [
        Figure(
            name=f"p50, {name}",
            value=outcome.median(name, p50) * 1e3 if name in outcome else None,
            goal=goal,
            unit="ms",
        )
        for name, goal in (("no budget", 100.0), ("default budget", 1_200.0))
    ]
    return Report(
        name="callbacks", claim=CLAIM, quick=not full, rows=rows, figures=figures, remarks=outcome.remarks
    )
