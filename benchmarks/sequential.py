"""One job after another: what our care costs per job, next to code that takes none."""

from __future__ import annotations

from attrs import evolve

from benchmarks._clients import PEERS
from benchmarks._contest import Sample, Turn, compete
from benchmarks._report import Cell, Figure, Report
from benchmarks._server import Server

CLAIM = "sequential, CPU per job over a floor making as many requests"
_CALL = "benchmarks._work:sequential"


def measure(*, full: bool) -> Report:
    """Renders are done at once; 5 rounds of 300 jobs, in quick form 3 of 60.

    The claim compares the two that look at once, as the floor does by nature and we with `poll_interval=0`.
    Below, both wait 20 ms before their first look: a core that idles meanwhile computes colder.
    """
    jobs, rounds = (300, 5) if full else (60, 3)

    def turn(client: str, **options: float) -> Turn:
        arguments = {"client": client, "jobs": jobs, **options}
        return Turn(call=_CALL, arguments=arguments, warm_up={"jobs": 20})

    turns = {
        "floor": turn("floor"),
        "ours": turn("ours", every=0.0),
        "floor, looking after 20 ms": turn("floor", first=0.02),
        "ours, looking after 20 ms": turn("ours", every=0.02),
        **{name: evolve(turn(name), optional=True) for name in PEERS},
    }
    with Server() as server:
        outcome = compete(server, turns, rounds=rounds)

    def per_request(sample: Sample) -> float:
        return float(sample["cpu"] / sample["requests"])

    floor = outcome.median("floor", per_request)
    rows: list[dict[str, Cell]] = [
        {
            "client": name,
            "jobs/s": jobs / outcome.median(name, "wall"),
            "requests/job": outcome.median(name, "requests") / jobs,
            "CPU us/job": outcome.median(name, "cpu") / jobs * 1e6,
            "CPU us/request": outcome.median(name, per_request) * 1e6,
            "CPU/request over floor": outcome.median(name, per_request) / floor,
        }
        for name in outcome.samples
    ]
    figures = [
        Figure(
            name="CPU per job over the floor's, at as many requests",
            value=outcome.median("ours", per_request) / floor,
        ),
        Figure(
            name="the same, both looking after 20 ms",
            value=outcome.median("ours, looking after 20 ms", per_request)
            / outcome.median("floor, looking after 20 ms", per_request),
            goal=1.8,
        ),
    ]
    return Report(
        name="sequential", claim=CLAIM, quick=not full, rows=rows, figures=figures, remarks=outcome.remarks
    )
