"""Makes a world that breaks a law smaller, while it still breaks one."""

from __future__ import annotations

from benchmarks.simulation.plan import Plan
from benchmarks.simulation.run import run


def shrunk(plan: Plan, at_most: int = 150) -> Plan:
    """Return the smallest world found in *at_most* tries that is not lawful either."""
    tries = 0
    smaller = True
    while smaller:
        smaller = False
        for candidate in plan.smaller():
            if tries >= at_most:
                return plan
            tries += 1
            if run(candidate).violations:
                plan, smaller = candidate, True
                break
    return plan
