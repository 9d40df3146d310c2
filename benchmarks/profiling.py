"""Shows where the time goes: `python -m benchmarks.profiling gather`.

It samples, which distorts little; --exact counts every call with cProfile, which charges small functions more
than they cost.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import signal
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from benchmarks import _work
from benchmarks._machine import cores, stay_on
from benchmarks._server import Server

_EVERY = 0.001


class _Sampler:
    """Notes, after every millisecond of CPU time, which functions are under way."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.within: Counter[str] = Counter()
        self.total = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        before = signal.signal(signal.SIGPROF, self._note)
        signal.setitimer(signal.ITIMER_PROF, _EVERY, _EVERY)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.signal(signal.SIGPROF, before)

    def _note(self, _: int, frame: FrameType | None) -> None:
        seen: set[str] = set()
        self.total += 1
        while frame is not None:
            code = frame.f_code
            file = "/".join(code.co_filename.split("/")[-2:])
            name = f"{code.co_qualname if sys.version_info >= (3, 11) else code.co_name}  {file}"
            if not seen:
                self.own[name] += 1
            seen.add(name)
            frame = frame.f_back
        self.within.update(seen)

    def show(self, lines: int, cpu_per_job: float) -> None:
        """Print both counts as microseconds of CPU per job."""
        for title, counts in (("own time", self.own), ("with all it calls", self.within)):
            print(f"\nus/job  share   {title}")
            for name, count in counts.most_common(lines):
                share = count / self.total
                print(f"{share * cpu_per_job * 1e6:6.1f}  {share:5.1%}   {name}")


def main() -> None:
    """Profile one contestant in this process, after a warm-up."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profiling", description=__doc__)
    parser.add_argument("work", choices=("gather", "sequential"))
    parser.add_argument("--client", default="ours")
    parser.add_argument("--jobs", type=int, default=2_000)
    parser.add_argument("--width", type=int)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--lines", type=int, default=40)
    parser.add_argument("--exact", action="store_true")
    options = parser.parse_args()
    work = _work.plain_gather if options.work == "gather" else _work.sequential
    width = {"width": options.width} if options.width else {}
    profile, sampler, cpu = cProfile.Profile(), _Sampler(), 0.0
    with Server() as server:
        stay_on(cores()[0])
        server.reset()
        asyncio.run(work(server.url, client=options.client, jobs=100, **width))
        for _ in range(options.rounds):
            with profile if options.exact else sampler.running():
                cpu += asyncio.run(work(server.url, client=options.client, jobs=options.jobs, **width))["cpu"]
    cpu_per_job = cpu / options.rounds / options.jobs
    print(f"{options.client}: {cpu_per_job * 1e6:.0f} us of CPU per job")
    if options.exact:
        for order in ("tottime", "cumulative"):
            pstats.Stats(profile).sort_stats(order).print_stats(options.lines)
    else:
        sampler.show(options.lines, cpu_per_job)


if __name__ == "__main__":
    main()
