"""Runs many worlds on all cores; the figures of parts add up."""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import asdict, define, field

from benchmarks._report import Figure, Report
from benchmarks.simulation.plan import Plan
from benchmarks.simulation.run import Outcome, run

CLAIM = "no world of clients, ledgers, providers and faults breaks a law"


@define
class Part:
    """The figures of one run over neighbouring seeds: *worlds* from *first* on."""

    first: int
    worlds: int = 0
    cpu: float = 0.0
    ledgers: Counter[str] = field(factory=Counter)
    happened: Counter[str] = field(factory=Counter)
    broken: list[str] = field(factory=list)

    def add(self, done: tuple[Outcome, float]) -> None:
        outcome, seconds = done
        self.worlds += 1
        self.cpu += seconds
        self.ledgers[outcome.plan.ledger] += 1
        self.happened.update(outcome.happened)
        self.broken += [f"{outcome.plan.command}: {what}" for what in outcome.violations[:1]]


def measured(seed: int) -> tuple[Outcome, float]:
    """Run one world, and say how many seconds of processor time it took."""
    started = time.process_time()
    outcome = run(Plan.of(seed))
    return outcome, time.process_time() - started


def seeds_of(first: int, many: int | None, minutes: float | None = None) -> Iterator[tuple[Outcome, float]]:
    """Run worlds from *first* on, in order, on all cores, until there were *many* or *minutes* are over."""
    until = time.monotonic() + minutes * 60 if minutes is not None else float("inf")
    last = first + many if many is not None else 1 << 62
    workers = os.cpu_count() or 1
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        while first < last and time.monotonic() < until:
            some = range(first, min(first + 40 * workers, last))
            yield from pool.imap(measured, some, chunksize=4)
            first = some.stop


def kept(log: Path) -> list[Part]:
    """Read the parts of earlier runs."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [
        Part(**{**told, "ledgers": Counter(told["ledgers"]), "happened": Counter(told["happened"])})
        for told in map(json.loads, lines)
    ]


def keep(log: Path, part: Part) -> None:
    """Add a part to those of earlier runs."""
    with log.open("a") as file:
        file.write(json.dumps(asdict(part)) + "\n")


def report(parts: Iterable[Part], *, quick: bool) -> Report:
    """Add the parts up."""
    all_parts = list(parts)
    happened, ledgers = Counter[str](), Counter[str]()
    for part in all_parts:
        happened.update(part.happened)
        ledgers.update(part.ledgers)
    worlds = sum(part.worlds for part in all_parts)
    broken = [line for part in all_parts for line in part.broken]
    cpu = sum(part.cpu for part in all_parts)
    posts, bills = happened.pop("posts", 0), happened.pop("bills", 0)
    return Report(
        name="simulation",
        claim=CLAIM,
        quick=quick,
        rows=[
            *({"what": f"worlds with a {name} ledger", "times": n} for name, n in sorted(ledgers.items())),
            {"what": "POSTs that left", "times": posts},
            {"what": "bought", "times": bills},
            *({"what": f"fault: {name}", "times": n} for name, n in sorted(happened.items())),
        ],
        figures=[
            Figure(name="worlds", value=worlds),
            Figure(name="processor time", value=1000 * cpu / max(worlds, 1), goal=720, unit="ms a world"),
            Figure(name="worlds that break a law", value=len(broken), goal=0),
        ],
        remarks=broken,
    )
