"""The default budget of one look-up a second, on simulated time: how near the schedule comes to the best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from random import Random
from statistics import mean, median

from benchmarks._report import Cell, Figure, Report
from pika_async._engine.schedule.schedule import Schedule
from tests.engine.bound import clairvoyant_p50, most_found_within
from tests.engine.simulation import Render, simulate

CLAIM = "default budget of 1 look-up/s, 2,000 jobs of 60-120 s: p50 delay over the best any schedule could do"

_JOBS = 2_000
_DEAR = {0: 0.0, 61: 0.02, 70: 0.23, 88: 0.34, 104: 0.405, 109: 0.352, 121: 0.162, 130: 0.0, 999: 0.0}


def measure(*, full: bool) -> Report:
    """Seeds 3 to 7, in quick form 3 alone; with the default 32 slots, and with everything at once.

    The best is what nobody can beat: a lower limit by Lagrange duality where the ends are unknown, or the
    delay of somebody who knows every end, whichever is the greater. Only the schedule runs here, no socket.
    """
    seeds = range(3, 8) if full else range(3, 4)
    rows: list[dict[str, Cell]] = []
    figures = []
    for provider, batch in (("acedata", 50), ("duomi", 1)):
        for slots in (32, None):
            runs = [simulate(Schedule(batch=batch), _renders(seed), slots=slots) for seed in seeds]
            p50 = median(delay for run in runs for delay in run.delays)
            known = median(clairvoyant_p50(_renders(s), batch=batch, rate=1.0, slots=slots) for s in seeds)
            best = max(known, _unknown(batch, slots, mean(run.looks for run in runs)))
            rows.append(
                {
                    "provider": f"{provider}, batches of {batch}",
                    "in flight": slots or _JOBS,
                    "p50 s": p50,
                    "knowing every end s": known,
                    "best possible s": best,
                    "ratio": p50 / best,
                    "requests/job": 1 + mean(len(run.requests) for run in runs) / _JOBS,
                }
            )
            figures.append(
                Figure(
                    name=f"{provider}, {slots or _JOBS:,} in flight: p50 over the best",
                    value=p50 / best,
                    goal=1.5,
                )
            )
    return Report(name="budget", claim=CLAIM, quick=not full, rows=rows, figures=figures)


def _renders(seed: int) -> list[Render]:
    random = Random(seed)
    return [Render(0.0, random.uniform(60, 120)) for _ in range(_JOBS)]


def _unknown(batch: int, slots: int | None, looks: float) -> float:
    """Return a delay that no schedule can beat which knows no end; 0 where no useful prices are known."""
    if (batch, slots) == (1, 32):
        return _beaten_by_nobody(lambda _: 0.11, 0.11 * looks / _JOBS)
    if (batch, slots) == (50, None):
        all_looks = sum(50 * _along(_DEAR, age) for age in range(61, 140)) / _JOBS
        return _beaten_by_nobody(lambda age: _along(_DEAR, age), all_looks)
    return 0.0


def _beaten_by_nobody(price: Callable[[float], float], all_looks: float) -> float:
    """Search the longest delay within which not even half of the jobs can be found."""
    low, high = 0.0, 60.0
    while high - low > 0.1:
        delay = (low + high) / 2
        if most_found_within(delay, first=60, last=120, price=price, all_looks=all_looks) < 0.5:
            low = delay
        else:
            high = delay
    return low


def _along(knots: Mapping[int, float], age: float) -> float:
    ((a, low), (b, high)) = next(pair for pair in pairwise(knots.items()) if age <= pair[1][0])
    return low + (high - low) * (age - a) / (b - a)
