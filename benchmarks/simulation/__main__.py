"""Runs simulated worlds, or replays one; ends with 1 if a world breaks a law.

One seed makes one world, to the byte. Parts of a campaign add up: `--log FILE` keeps the figures of each
part, and the next one begins where the last one ended.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from attrs import evolve

from benchmarks.simulation.campaign import Part, keep, kept, report, seeds_of
from benchmarks.simulation.plan import Plan
from benchmarks.simulation.run import run
from benchmarks.simulation.shrink import shrunk


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.simulation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    many = parser.add_argument_group("many worlds")
    many.add_argument("--from", dest="first", type=int, metavar="SEED", help="the first seed")
    many.add_argument("--count", type=int, metavar="N", help="how many seeds (500, if no time is given)")
    many.add_argument("--for", dest="minutes", type=float, metavar="MINUTES", help="how long")
    many.add_argument("--full", action="store_true", help="100,000 seeds")
    many.add_argument("--log", type=Path, metavar="FILE", help="add to the figures of earlier parts")
    many.add_argument("--mutants", action="store_true", help="plant faults in the engine, and find each")
    one = parser.add_argument_group("one world")
    one.add_argument("--seed", type=int, metavar="N", help="replay this seed, with its event log")
    one.add_argument("--jobs", type=int, help="with so many orders")
    one.add_argument("--processes", type=int, help="with so many processes")
    one.add_argument("--ledger", choices=("memory", "shared", "sqlite"), help="with this ledger")
    one.add_argument("--providers", help="with these providers, by comma")
    one.add_argument("--no-callbacks", action="store_true", help="without callbacks")
    one.add_argument("--no-downloads", action="store_true", help="without downloads")
    one.add_argument("--quick-ledger", action="store_true", help="with a ledger that is not slow")
    one.add_argument("--all-return", action="store_true", help="with another process for each that is gone")
    one.add_argument("--faults", help="with these kinds of faults, by comma, or none")
    return parser.parse_args()


def planned(options: argparse.Namespace) -> Plan:
    """Return the world that the command line asks for."""
    plan = Plan.of(options.seed)
    if options.jobs is not None:
        plan = evolve(plan, jobs=options.jobs)
    if options.processes is not None:
        plan = evolve(plan, processes=options.processes)
    if options.ledger is not None:
        plan = evolve(plan, ledger=options.ledger)
    if options.providers is not None:
        plan = evolve(plan, providers=tuple(options.providers.split(",")))
    if options.no_callbacks:
        plan = evolve(plan, pushes=False)
    if options.no_downloads:
        plan = evolve(plan, saves=False)
    if options.quick_ledger:
        plan = evolve(plan, slow=False)
    if options.all_return:
        plan = evolve(plan, returns=True)
    if options.faults is not None:
        plan = evolve(plan, faults=frozenset(options.faults.split(",")) - {"none"})
    return plan


def _replayed(plan: Plan) -> None:
    outcome = run(plan, keep=True)
    print("\n".join(outcome.lines))
    print(f"\ndigest {outcome.digest}, {outcome.steps} steps, {outcome.seconds:.0f} s of virtual time")
    for violation in outcome.violations:
        print(f"BROKEN: {violation}")
    sys.exit(bool(outcome.violations))


def main() -> None:
    """Do what was asked for."""
    options = _options()
    if options.seed is not None:
        _replayed(planned(options))
    if options.mutants:
        from benchmarks.simulation.mutants import main as plant

        result = plant()
        print(result.text())
        sys.exit(any(figure.verdict == "UNMET" for figure in result.figures))
    parts = kept(options.log) if options.log else []
    first = options.first
    if first is None:
        first = max((part.first + part.worlds for part in parts), default=0)
    count = 100_000 - first if options.full else options.count
    if count is None and options.minutes is None:
        count = 500
    part = Part(first=first)
    try:
        for done in seeds_of(first, count, options.minutes):
            part.add(done)
            if done[0].violations:
                small = shrunk(done[0].plan)
                print(f"BROKEN: {run(small).violations[0]}\n  {small.command}", flush=True)
    finally:
        if options.log and part.worlds:
            keep(options.log, part)
    print(report([*parts, part], quick=not options.full).text())
    print(f"The next part: --from {first + part.worlds}")
    sys.exit(bool(part.broken))


if __name__ == "__main__":
    main()
