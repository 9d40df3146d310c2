"""The campaign of the model: a seed is a small world, searched to its end."""

from __future__ import annotations

from collections import Counter

from benchmarks._campaign import Campaign, Tally
from benchmarks.model.laws import name_of
from benchmarks.model.search import Search, Violation
from benchmarks.model.settings import FULL, SMALL

CLAIM = "the shipped pay-once machine keeps its laws in every state of small worlds"


def trace(violation: Violation) -> str:
    """Return the shortest way to a violation, a line for each step."""
    lines = [f"{name_of(violation.law)}: {violation.law.__doc__}"]
    for step in violation.trace:
        rows = (violation.book.job(number) for number in step.world.jobs)
        after = "; ".join(
            f"{job.id} {job.state}: {', '.join(f'{a.id} {a.state}' for a in job.attempts)}" for job in rows
        )
        lines.append(f"  {step.name}\n      {after}")
    return "\n".join(lines)


def one(seed: int) -> Tally:
    """Visit every state of one world."""
    found = Search(FULL[seed]).run()
    counts = Counter({f"states of {found.setting.name!r}": found.states})
    counts.update(states=found.states, steps=found.steps, violations=found.violation is not None)
    return Tally(counts, [] if found.violation is None else [trace(found.violation)])


CAMPAIGN = Campaign(
    name="model", claim=CLAIM, one=one, quick=len(SMALL), full=len(FULL), none=("violations",)
)
