"""What durability costs: a disk of 4 ms per commit, the CPU of SQLite, a file full of the past."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks._contest import Turn, compete
from benchmarks._report import Cell, Figure, Report
from benchmarks._server import Server

CLAIM = "durable jobs/s at 32 concurrent with 4 ms per commit; CPU over memory's; a million finished rows"


async def buy(
    url: str, *, jobs: int, path: str | None = None, delay: float = 0.0, finished: int = 0
) -> dict[str, Any]:
    """Buy *jobs* videos by 32 callers at once; *delay* seconds come on top of every commit."""
    from pika_async import Pika

    with TemporaryDirectory() as folder:
        ledger: Any = None
        if path is not None:
            ledger = _ledger(Path(path) if finished else Path(folder) / "jobs.db", delay)
        async with Pika(
            "acedata",
            api_key="sandbox-benchmark",
            base_url=url,
            poll_rate=None,
            poll_interval=0.005,
            max_concurrency=32,
            ledger=ledger,
        ) as pika:
            numbers = iter(range(jobs))

            async def caller() -> None:
                for number in numbers:
                    assert (await pika.generate(f"A cat surfing at sunset, number {number}")).id

            started, cpu = time.perf_counter(), time.process_time()
            await asyncio.gather(*(caller() for _ in range(32)))
            return {"bought": time.perf_counter() - started, "bought_cpu": time.process_time() - cpu}


def _ledger(path: Path, delay: float) -> Any:
    from pika_async._ledger.sqlite import SqliteLedger, commit

    def slow(connection: sqlite3.Connection) -> None:
        time.sleep(delay)
        commit(connection)

    return SqliteLedger(path, commit=slow if delay else commit)


async def fill(url: str, *, path: str, finished: int) -> None:
    """Make a ledger of one real job, then *finished* likenesses of it, so that the rows are what we write."""
    from pika_async import Pika

    async with Pika(
        "acedata", api_key="sandbox-benchmark", base_url=url, poll_interval=0.02, ledger=path
    ) as pika:
        await pika.generate("A cat surfing at sunset")
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("CREATE TEMP TABLE copies (seq INTEGER PRIMARY KEY, name TEXT)")
        connection.execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) "
            "INSERT INTO copies SELECT i + 1, lower(hex(randomblob(10))) FROM n",
            (finished,),
        )
        for table in ("jobs", "job_attempts", "history"):
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            own = "copies.name" if table == "jobs" else "copies.name || '-1'"
            anew = {
                "seq": "copies.seq",
                "job": "copies.seq",
                "id": own,
                "task_id": "CAST(copies.name AS BLOB)",
                "winner": "copies.name || '-1'",
            }
            values = ", ".join(anew.get(column, f"{table}.{column}") for column in columns)
            connection.execute(f"INSERT INTO {table} SELECT {values} FROM {table}, copies")
    connection.close()


def measure(*, full: bool) -> Report:
    """3,000 jobs a round and 5 rounds, in quick form 300 and 3; a million finished rows, or 30,000.

    Renders are done at once, and looked at after 5 ms, so that commits are what a job waits for.
    """
    jobs, rounds, finished = (3_000, 5, 1_000_000) if full else (300, 3, 30_000)
    with TemporaryDirectory() as folder, Server() as server:
        past = f"{folder}/past.db"
        turns = {
            f"past of {finished:,}: filling": Turn(
                call="benchmarks.ledger:fill",
                arguments={"path": past, "finished": finished},
                warm_up={"path": f"{folder}/warm.db", "finished": 10},
                patience=300.0,
            )
        }
        filled = compete(server, turns, rounds=1)

        def turn(**arguments: Any) -> Turn:
            arguments = {"jobs": jobs, **arguments}
            return Turn(call="benchmarks.ledger:buy", arguments=arguments, warm_up={"jobs": 100})

        turns = {
            "memory": turn(),
            "SQLite": turn(path=""),
            f"SQLite, {finished:,} finished": turn(path=past, finished=finished),
            "SQLite, 4 ms per commit": turn(path="", delay=0.004),
        }
        outcome = compete(server, turns, rounds=rounds)
    memory, plain, full_of_past, slow = turns
    costs = {name: outcome.median(name, "bought_cpu") / jobs for name in outcome.samples}
    rows: list[dict[str, Cell]] = [
        {
            "ledger": name,
            "jobs/s": jobs / outcome.median(name, "bought"),
            "CPU us/job": cost * 1e6,
            "CPU over memory's": cost / costs[memory],
            "requests/job": outcome.median(name, "requests") / jobs,
        }
        for name, cost in costs.items()
    ]

    def ratio(one: str, other: str) -> float | None:
        return costs[one] / costs[other] if one in costs and other in costs else None

    speed = jobs / outcome.median(slow, "bought") if slow in outcome else None
    figures = [
        Figure(name="4 ms per commit, 32 concurrent: durable jobs/s", value=speed, goal=500.0, at_least=True),
        Figure(name="CPU per job with SQLite over memory's", value=ratio(plain, memory), goal=1.4),
        Figure(
            name=f"CPU per job with {finished:,} finished rows over none",
            value=ratio(full_of_past, plain),
            goal=1.05,
        ),
    ]
    return Report(
        name="ledger",
        claim=CLAIM,
        quick=not full,
        rows=rows,
        figures=figures,
        remarks=[*filled.remarks, *outcome.remarks],
    )
