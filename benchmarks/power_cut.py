"""What a power cut costs a ledger in a file: at every write of a program, with many falls of the dice.

A layer below SQLite (`tests/power_cut.c`) forgets what was written and not synced, then kills the process.
What the ledger had acknowledged must be there when it is opened again.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks._report import Figure, Report
from tests.power_cut import Disk, compiled

CLAIM = "what the ledger acknowledged survives a power cut at any write"
_QUICK_STEP = 20


def measure(*, full: bool, first_seed: int = 0, minutes: float = 30.0) -> Report:
    """Every write with eight falls of the dice; in quick form every twentieth, with two."""
    started, lost, cuts = time.perf_counter(), Counter[str](), 0
    seeds = range(first_seed, first_seed + (8 if full else 2))
    with TemporaryDirectory() as folder:
        library = compiled(Path(folder))
        if library is None:
            return Report(
                name="power_cut", claim=CLAIM, quick=not full, remarks=["needs Linux and a C compiler"]
            )
        disk = Disk(library, Path(folder) / "disk")
        operations = disk.operations()
        for seed in seeds:
            for at in range(1, operations + 1, 1 if full else _QUICK_STEP):
                if time.perf_counter() - started > minutes * 60:
                    break
                said = disk.run(at, seed=seed)
                cuts += 1
                for what in asyncio.run(disk.lost(said)):
                    lost[f"{what}: cut at {at}, seed {seed}"] += 1
    return Report(
        name="power_cut",
        claim=CLAIM,
        quick=not full,
        rows=[{"lost": what, "times": times} for what, times in lost.items()],
        figures=[
            Figure(name="writes and syncs of the program", value=operations),
            Figure(name="power cuts", value=cuts),
            Figure(name="acknowledged and lost", value=lost.total(), goal=0),
            Figure(name="a cut takes", value=(time.perf_counter() - started) / cuts * 1000, unit="ms"),
        ],
    )


def main() -> None:
    """Cut; ends with 1 if something was lost."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.power_cut", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="every twentieth write, with two seeds")
    parser.add_argument(
        "--from", dest="seed", type=int, default=0, help="the first seed; eight follow each other"
    )
    parser.add_argument(
        "--for", dest="minutes", type=float, default=30.0, metavar="MINUTES", help="the longest time"
    )
    options = parser.parse_args()
    report = measure(full=not options.quick, first_seed=options.seed, minutes=options.minutes)
    print(report.text())
    sys.exit(any(figure.verdict == "UNMET" for figure in report.figures))


if __name__ == "__main__":
    main()
