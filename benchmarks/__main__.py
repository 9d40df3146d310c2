"""Runs the benchmarks: all of them in quick form, or one."""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
import time
from pathlib import Path

from attrs import asdict

from benchmarks._contest import DidNotFinishError
from benchmarks._machine import described
from benchmarks._report import Report

NAMES = (
    "sequential",
    "gather",
    "at_once",
    "in_flight",
    "hundred_thousand",
    "memory",
    "calls",
    "fresh",
    "stalls",
    "budget",
    "imports",
    "ledger",
    "shared_ledger",
    "fleet",
    "workers",
    "rollover",
    "kills",
    "chaos",
    "power_cut",
    "model",
    "mutations",
    "simulation",
    "replay",
    "hostile",
    "day",
    "soak",
    "callbacks",
    "download",
    "install_size",
)


def main() -> None:
    """Measure what was asked for; ends with 1 if a full run missed a goal, with 2 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", nargs="?", choices=NAMES, help="the claim to measure; all, if left out")
    parser.add_argument("--full", action="store_true", help="as much work as the claim speaks of")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write everything there")
    options = parser.parse_args()
    # So that a run that is stopped still ends its server and its contestants.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    machine = described()
    print(
        f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, "
        f"Python {machine['python']}, load {machine['load']:.2f}\n"
    )
    reports: list[Report] = []
    failed = False
    for name in (options.name,) if options.name else NAMES:
        started = time.perf_counter()
        try:
            reports.append(importlib.import_module(f"benchmarks.{name}").measure(full=options.full))
        except DidNotFinishError as why:
            reports.append(
                Report(name=name, claim="not measured", quick=not options.full, remarks=[str(why)])
            )
            failed = True
        print(reports[-1].text())
        print(f"  ({time.perf_counter() - started:.1f} s)\n", flush=True)
    if options.json:
        told = {"machine": machine, "full": options.full, "reports": [_plain(report) for report in reports]}
        options.json.write_text(json.dumps(told, indent=2) + "\n")
    unmet = any(figure.verdict == "UNMET" for report in reports for figure in report.figures)
    sys.exit(2 if failed else 1 if unmet and options.full else 0)


def _plain(report: Report) -> dict[str, object]:
    figures = [{**asdict(figure), "verdict": figure.verdict} for figure in report.figures]
    return {**asdict(report), "figures": figures}


if __name__ == "__main__":
    main()
