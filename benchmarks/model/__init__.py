"""An explicit-state check of the shipped pay-once machine: every state of small worlds, every law in each."""

from __future__ import annotations

from benchmarks._report import Report


def measure(*, full: bool) -> Report:
    """Search every world, or the small ones."""
    from benchmarks.model.campaign import CAMPAIGN

    return CAMPAIGN.measure(full=full)
