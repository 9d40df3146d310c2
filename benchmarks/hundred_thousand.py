"""A hundred thousand renders under way at once, against ten thousand."""

from __future__ import annotations

from benchmarks._contest import Turn, compete
from benchmarks._report import Cell, Figure, Report
from benchmarks._server import Server

CLAIM = "100,000 in flight finishes; cost per job within 1.5 times of 10,000's"


def measure(*, full: bool) -> Report:
    """One round each, renders of 90 to 120 s so that all are under way at once; 6 minutes."""
    if not full:
        return Report(
            name="hundred_thousand", claim=CLAIM, quick=True, remarks=["only with --full: it takes 6 minutes"]
        )
    turns = {
        f"{jobs:,}": Turn(
            call="benchmarks._work:gather",
            arguments={"client": "ours", "jobs": jobs, "every": 1.0},
            renders=(90.0, 120.0),
            warm_up={"jobs": 100, "every": 0.02},
            patience=600.0,
        )
        for jobs in (10_000, 100_000)
    }
    with Server() as server:
        outcome = compete(server, turns, rounds=1)
    costs = {name: outcome.median(name, "cpu") / turns[name].arguments["jobs"] for name in outcome.samples}
    rows: list[dict[str, Cell]] = [
        {
            "jobs": name,
            "CPU us/job": cost * 1e6,
            "requests/job": outcome.median(name, "requests") / turns[name].arguments["jobs"],
            "found after p50 s": outcome.median(name, "p50"),
            "memory KB/job": outcome.median(name, "memory") / turns[name].arguments["jobs"] / 1e3,
            "wall s": outcome.median(name, "wall"),
        }
        for name, cost in costs.items()
    ]
    ratio = costs["100,000"] / costs["10,000"] if len(costs) == 2 else None
    figures = [Figure(name="CPU per job over that of 10,000", value=ratio, goal=1.5)]
    return Report(
        name="hundred_thousand", claim=CLAIM, quick=False, rows=rows, figures=figures, remarks=outcome.remarks
    )
