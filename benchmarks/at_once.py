"""Two thousand jobs thrown at the client at once, with no limit set anywhere."""

from __future__ import annotations

from benchmarks._clients import PEERS
from benchmarks._contest import Turn, compete
from benchmarks._report import Cell, Figure, Report
from benchmarks._server import Server

CLAIM = "gather over 2,000 at once, CPU per job"


def measure(*, full: bool) -> Report:
    """Renders are done at once; 5 rounds of 2,000, one of them for peers; in quick form 3, peers with 100.

    The floor runs twice: without a limit anywhere, as the claim has it, and with aiohttp's default of 100
    connections, which is the cheaper one and the harder to beat. Both also run on uvloop, which is the
    user's choice.
    """
    call = "benchmarks._work:plain_gather"
    jobs, rounds = 2_000, 5 if full else 3
    peer_jobs = jobs if full else 100
    turns = {
        "floor, 100 connections": Turn(
            call=call, arguments={"client": "floor", "jobs": jobs, "connections": 100}, warm_up={"jobs": 200}
        ),
        "floor, no limit": Turn(
            call=call, arguments={"client": "floor", "jobs": jobs}, warm_up={"jobs": 200}
        ),
        "ours": Turn(call=call, arguments={"client": "ours", "jobs": jobs}, warm_up={"jobs": 200}),
        "floor, 100 connections, uvloop": Turn(
            call=call,
            arguments={"client": "floor", "jobs": jobs, "connections": 100},
            warm_up={"jobs": 200},
            loop="uvloop",
            optional=True,
        ),
        "ours, uvloop": Turn(
            call=call,
            arguments={"client": "ours", "jobs": jobs},
            warm_up={"jobs": 200},
            loop="uvloop",
            optional=True,
        ),
        **{
            name: Turn(
                call=call,
                arguments={"client": name, "jobs": peer_jobs},
                warm_up={"jobs": 20},
                rounds=1,
                patience=60.0,
                optional=True,
            )
            for name in PEERS
        },
    }
    with Server() as server:
        outcome = compete(server, turns, rounds=rounds)
    costs = {name: outcome.median(name, "cpu") / turns[name].arguments["jobs"] for name in outcome.samples}
    rows: list[dict[str, Cell]] = [
        {
            "client": name,
            "jobs": turns[name].arguments["jobs"],
            "jobs/s": turns[name].arguments["jobs"] / outcome.median(name, "wall"),
            "CPU us/job": cost * 1e6,
            "requests/job": outcome.median(name, "requests") / turns[name].arguments["jobs"],
            "over floor, no limit": cost / costs["floor, no limit"],
            "over floor, 100": cost / costs["floor, 100 connections"],
        }
        for name, cost in costs.items()
    ]
    figures = [
        Figure(name=f"CPU per job over the {name}", value=costs["ours"] / costs[name], goal=goal)
        for name, goal in (("floor, no limit", None), ("floor, 100 connections", 1.25))
    ]
    if "ours, uvloop" in costs:
        ratio = costs["ours, uvloop"] / costs["floor, 100 connections, uvloop"]
        figures.append(Figure(name="the same, both on uvloop", value=ratio))
    return Report(
        name="at_once", claim=CLAIM, quick=not full, rows=rows, figures=figures, remarks=outcome.remarks
    )
