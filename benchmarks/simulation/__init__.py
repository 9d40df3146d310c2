"""A deterministic simulation: clients, ledger, providers and network in one process, under one seed."""

from __future__ import annotations

from benchmarks._report import Report


def measure(*, full: bool) -> Report:
    """Run 100,000 worlds, or in quick form the first 500."""
    from benchmarks.simulation.campaign import Part, report, seeds_of

    part = Part(first=0)
    for outcome in seeds_of(0, 100_000 if full else 500):
        part.add(outcome)
    return report([part], quick=not full)
