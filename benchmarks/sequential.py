"""One job after another: what our care costs per job, next to code that takes none."""

from __future__ import annotations

from benchmarks._clients import PEERS
from benchmarks._contest import Sample, Turn, compete
from benchmarks._report import Figure, Report
from benchmarks._server import Server

CLAIM = "sequential, CPU per job over a floor making as many requests"
_CALL = "benchmarks._work:sequential"


def measure(*, full: bool) -> Report:
    """Renders are done at once; 5 rounds of 500 jobs, in quick form 3 of 100.

    We look for the first time after our interval of 20 ms, the floor at once. A core that idles between
    computes colder, which the second floor shows: it waits as long as we do.
    """
    jobs, rounds = (500, 5) if full else (100, 3)

    def turn(client: str, **options: float) -> Turn:
        arguments = {"client": client, "jobs": jobs, **options}
        return Turn(call=_CALL, arguments=arguments, warm_up={"jobs": 20})

    turns = {
        "floor": turn("floor"),
        "floor, waiting 20 ms": turn("floor", first=0.02),
        "ours": turn("ours"),
        **{name: turn(name) for name in PEERS},
    }
    with Server() as server:
        outcome = compete(server, turns, rounds=rounds)

    def per_request(sample: Sample) -> float:
        return float(sample["cpu"] / sample["requests"])

    floor = outcome.median("floor", per_request)
    rows = [
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
        Figure(name="CPU per job over the floor's, at as many requests", value=outcome.median("ours", per_request) / floor, goal=1.3)
    ]
    return Report(name="sequential", claim=CLAIM, quick=not full, rows=rows, figures=figures, remarks=outcome.remarks)
