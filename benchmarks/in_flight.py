"""Ten thousand renders under way at once: what finding their ends costs, and how soon it happens."""

from __future__ import annotations

from benchmarks._contest import Turn, compete
from benchmarks._report import Cell, Figure, Report
from benchmarks._server import Server

CLAIM = "10,000 in flight for 20-25 s, look-ups every second"


def measure(*, full: bool) -> Report:
    """One round: renders of 20 to 25 s are as random as a round needs.

    In quick form 1,000 jobs of 4 to 5 s, and no thrifty setting. The floor sleeps a second between its looks
    at a job, and keeps aiohttp's default of 100 connections. The CPU is compared with that of a thrifty
    floor, which sleeps 5 seconds (in quick form 1).
    """
    jobs, renders = (10_000, (20.0, 25.0)) if full else (1_000, (4.0, 5.0))
    call = "benchmarks._work:gather"

    def turn(client: str, every: float, **options: int) -> Turn:
        arguments = {"client": client, "jobs": jobs, "every": every, **options}
        warm_up = {"jobs": 100, "every": 0.02}
        return Turn(call=call, arguments=arguments, renders=renders, warm_up=warm_up, patience=300.0)

    turns = {
        "floor": turn("floor", 1.0, connections=100),
        "floor, thrifty": turn("floor", 5.0 if full else 1.0, connections=100),
        "ours, every 1 s": turn("ours", 1.0),
    }
    if full:
        turns["ours, thrifty (2.5 s)"] = turn("ours", 2.5)
    with Server() as server:
        outcome = compete(server, turns, rounds=1)
    rows: list[dict[str, Cell]] = [
        {
            "client": name,
            "requests/job": outcome.median(name, "requests") / jobs,
            "found after p50 s": outcome.median(name, "p50"),
            "p95 s": outcome.median(name, "p95"),
            "p99 s": outcome.median(name, "p99"),
            "client CPU s": outcome.median(name, "cpu"),
            "wall s": outcome.median(name, "wall"),
            "memory KB/job": outcome.median(name, "memory") / jobs / 1e3,
            "longest stall ms": outcome.median(name, "stall") * 1e3,
        }
        for name in outcome.samples
    ]
    figures = []
    for name, requests, delay in (("ours, every 1 s", 1.12, 0.6), ("ours, thrifty (2.5 s)", 1.05, 1.5)):
        if name in outcome:
            figures += [
                Figure(
                    name=f"{name}: requests per job",
                    value=outcome.median(name, "requests") / jobs,
                    goal=requests,
                ),
                Figure(
                    name=f"{name}: p50 of detection", value=outcome.median(name, "p50"), goal=delay, unit="s"
                ),
            ]
    figures += [
        Figure(
            name="ours, every 1 s: p99 of detection",
            value=outcome.median("ours, every 1 s", "p99"),
            goal=2.0,
            unit="s",
        ),
        Figure(
            name="ours, every 1 s: client CPU over that of a floor which looks every 5 s",
            value=outcome.median("ours, every 1 s", "cpu") / outcome.median("floor, thrifty", "cpu"),
            goal=0.45,
        ),
    ]
    return Report(
        name="in_flight", claim=CLAIM, quick=not full, rows=rows, figures=figures, remarks=outcome.remarks
    )
