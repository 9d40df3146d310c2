"""Shows where the time goes: `python -m benchmarks.profiling gather|sequential [--client ours] [--jobs 2000]`."""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats

from benchmarks import _work
from benchmarks._machine import cores, stay_on
from benchmarks._server import Server


def main() -> None:
    """Profile one contestant in this process, after a warm-up; own time first, then with what it called."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profiling", description=__doc__)
    parser.add_argument("work", choices=("gather", "sequential"))
    parser.add_argument("--client", default="ours")
    parser.add_argument("--jobs", type=int, default=2_000)
    parser.add_argument("--width", type=int)
    parser.add_argument("--lines", type=int, default=40)
    options = parser.parse_args()
    work = _work.plain_gather if options.work == "gather" else _work.sequential
    width = {"width": options.width} if options.width else {}
    profile = cProfile.Profile()
    with Server() as server:
        stay_on(cores()[0])
        server.reset()
        asyncio.run(work(server.url, client=options.client, jobs=100, **width))
        profile.enable()
        asyncio.run(work(server.url, client=options.client, jobs=options.jobs, **width))
        profile.disable()
    for order in ("tottime", "cumulative"):
        pstats.Stats(profile).sort_stats(order).print_stats(options.lines)


if __name__ == "__main__":
    main()
