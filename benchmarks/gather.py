"""Many jobs, a number of them at a time: everybody at the width that suits them best."""

from __future__ import annotations

from benchmarks._clients import PEERS
from benchmarks._contest import Turn, compete
from benchmarks._report import Cell, Figure, Report
from benchmarks._server import Server

CLAIM = "gather at the best width, CPU per job and jobs/s"
_CALL = "benchmarks._work:plain_gather"


def measure(*, full: bool) -> Report:
    """Renders are done at once; 5 rounds of 2,000 jobs at each width, in quick form 3 of 600.

    Peers know no limit, so their callers are held to the width by a semaphore; so is the floor.
    """
    jobs, rounds = (2_000, 5) if full else (500, 3)
    widths = {
        "floor": (16, 32, 64, 128) if full else (32, 100),
        "ours": (64, 256, 1_000, 2_000) if full else (100, 500),
    }
    peer_jobs, peer_widths = (500, (16, 32, 64)) if full else (100, (32,))
    turns = {
        f"{name} {width}": Turn(
            call=_CALL,
            arguments={"client": name, "jobs": jobs, "width": width},
            warm_up={"jobs": 100},
            process=name,
        )
        for name in ("floor", "ours")
        for width in widths[name]
    } | {
        f"{name} {width}": Turn(
            call=_CALL,
            arguments={"client": name, "jobs": peer_jobs, "at_most": width},
            warm_up={"jobs": 32},
            process=name,
            rounds=2 if full else 1,
            optional=True,
        )
        for name in PEERS
        for width in peer_widths
    }
    with Server() as server:
        outcome = compete(server, turns, rounds=rounds)
    rows: list[dict[str, Cell]] = []
    best: dict[str, float] = {}
    cheapest: dict[str, float] = {}
    for name in outcome.samples:
        client, width = name.split()
        done = turns[name].arguments["jobs"]
        speed = done / outcome.median(name, "wall")
        cost = outcome.median(name, "cpu") / done
        best[client] = max(best.get(client, 0.0), speed)
        cheapest[client] = min(cheapest.get(client, cost), cost)
        rows.append(
            {
                "client": client,
                "width": int(width),
                "jobs/s": speed,
                "CPU us/job": cost * 1e6,
                "requests/job": outcome.median(name, "requests") / done,
            }
        )
    for row in rows:
        row["best over floor's best"] = best[str(row["client"])] / best["floor"]
    figures = [
        Figure(
            name="CPU per job over the floor's, each at its cheapest width",
            value=cheapest["ours"] / cheapest["floor"],
            goal=1.25,
        ),
        Figure(
            name="jobs/s over the floor's, each at its best width",
            value=best["ours"] / best["floor"],
        ),
    ]
    return Report(
        name="gather", claim=CLAIM, quick=not full, rows=rows, figures=figures, remarks=outcome.remarks
    )
