"""Searches the small worlds one after the other, and lays out what was found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmarks._report import Figure, Report
from benchmarks.model.laws import LAWS, name_of
from benchmarks.model.search import Found, Search, Violation
from benchmarks.model.world import Setting

CLAIM = "the shipped pay-once machine keeps its laws in every state of small worlds"


def searched(settings: Iterable[Setting]) -> Iterator[Found]:
    """Search each setting."""
    return (Search(setting).run() for setting in settings)


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


def report(found: Iterable[Found], *, quick: bool) -> Report:
    """Return the table of counts, and each violation with its trace."""
    all_found = list(found)
    broken = [one.violation for one in all_found if one.violation is not None]
    return Report(
        name="model",
        claim=CLAIM,
        quick=quick,
        rows=[
            {
                "world": one.setting.name,
                "states": one.states,
                "steps": one.steps,
                "depth": one.depth,
                "records": one.records,
                "s": round(one.seconds, 1),
                "every state": "yes" if one.complete else "no",
            }
            for one in all_found
        ],
        figures=[
            Figure(name="laws", value=len(LAWS)),
            Figure(name="states", value=sum(one.states for one in all_found)),
            Figure(name="steps", value=sum(one.steps for one in all_found)),
            Figure(name="violations", value=len(broken), goal=0),
        ],
        remarks=[trace(violation) for violation in broken],
    )
