"""An explicit-state check of the shipped pay-once machine: every state of small worlds, every law in each."""

from __future__ import annotations

from benchmarks._report import Report


def measure(*, full: bool) -> Report:
    """Search every world, or in quick form those of the test suite."""
    from benchmarks.model.report import report, searched
    from benchmarks.model.settings import FULL, SUITE

    return report(searched(FULL if full else SUITE), quick=not full)
