"""What a fleet makes of workers and a database that die at random: the provider counts.

One process enqueues and waits; workers are `pika-async work acedata --ledger DSN` in others. Nothing but the
public API is used.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections import Counter

from benchmarks._report import Figure, Report
from tests import postgres
from tests.fleet_story import Plan, Tally, told

CLAIM = "a fleet whose workers and database die buys every order once, and ends all of them"
_UNWELL = (
    "SELECT h.job_id, h.number, to_timestamp(h.at), h.before, h.after, h.note FROM pika.history h "
    "JOIN pika.jobs j ON j.id = h.job_id WHERE j.state <> 'succeeded' ORDER BY h.job_id, h.at"
)
_QUICK = Plan(jobs=30, workers=3, kills=3, stops=1, cuts=2, crashes=1)
_FULL = Plan(jobs=200, workers=4, kills=20, stops=5, cuts=10, crashes=2)


def measure(*, full: bool, seeds: int = 1, first: int = 1, pooled: bool = False) -> Report:
    """200 jobs, 20 kills, 5 stops, 50 cut connections, 2 crashes of the database, one roll; or 30 jobs.

    *pooled* puts pgbouncer in transaction mode before the ledger and the engine.
    """
    if postgres.MISSING is not None:
        return Report(name="chaos", claim=CLAIM, quick=not full, remarks=[postgres.MISSING])
    plan, numbers = _FULL if full else _QUICK, range(first, first + seeds)
    tallies = [asyncio.run(_told(plan, seed, pooled=pooled)) for seed in numbers]
    states: Counter[str] = sum((tally.states for tally in tallies), Counter())
    jobs = sum(tally.jobs for tally in tallies)
    return Report(
        name="chaos",
        claim=CLAIM,
        quick=not full,
        rows=[
            {"seed": first + index, "seconds": round(tally.seconds), **tally.done, **tally.states}
            for index, tally in enumerate(tallies)
        ],
        figures=[
            Figure(name="bought twice", value=sum(tally.double for tally in tallies), goal=0),
            Figure(name="never bought", value=sum(tally.lost for tally in tallies), goal=0),
            Figure(
                name="cancelled", value=sum(n for state, n in states.items() if "cancel" in state), goal=0
            ),
            Figure(name="not ended with a video", value=jobs - states["succeeded"], goal=0),
            Figure(name="orders", value=jobs),
        ],
    )


async def _told(plan: Plan, seed: int, *, pooled: bool) -> Tally:
    with postgres.running(max_connections=150) as cluster:
        if not pooled:
            tally = await told(cluster, plan, seed)
        else:
            with postgres.pooled(cluster, default_pool_size=40, max_client_conn=300) as pool:
                tally = await told(cluster, plan, seed, pool)
        if not tally.well:
            for move in cluster.sql(_UNWELL):
                print(*move, file=sys.stderr)
        return tally


def main() -> None:
    """Run one seed after the other; ends with 1 if a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--full", action="store_true", help="200 jobs and everything that the claim names")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--first", type=int, default=1, help="the first seed")
    parser.add_argument("--pooled", action="store_true", help="put pgbouncer before the database")
    given = parser.parse_args()
    report = measure(full=given.full, seeds=given.seeds, first=given.first, pooled=given.pooled)
    print(report.text())
    sys.exit(any(figure.verdict == "UNMET" for figure in report.figures))


if __name__ == "__main__":
    main()
