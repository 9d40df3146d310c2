"""How long the event loop is kept from everybody else."""

from __future__ import annotations

from benchmarks._contest import Turn, compete
from benchmarks._report import Cell, Figure, Report
from benchmarks._server import Server

CLAIM = "longest event-loop stall, 2,000 jobs through gather"


def measure(*, full: bool) -> Report:
    """Renders are done at once; 5 rounds, in quick form 3. A timer of 1 ms notes when it comes late."""
    call = "benchmarks._work:gather"
    turns = {
        "floor": Turn(
            call=call, arguments={"client": "floor", "jobs": 2_000, "connections": 100}, warm_up={"jobs": 100}
        ),
        "ours": Turn(call=call, arguments={"client": "ours", "jobs": 2_000}, warm_up={"jobs": 100}),
        "ours, 32 slots": Turn(
            call=call, arguments={"client": "ours", "jobs": 2_000, "width": 32}, warm_up={"jobs": 100}
        ),
    }
    with Server() as server:
        outcome = compete(server, turns, rounds=5 if full else 3)
    rows: list[dict[str, Cell]] = [
        {
            "client": name,
            "longest stall ms": outcome.median(name, "stall") * 1e3,
            "of it our own CPU ms": outcome.median(name, "busy") * 1e3,
            "worst round ms": max(sample["stall"] for sample in samples) * 1e3,
        }
        for name, samples in outcome.samples.items()
    ]
    figures = [
        Figure(name="longest stall", value=outcome.median("ours", "stall") * 1e3, goal=50.0, unit="ms")
    ]
    return Report(
        name="stalls", claim=CLAIM, quick=not full, rows=rows, figures=figures, remarks=outcome.remarks
    )
