"""Runs worlds until one breaks a law, and prints its seed and the law; for engines with a planted fault."""

from __future__ import annotations

import sys
from pathlib import Path

import pika_async
from benchmarks.simulation.plan import Plan
from benchmarks.simulation.run import run


def main() -> None:
    """Try seeds from one to another, with so much patience."""
    if not Path(pika_async.__file__).is_relative_to(Path.cwd()):
        sys.exit("the planted copy is not what is imported")
    first, end, patience = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    for seed in range(first, end):
        try:
            violations: tuple[str, ...] = run(Plan.of(seed), patience=patience).violations
        except Exception as error:  # noqa: BLE001 - an engine that raises is found out as well
            violations = (f"it raises {type(error).__name__}",)
        if violations:
            print(seed, violations[0])
            return


if __name__ == "__main__":
    main()
