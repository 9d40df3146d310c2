"""How many mistakes of adapters the conformance kit finds: bugs are seeded into ours, one at a time."""

from __future__ import annotations

import argparse
import ast
import contextlib
import importlib
import json
import signal
import subprocess
import sys
import time
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any, Literal, TypeAlias

from attrs import asdict, frozen

from benchmarks._adapter_bugs import BUGS, EQUIVALENT, Bug
from benchmarks._adapter_mutations import mutations
from benchmarks._report import Figure, Report
from pika_async.testing import check_provider

CLAIM = "the conformance kit finds the bugs that are seeded into adapters"
_QUICK = 6
_EXAMPLES = Path(__file__).parents[1] / "examples"
_LONGEST = 20
"""Seconds that the kit may work on one adapter; a loop without an end is a finding too."""


@frozen
class Subject:
    """An adapter to be spoilt: its module, the names of its class and emulator, what the kit is told.

    *passed* are functions of the module that its emulator uses, *parts* are further modules of the adapter.
    """

    module: str
    adapter: str
    emulator: str
    options: Mapping[str, object]
    passed: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()

    @property
    def modules(self) -> tuple[str, ...]:
        return (self.module, *self.parts)


SUBJECTS: Mapping[str, Subject] = {
    "acedata": Subject("pika_acedata._adapter", "AceData", "pika_acedata:AceDataEmulator", {}),
    "comfy": Subject(
        "pika_comfy._adapter",
        "Comfy",
        "pika_comfy:ComfyEmulator",
        {"refused_by_status": (413,)},
        parts=("pika_comfy._submit",),
    ),
    "demo": Subject("pika_demo", "Demo", "pika_demo:DemoEmulator", {}, ("answer", "error")),
    "duomi": Subject(
        "pika_duomi._adapter", "Duomi", "pika_duomi:DuomiEmulator", {"refused_by_status": (404,)}
    ),
    "fal": Subject("pika_fal._adapter", "Fal", "pika_fal:FalEmulator", {}, parts=("pika_fal._submit",)),
    "pika": Subject(
        "pika_official._adapter",
        "PikaOfficial",
        "pika_official:PikaEmulator",
        {"secret": b"whsec_cGlrYS1hc3luYy1leGFtcGxlLXNlY3JldC0wMDAwMDE="},
        parts=("pika_official._submit",),
    ),
}


@frozen
class Finding:
    """What the kit said of one seeded bug; *said* None for nothing, *equivalent* why nothing can be said."""

    adapter: str
    by: Literal["hand", "operator"]
    what: str
    said: str | None
    equivalent: str | None = None


@cache
def sources(adapter: str) -> Mapping[str, str]:
    """Return the source of an adapter as it is on the disk, by module."""
    if (example := str(_EXAMPLES / "pika_demo")) not in sys.path:
        sys.path.append(example)
    files = {name: importlib.import_module(name).__file__ or "" for name in SUBJECTS[adapter].modules}
    return {name: Path(file).read_text("utf-8") for name, file in files.items()}


def home_of(bug: Bug) -> str:
    """Return the module in which the text of *bug* stands; raises ValueError unless it is there once."""
    times = {name: text.count(bug.old) for name, text in sources(bug.adapter).items()}
    if sum(times.values()) != 1:
        raise ValueError(f"{bug.old!r} is {times} times in {bug.adapter}; correct the bug.")
    return next(name for name, count in times.items() if count)


def verdict(adapter: str, spoilt: Mapping[str, ast.Module]) -> str | None:
    """Return the kit's sentence about an adapter with *spoilt* modules, or None if it found nothing."""
    subject = SUBJECTS[adapter]
    name = f"spoilt_{subject.adapter}"
    module = types.ModuleType(name)
    sys.modules[name] = module
    home, _, kind = subject.emulator.partition(":")
    options: Any = subject.options
    try:
        with contextlib.redirect_stderr(None), warnings.catch_warnings(), _limited():
            warnings.simplefilter("ignore")
            emulator = getattr(importlib.import_module(home), kind)()
            with _in_the_place_of({part: spoilt[part] for part in subject.parts if part in spoilt}):
                tree = spoilt.get(subject.module) or ast.parse(sources(adapter)[subject.module])
                exec(compile(tree, name, "exec"), module.__dict__)
            check_provider(getattr(module, subject.adapter), emulator=emulator, **options)
    except Exception as found:  # noqa: BLE001 - whatever the kit raises is its finding
        return str(found)[:200] or type(found).__name__
    return None


@contextlib.contextmanager
def _in_the_place_of(parts: Mapping[str, ast.Module]) -> Iterator[None]:
    """Let an adapter that is loaded now find *parts* where its own modules are."""
    kept = {name: sys.modules[name] for name in parts}
    try:
        for name, tree in parts.items():
            sys.modules[name] = types.ModuleType(name)
            exec(compile(tree, name, "exec"), sys.modules[name].__dict__)
        yield
    finally:
        sys.modules.update(kept)


@contextlib.contextmanager
def _limited() -> Iterator[None]:
    def over(*_: object) -> None:
        raise TimeoutError(f"The kit is not done after {_LONGEST} s.")

    signal.signal(signal.SIGVTALRM, over)
    signal.setitimer(signal.ITIMER_VIRTUAL, _LONGEST)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


Spoilt: TypeAlias = Callable[[], Mapping[str, ast.Module]]
"""Makes the module of an adapter that is spoilt, by its name."""


def seeded() -> Iterator[tuple[str, Literal["hand", "operator"], str, Spoilt]]:
    """Yield every bug: the adapter, who made it, what it is, and what makes the spoilt module."""
    for bug in BUGS:
        home = home_of(bug)
        text = sources(bug.adapter)[home].replace(bug.old, bug.new)
        yield bug.adapter, "hand", bug.what, partial(_of, home, partial(ast.parse, text))
    for adapter, subject in SUBJECTS.items():
        for home, text in sources(adapter).items():
            part = "" if home == subject.module else f"{home.rpartition('.')[2]} "
            for what, make in mutations(ast.parse(text), subject.passed):
                yield adapter, "operator", f"{part}{what}", partial(_of, home, make)


def _of(home: str, make: Callable[[], ast.Module]) -> Mapping[str, ast.Module]:
    return {home: make()}


def campaign(per_adapter: int | None, seed: int, *, kept: Path | None = None) -> Iterator[Finding]:
    """Yield what the kit says of each bug, or of some; *kept* holds what earlier runs of this code found."""
    chosen = list(seeded())
    if per_adapter is not None:
        sets = {
            (adapter, by): [one for one in chosen if one[:2] == (adapter, by)] for adapter, by, *_ in chosen
        }
        chosen = [
            one for each in sets.values() for one in Random(seed).sample(each, min(per_adapter, len(each)))
        ]
    known = _known(kept)
    for adapter, by, what, spoilt in chosen:
        said = known[adapter, what] if (adapter, what) in known else verdict(adapter, spoilt())
        found = Finding(
            adapter, by, what, said, EQUIVALENT.get(f"{adapter} {what}") if said is None else None
        )
        if kept is not None and (adapter, what) not in known:
            with kept.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps({**asdict(found), "commit": _commit()}) + "\n")
        yield found


def _known(kept: Path | None) -> Mapping[tuple[str, str], str | None]:
    lines = kept.read_text("utf-8").splitlines() if kept is not None and kept.exists() else []
    told = [json.loads(line) for line in lines]
    return {(one["adapter"], one["what"]): one["said"] for one in told if one["commit"] == _commit()}


@cache
def _commit() -> str:
    git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    return subprocess.run(git, capture_output=True, text=True, check=False).stdout.strip()


def measure(
    *,
    full: bool,
    seed: int = 0,
    sample: int | None = None,
    kept: Path | None = None,
    minutes: float = 60,
) -> Report:
    """Seed bugs, all or *sample* of each adapter and set, until they are through or the time is."""
    started, found = time.monotonic(), []
    for finding in campaign(sample if full else _QUICK, seed, kept=kept):
        found.append(finding)
        if time.monotonic() - started > 60 * minutes:
            break
    missed = [one for one in found if one.said is None and one.equivalent is None]
    rows, figures = [], []
    for by in ("hand", "operator"):
        mine = [one for one in found if one.by == by]
        for adapter in SUBJECTS:
            some = [one for one in mine if one.adapter == adapter]
            rows.append({"adapter": adapter, "seeded by": by, **_counts(some)})
        figures += [
            Figure(name=f"bugs seeded by {by}", value=len(mine), goal=60 if full else None, at_least=True),
            Figure(name=f"of those that matter, found ({by})", value=_share(mine), goal=0.95, at_least=True),
        ]
    took = (time.monotonic() - started) / max(1, len(found)) * 1000
    return Report(
        name="kit",
        claim=CLAIM,
        quick=not full,
        rows=rows,
        figures=[*figures, Figure(name="a bug takes", value=took, unit="ms")],
        remarks=[f"missed: {one.adapter} ({one.by}) {one.what}" for one in missed],
    )


def _counts(found: list[Finding]) -> dict[str, int]:
    equal = sum(one.equivalent is not None for one in found)
    caught = sum(one.said is not None for one in found)
    return {
        "seeded": len(found),
        "change nothing": equal,
        "found": caught,
        "missed": len(found) - equal - caught,
    }


def _share(found: list[Finding]) -> float | None:
    matter = [one for one in found if one.equivalent is None]
    return sum(one.said is not None for one in matter) / len(matter) if matter else None


def main() -> None:
    """Seed; ends with 1 if too many were missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kit", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few bugs of each adapter and set")
    parser.add_argument("--sample", type=int, help="so many bugs of each adapter and set, and not all")
    parser.add_argument("--seed", type=int, default=0, help="which of them")
    parser.add_argument("--minutes", type=float, default=60, help="stop after that")
    parser.add_argument("--resume", type=Path, help="a file that keeps what was found, and goes on from it")
    options = parser.parse_args()
    report = measure(
        full=not options.quick,
        seed=options.seed,
        sample=options.sample,
        kept=options.resume,
        minutes=options.minutes,
    )
    print(report.text())
    sys.exit(any(figure.verdict == "UNMET" for figure in report.figures))


if __name__ == "__main__":
    main()
