"""Campaigns: work that is done seed by seed, in parts that end by themselves and whose figures add up.

Every campaign has the same command line. `--log FILE` adds the figures of this part to those of earlier ones,
and the next part begins where the last one ended; `--sum FILE...` adds up what was logged, wherever it ran.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from attrs import asdict, define, field, frozen

from benchmarks._report import Figure, Report


@define(eq=False)
class Tally:
    """What one seed came to: *counts* by name, and a sentence for each thing that broke its claim."""

    counts: Counter[str] = field(factory=Counter)
    broken: list[str] = field(factory=list)


@define(eq=False)
class Part:
    """The figures of neighbouring seeds: *seeds* of them, from *first* on."""

    campaign: str
    first: int
    seeds: int = 0
    seconds: float = 0.0
    counts: Counter[str] = field(factory=Counter, converter=Counter[str])
    broken: list[str] = field(factory=list)
    commit: str = ""
    ended: str = ""

    @property
    def after(self) -> int:
        """Return the first seed that is not in this part."""
        return self.first + self.seeds

    def add(self, seed: int, tally: Tally) -> None:
        self.seeds += 1
        self.counts.update(tally.counts)
        self.broken += [f"seed {seed}: {what}" for what in tally.broken]


class OverlapError(ValueError):
    """Two parts hold the same seed, so that their sum would count it twice."""


@frozen(kw_only=True)
class Campaign:
    """A claim that *one* seed tries.

    The whole has *full* seeds, the quick form *quick*. *none* names the counts that must stay at 0; *least*
    maps a count to what the whole must reach.
    """

    name: str
    claim: str
    one: Callable[[int], Tally]
    quick: int
    full: int
    none: tuple[str, ...] = ()
    least: dict[str, int] = field(factory=dict)

    def run(self, first: int, many: int | None, minutes: float | None = None) -> Part:
        """Try seeds from *first* on until there were *many*, or until *minutes* are over."""
        started = time.monotonic()
        until = started + minutes * 60 if minutes is not None else float("inf")
        part = Part(campaign=self.name, first=first, commit=commit())
        try:
            while (many is None or part.seeds < many) and time.monotonic() < until:
                part.add(part.after, self._tried(part.after))
        finally:
            part.seconds = round(time.monotonic() - started, 1)
            part.ended = datetime.now(UTC).strftime("%Y-%m-%d %H:%M")
        return part

    def _tried(self, seed: int) -> Tally:
        try:
            return self.one(seed)
        except Exception as error:  # noqa: BLE001 - what stops one seed is a finding, and stops no other
            return Tally(broken=[f"it raised {''.join(traceback.format_exception(error)).strip()}"])

    def report(self, parts: Iterable[Part], *, quick: bool) -> Report:
        """Add *parts* up."""
        all_parts = sorted(parts, key=lambda part: part.first)
        counts, broken = Counter(dict.fromkeys(self.none, 0)), []
        for part in all_parts:
            counts.update(part.counts)
            broken += part.broken
        seeds = sum(part.seeds for part in all_parts)
        return Report(
            name=self.name,
            claim=self.claim,
            quick=quick,
            rows=[
                {
                    "part": f"{part.first}-{part.after - 1}",
                    "seconds": round(part.seconds),
                    "ended (UTC)": part.ended,
                    "commit": part.commit,
                    "broken": len(part.broken),
                }
                for part in all_parts
            ],
            figures=[
                Figure(name="seeds", value=seeds, goal=None if quick else self.full, at_least=True),
                *(self._figure(name, value, quick) for name, value in counts.items()),
                Figure(name="seeds' findings", value=len(broken), goal=0),
            ],
            remarks=broken,
        )

    def _figure(self, name: str, value: int, quick: bool) -> Figure:
        if name in self.none:
            return Figure(name=name, value=value, goal=0)
        return Figure(name=name, value=value, goal=None if quick else self.least.get(name), at_least=True)

    def measure(self, *, full: bool) -> Report:
        """Run the whole, or its quick form, as `python -m benchmarks NAME` does."""
        return self.report([self.run(0, self.full if full else self.quick)], quick=not full)

    def main(self) -> None:
        """Do what the command line asks for; ends with 1 if something broke."""
        options = self._options()
        if options.sum:
            report = self.report(read(options.sum), quick=False)
            print(report.text())
            sys.exit(_failed(report))
        parts = list(read([options.log])) if options.log and options.log.exists() else []
        first = options.first if options.first is not None else max((p.after for p in parts), default=0)
        many = self.full - first if options.full else options.count
        if many is None:
            many = self.quick if options.minutes is None else max(0, self.full - first)
        part = self.run(first, many, options.minutes)
        if options.log and part.seeds:
            with options.log.open("a") as file:
                file.write(json.dumps(asdict(part)) + "\n")
        report = self.report(not_twice([*parts, part]), quick=not options.full)
        print(report.text())
        print(f"The next part: --from {part.after}; the whole has {self.full} seeds.")
        sys.exit(_failed(report))

    def _options(self) -> argparse.Namespace:
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks.{self.name}",
            description=self.claim,
            epilog=f"Without a number it runs {self.quick} seeds.",
        )
        parser.add_argument("--from", dest="first", type=int, metavar="SEED", help="the first seed")
        parser.add_argument("--count", type=int, metavar="N", help="how many seeds")
        parser.add_argument("--for", dest="minutes", type=float, metavar="MINUTES", help="how long")
        parser.add_argument("--full", action="store_true", help=f"all {self.full} seeds, or what is left")
        parser.add_argument("--log", type=Path, metavar="FILE", help="add to the figures of earlier parts")
        parser.add_argument(
            "--sum", type=Path, nargs="+", metavar="FILE", help="add logged parts up, and end"
        )
        return parser.parse_args()


def read(logs: Iterable[Path]) -> list[Part]:
    """Read logged parts; raises `OverlapError` if a seed is in two of them."""
    return not_twice(Part(**json.loads(line)) for log in logs for line in log.read_text().splitlines())


def not_twice(parts: Iterable[Part]) -> list[Part]:
    """Return *parts* in the order of their seeds; raises `OverlapError` if a seed is in two of them."""
    found = sorted(parts, key=lambda part: part.first)
    for before, part in pairwise(found):
        if part.first < before.after:
            raise OverlapError(f"seed {part.first} is in two parts")
    return found


def _failed(report: Report) -> bool:
    return any(figure.verdict == "UNMET" for figure in report.figures if not figure.at_least)


def commit() -> str:
    """Return the short name of the commit that is measured, with a plus if files differ from it."""
    git = ["git", "-C", str(Path(__file__).parent)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=True
        )
        changed = subprocess.run([*git, "diff", "--quiet", "HEAD"], check=False).returncode
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if changed else "")
