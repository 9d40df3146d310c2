"""A long run on loopback: memory, sockets and tasks of a client must not grow with the time it runs.

One client with a ledger in a file buys videos one after the other, sixteen at a time. Every two seconds its
resident memory, open files and tasks are read. The first quarter is warm-up; a line is laid through the rest.
A part is an unbroken run of a process of its own: six parts of ten minutes say less than one hour.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import linear_regression, mean
from tempfile import TemporaryDirectory

from attrs import frozen

from benchmarks._clients import KEY
from benchmarks._machine import resident
from benchmarks._report import Figure, Report
from benchmarks._server import Server
from pika_acedata import AceData
from pika_async import Pika

CLAIM = "memory, sockets and tasks of a client stay flat, however long it runs"
_AT_ONCE, _EVERY = 16, 2.0
_MAY_GROW = {"memory": 8.0, "files": 3.0, "tasks": 3.0}
"""What the line may rise from the end of the warm-up to the end: MiB of memory, and numbers."""


@frozen
class Sample:
    """What a client holds *at* seconds after its start."""

    at: float
    memory: float
    files: int
    tasks: int
    ledger: float
    done: int


def rise(samples: Sequence[Sample], what: str) -> float:
    """Return by how much the line through *samples* rises from the first to the last."""
    times = [sample.at for sample in samples]
    return linear_regression(times, [getattr(sample, what) for sample in samples]).slope * (
        times[-1] - times[0]
    )


def _files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _size(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.iterdir()) / 2**20


async def lived(url: str, folder: Path, seconds: float) -> list[Sample]:
    """Buy videos for *seconds*, and look at this process meanwhile."""
    samples: list[Sample] = []
    done, started = 0, time.monotonic()

    async def buy(pika: Pika, place: int) -> None:
        nonlocal done
        number = 0
        while time.monotonic() < started + seconds:
            number += 1
            await pika.generate(f"A cat, {place}.{number}")
            done += 1

    adapter = AceData(api_key=KEY, base_url=url)
    async with (
        Pika(adapter, ledger=folder / "jobs.db", poll_rate=None, poll_interval=0.5) as pika,
        asyncio.TaskGroup() as tasks,
    ):
        for place in range(_AT_ONCE):
            tasks.create_task(buy(pika, place))
        while time.monotonic() + _EVERY < started + seconds:
            await asyncio.sleep(_EVERY)
            samples.append(
                Sample(
                    at=time.monotonic() - started,
                    memory=resident() / 2**20,
                    files=_files(),
                    tasks=len(asyncio.all_tasks()),
                    ledger=_size(folder),
                    done=done,
                )
            )
    return samples


def report(samples: Sequence[Sample], *, quick: bool) -> Report:
    """Lay the lines, and say which are flat."""
    warm = samples[len(samples) // 4 :]
    eighths = [samples[(len(samples) - 1) * part // 8] for part in range(1, 9)]
    return Report(
        name="soak",
        claim=CLAIM,
        quick=quick,
        rows=[
            {
                "after s": round(sample.at),
                "videos": sample.done,
                "memory MiB": sample.memory,
                "files": sample.files,
                "tasks": sample.tasks,
                "ledger MiB": sample.ledger,
            }
            for sample in eighths
        ],
        figures=[
            Figure(name="minutes", value=samples[-1].at / 60),
            Figure(name="videos", value=samples[-1].done),
            *(
                Figure(
                    name=f"rise of {what} after warm-up (mean {mean(getattr(s, what) for s in warm):.1f})",
                    value=rise(warm, what),
                    goal=most,
                    unit="MiB" if what == "memory" else "",
                )
                for what, most in _MAY_GROW.items()
            ),
            Figure(
                name="ledger, for each video", value=1024 * samples[-1].ledger / samples[-1].done, unit="KiB"
            ),
        ],
    )


def soaked(minutes: float) -> Report:
    """Run for *minutes*."""
    with TemporaryDirectory() as folder, Server() as server:
        server.reset(renders=(0.2, 1.0))
        samples = asyncio.run(lived(server.url, Path(folder), minutes * 60))
    return report(samples, quick=minutes < 60)


def measure(*, full: bool) -> Report:
    """Run for an hour; in quick form for 20 seconds."""
    return soaked(60 if full else 1 / 3)


def main() -> None:
    """Run; ends with 1 if something grew."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--for", dest="minutes", type=float, default=60, metavar="MINUTES")
    result = soaked(parser.parse_args().minutes)
    print(result.text())
    sys.exit(any(figure.verdict == "UNMET" for figure in result.figures))


if __name__ == "__main__":
    main()
