"""What several processes on one SQLite file cost, and what the death of the one that looks for all costs."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, SimpleQueue
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks._contest import DidNotFinishError
from benchmarks._report import Cell, Figure, Report
from benchmarks._server import Server
from pika_async._engine.looks.leader import LEASE

CLAIM = "three processes on one SQLite file: look-ups over those of one; the next look after a kill -9"
_PATIENCE = 180.0


class Member:
    """One process with a client on the shared file; it says in lines of JSON what it sees."""

    def __init__(self, url: str, ledger: Path, name: str, jobs: int) -> None:
        order = {"url": url, "ledger": str(ledger), "name": name, "jobs": jobs}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.shared_ledger", json.dumps(order)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: SimpleQueue[str] = SimpleQueue()
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def hears(self, said: str) -> Mapping[str, Any]:
        """Wait until the process says *said*; raises `DidNotFinishError`."""
        by = time.monotonic() + _PATIENCE
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, by - time.monotonic()))
            except Empty:
                raise DidNotFinishError(f"no {said!r} in {_PATIENCE:.0f} s") from None
            if not line:
                raise DidNotFinishError("a member's process died")
            told: Mapping[str, Any] = json.loads(line)
            if said in told:
                return told

    def leads(self) -> bool:
        """Ask whether this process looks up the tasks of all."""
        assert self._process.stdin is not None
        self._process.stdin.write("?\n")
        self._process.stdin.flush()
        return bool(self.hears("leads")["leads"])

    def kill(self) -> None:
        """Send SIGKILL: nothing is closed, and its lease stays."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Let it close its client, and make sure that the process is gone."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.kill()


async def _buy(url: str, ledger: str, name: str, jobs: int) -> None:
    from pika_async import Pika

    async with Pika(
        "acedata", api_key="sandbox-benchmark", base_url=url, ledger=ledger, max_concurrency=10_000
    ) as pika:

        async def answer() -> None:
            while await asyncio.to_thread(sys.stdin.readline):
                _say(leads=any(stats.polls for stats in pika.stats().values()))

        answering = asyncio.create_task(answer())
        bought = [await pika.submit(f"A cat surfing at sunset, {name}-{number}") for number in range(jobs)]
        _say(bought=len(bought))
        videos = [await job.wait() for job in bought]
        _say(found=len(videos))
        await answering


def _say(**what: object) -> None:
    print(json.dumps(what), flush=True)


@contextmanager
def _members(server: Server, ledger: Path, count: int, jobs: int) -> Iterator[Sequence[Member]]:
    members = [Member(server.url, ledger, str(number), jobs) for number in range(count)]
    try:
        for member in members:
            member.hears("bought")
        yield members
    finally:
        for member in members:
            member.end()


def _looks(server: Server, count: int, jobs: int, renders: tuple[float, float]) -> int:
    """Return how many look-ups *count* processes send until each has its share of *jobs* videos."""
    server.reset(renders=renders)
    with (
        TemporaryDirectory() as folder,
        _members(server, Path(folder) / "jobs.db", count, jobs // count) as ms,
    ):
        for member in ms:
            member.hears("found")
        asked = server.counts()
    if asked["submit"] != jobs:
        raise DidNotFinishError(f"{asked['submit']} submits for {jobs} jobs")
    return int(asked["look-up"])


def _killed(server: Server, jobs: int) -> dict[str, float]:
    """Kill the process that looks; return when the next look came, and what became of all videos."""
    server.reset(renders=(LEASE + 15, LEASE + 20))
    with TemporaryDirectory() as folder:
        ledger = Path(folder) / "jobs.db"
        with _members(server, ledger, 3, jobs // 3) as members:
            leader = _leader(members)
            rest = [member for member in members if member is not leader]
            _until_looked(server)
            leader.kill()
            killed = time.monotonic()
            took = _until_looked(server) - killed
            for member in rest:
                member.hears("found")
            # The videos of the dead one are found by whoever looks for all.
            by = time.monotonic() + 30
            while (found := asyncio.run(_succeeded(ledger))) < jobs and time.monotonic() < by:
                time.sleep(0.2)
        submits = server.counts()["submit"]
    return {"took": took, "lost": jobs - found, "twice": submits - jobs}


def _leader(members: Sequence[Member]) -> Member:
    by = time.monotonic() + 10
    while time.monotonic() < by:
        for member in members:
            if member.leads():
                return member
        time.sleep(0.1)
    raise DidNotFinishError("nobody looks")


def _until_looked(server: Server) -> float:
    """Wait for the next look-up, and return when it came."""
    before, by = server.counts().get("look-up", 0), time.monotonic() + 60
    while time.monotonic() < by:
        if server.counts().get("look-up", 0) > before:
            return time.monotonic()
        time.sleep(0.02)
    raise DidNotFinishError("nobody looked in 60 s")


async def _succeeded(ledger: Path) -> int:
    from pika_async.ledger import open_ledger

    async with open_ledger(ledger) as reader:
        return len(await reader.jobs(state="succeeded", limit=10_000))


def measure(*, full: bool) -> Report:
    """900 jobs of 20 to 40 s, in quick form 90 of 8 to 12 s; then 30 jobs, and a kill.

    Every process has the default budget of one look-up a second. Three rounds of each, in quick form one.
    """
    jobs, renders, rounds = (900, (20.0, 40.0), 3) if full else (90, (8.0, 12.0), 1)
    looks: dict[int, list[int]] = {1: [], 3: []}
    with Server() as server:
        for _ in range(rounds):
            for count, all_looks in looks.items():
                all_looks.append(_looks(server, count, jobs, renders))
        kills = [_killed(server, 30) for _ in range(rounds)]
    rows: list[dict[str, Cell]] = [
        {"processes": str(count), "jobs": jobs, "look-ups": median(found), "most": max(found)}
        for count, found in looks.items()
    ]
    return Report(
        name="shared_ledger",
        claim=CLAIM,
        quick=not full,
        rows=rows,
        figures=[
            Figure(name="look-ups of three over one's", value=median(looks[3]) / median(looks[1]), goal=1.1),
            Figure(
                name="next look after a kill", value=max(k["took"] for k in kills), goal=LEASE + 2, unit="s"
            ),
            Figure(name="videos lost", value=sum(k["lost"] for k in kills), goal=0),
            Figure(name="videos bought twice", value=sum(k["twice"] for k in kills), goal=0),
        ],
    )


if __name__ == "__main__":
    asyncio.run(_buy(**json.loads(sys.argv[1])))
