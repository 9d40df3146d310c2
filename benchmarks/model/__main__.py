"""Checks the shipped machine; ends with 1, and the shortest trace, when a law does not hold."""

from __future__ import annotations

import argparse
import sys

from benchmarks.model.laws import LAWS, name_of
from benchmarks.model.report import report, searched
from benchmarks.model.settings import FULL, SUITE


def main() -> None:
    """Search all worlds, or the small ones of the test suite."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the small worlds of the test suite alone")
    parser.add_argument("--laws", action="store_true", help="print the laws, and search nothing")
    options = parser.parse_args()
    if options.laws:
        print("\n".join(f"{name_of(law)}: {law.__doc__}" for law in LAWS))
        return
    found = []
    for one in searched(SUITE if options.quick else FULL):
        found.append(one)
        print(f"{one.setting.name}: {one.states:,} states in {one.seconds:.0f} s", file=sys.stderr)
    result = report(found, quick=options.quick)
    print(result.text())
    sys.exit(any(figure.verdict == "UNMET" for figure in result.figures))


if __name__ == "__main__":
    main()
