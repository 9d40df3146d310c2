"""What a ledger on Postgres does: jobs a second, claims beside a stopped worker, and how soon others know."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from statistics import median, quantiles
from typing import Any

import attrs

from benchmarks._network import network
from benchmarks._report import Cell, Figure, Report
from pika_async._ledger import Ledger
from pika_async._ledger.events import Claim, Evidence, Sending
from pika_async._ledger.postgres import PostgresLedger, link, session
from pika_async._ledger.records import Attempt, JobRecord
from pika_async.requests import Generate
from pika_async.results import Pending, Task
from tests import postgres

CLAIM = "durable jobs/s at 32 at once, trips of a job alone, claims beside a stopped worker, news of others"
_ACCOUNT = "acedata:default"
_NETWORK = 0.001
"""Seconds there and back."""


async def buy(ledger: Ledger, name: str) -> None:
    """Do what the engine does for one job: create, claim, mark, accepted, ended."""
    attempt = Attempt(id=f"{name}-1", job_id=name, number=1, account=_ACCOUNT)
    job = JobRecord(id=name, request=Generate("A cat"), created_at=time.time(), attempts=(attempt,))
    task = Task(name)
    await ledger.create(job)
    for event in (
        Claim(attempt=attempt.id, owner="bench", max_slots=1_000),
        Sending(attempt=attempt.id, owner="bench"),
        Evidence(attempt=attempt.id, snapshot=Pending(task=task), source="answer"),
        Evidence(attempt=attempt.id, snapshot=succeeded(task), source="echo"),
    ):
        change = await ledger.apply(name, event)
        assert change.moved, (event, change)


def succeeded(task: Task) -> Any:
    """Say that *task* made a video."""
    from pika_async.results import State, Succeeded, VideoResult

    video = VideoResult("v", "https://cdn.example.com/v.mp4", None, 5.0, State.SUCCEEDED)
    return Succeeded(task=task, results=(video,))


async def bought(dsn: str, prefix: str, jobs: int, width: int = 32) -> float:
    """Return the seconds in which *jobs* jobs went through, *width* at once."""
    ledger = PostgresLedger(dsn)
    await ledger.open()
    await buy(ledger, f"{prefix}warm")
    numbers = iter(range(jobs))

    async def caller() -> None:
        for number in numbers:
            await buy(ledger, f"{prefix}{number}")

    started = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(width)))
    seconds = time.perf_counter() - started
    await ledger.aclose()
    return seconds


def _several(dsn: str, jobs: int, processes: int) -> float:
    """Return jobs a second of several processes that begin together."""
    orders = [json.dumps({"dsn": dsn, "prefix": f"p{n}-{jobs}-", "jobs": jobs}) for n in range(processes)]
    members = [
        subprocess.Popen([sys.executable, "-m", "benchmarks.fleet", order], stdout=subprocess.PIPE, text=True)
        for order in orders
    ]
    told = [float(member.communicate(timeout=300)[0]) for member in members]
    return processes * jobs / max(told)


async def trips(dsn: str) -> float:
    """Return how often a job alone waits for the database."""
    ledger = PostgresLedger(dsn)
    await ledger.open()
    await buy(ledger, "trip-warm")
    count, really = 0, link.answers

    async def counted(connection: Any, statements: Any) -> Any:
        nonlocal count
        # A job does not wait for others to be told.
        count += not any(b"pg_notify" in each.sql for each in statements)
        return await really(connection, statements)

    session.answers = link.answers = counted  # type: ignore[attr-defined]
    try:
        for number in range(20):
            await buy(ledger, f"trip-{number}")
    finally:
        session.answers = link.answers = really  # type: ignore[attr-defined]
        await ledger.aclose()
    return count / 20


def beside_a_stopped_worker(dsn: str, claims: int) -> list[float]:
    """Return the seconds of each claim by 20 ledgers on one account, while a process is stopped at work.

    They are in four processes, because 20 in one wait for each other's Python, which no fleet does.
    """
    order = json.dumps({"dsn": dsn, "prefix": "stopped-", "jobs": 1_000_000})
    stopped = subprocess.Popen([sys.executable, "-m", "benchmarks.fleet", order], stdout=subprocess.DEVNULL)
    time.sleep(5.0)
    stopped.send_signal(signal.SIGSTOP)
    try:
        orders = [json.dumps({"dsn": dsn, "prefix": f"c{n}", "claims": claims}) for n in range(4)]
        told = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.fleet", order],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for order in orders
        ]
        for one in told:
            assert one.stdout is not None
            one.stdout.readline()
        for one in told:
            assert one.stdin is not None
            one.stdin.close()
            one.stdin = None
        return [seconds for one in told for seconds in json.loads(one.communicate(timeout=300)[0])]
    finally:
        stopped.kill()
        stopped.wait()


async def claimed(dsn: str, prefix: str, claims: int) -> list[float]:
    """Return the seconds of each claim by five ledgers on one account; begins when its stdin ends."""
    ledgers = [PostgresLedger(dsn) for _ in range(5)]
    for ledger in ledgers:
        await ledger.open()
    took: list[float] = []
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)

    async def claim(ledger: Ledger, place: int) -> None:
        for number in range(claims):
            name = f"{prefix}-{place}-{number}"
            attempt = Attempt(id=f"{name}-1", job_id=name, number=1, account=_ACCOUNT)
            await ledger.create(JobRecord(id=name, request=None, created_at=1.0, attempts=(attempt,)))
            started = time.perf_counter()
            change = await ledger.apply(name, Claim(attempt=attempt.id, owner="bench", max_slots=100_000))
            took.append(time.perf_counter() - started)
            assert change.moved

    await asyncio.gather(*(claim(ledger, place) for place, ledger in enumerate(ledgers)))
    for ledger in ledgers:
        await ledger.aclose()
    return took


async def news(dsn: str, rounds: int, **options: Any) -> list[float]:
    """Return the seconds from the call that changes a job until another ledger tells of it."""
    one, two = PostgresLedger(dsn, **options), PostgresLedger(dsn)
    prefix = f"news{len(options)}-"
    for ledger in (one, two):
        await ledger.open()
    names = [f"{prefix}{number}" for number in range(rounds)]
    for name in names:
        attempt = Attempt(id=f"{name}-1", job_id=name, number=1, account=_ACCOUNT)
        await one.create(JobRecord(id=name, request=None, created_at=1.0, attempts=(attempt,)))
    await one.news()
    took: list[float] = []
    for name in names:
        started = time.perf_counter()
        await two.apply(name, Claim(attempt=f"{name}-1", owner="bench"))
        while name not in (await one.news() or ()):  # noqa: ASYNC110 - so do those who ask
            await asyncio.sleep(0.001)
        took.append(time.perf_counter() - started)
    for ledger in (one, two):
        await ledger.aclose()
    return took


def measure(*, full: bool) -> Report:
    """3,000 jobs in each process and 100 claims of each ledger; in quick form 300 and 10."""
    jobs, claims, rounds = (3_000, 100, 200) if full else (300, 10, 30)
    with postgres.running(fsync="on", full_page_writes="on", max_connections=120) as cluster:
        dsn = cluster.dsn()
        alone = jobs / asyncio.run(bought(dsn, "one-", jobs))
        three = _several(dsn, jobs, 3)
        waits = asyncio.run(trips(dsn))
        took = beside_a_stopped_worker(dsn, claims)
        heard = asyncio.run(news(dsn, rounds))
        deaf = asyncio.run(news(dsn, 5, listen_dsn=f"postgresql://127.0.0.1:{postgres.free_port()}/x"))
    with postgres.running(fsync="on", commit_delay=2_000, commit_siblings=0) as cluster:
        slow = jobs / asyncio.run(bought(cluster.dsn(), "slow-", jobs))
        with network(cluster.port, _NETWORK) as port:
            far = jobs / asyncio.run(bought(attrs.evolve(cluster, port=port).dsn(), "far-", jobs))
    rows: Sequence[dict[str, Cell]] = [
        {"case": "one process, 32 at once", "jobs/s": round(alone)},
        {"case": "three processes, 32 at once each", "jobs/s": round(three)},
        {"case": "one process, 2 ms more for each flush", "jobs/s": round(slow)},
        {"case": "one process, 1 ms of network and 2 ms more for each flush", "jobs/s": round(far)},
    ]
    return Report(
        name="fleet",
        claim=CLAIM,
        quick=not full,
        rows=rows,
        figures=[
            Figure(name="one process", value=alone, goal=700, unit="jobs/s", at_least=True),
            Figure(name="three processes", value=three, goal=900, unit="jobs/s", at_least=True),
            Figure(name="2 ms a flush", value=slow, goal=300, unit="jobs/s", at_least=True),
            Figure(name="1 ms away, 2 ms a flush", value=far, goal=300, unit="jobs/s", at_least=True),
            Figure(name="round trips of a job alone", value=waits, goal=5),
            Figure(name="claim beside a stopped worker, p99", value=_p99(took) * 1e3, goal=100, unit="ms"),
            Figure(name="the slowest of them", value=max(took) * 1e3, goal=1_000, unit="ms"),
            Figure(name="news, p50", value=median(heard) * 1e3, goal=20, unit="ms"),
            Figure(name="news, nothing heard, worst", value=max(deaf), goal=10, unit="s"),
        ],
    )


def _p99(times: Sequence[float]) -> float:
    return quantiles(times, n=100)[-1]


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    print(json.dumps(asyncio.run(claimed(**given) if "claims" in given else bought(**given))))
