"""How many mistakes of adapters the conformance kit finds: bugs are seeded into ours, one at a time."""

from __future__ import annotations

import argparse
import ast
import contextlib
import copy
import importlib
import sys
import time
import types
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

from attrs import frozen

from benchmarks._report import Figure, Report
from pika_async.testing import check_provider

CLAIM = "the conformance kit finds the bugs that are seeded into adapters"
_QUICK = 8
_SWAPPED = {
    "AuthError": "SubmitRefused",
    "RateLimited": "SubmitRefused",
    "InsufficientBalance": "RateLimited",
    "ContentBlocked": "SubmitRefused",
    "SubmitUnknown": "SubmitRefused",
    "ProviderUnavailable": "SubmitRefused",
    "Pending": "Failed",
}
EQUIVALENT: Mapping[str, str] = {}
"""Seeded changes that change nothing that anybody could see, each with the reason."""


@frozen
class Subject:
    """An adapter to be spoilt: its module, the names of its class and emulator, and what the kit is told."""

    module: str
    adapter: str
    emulator: str
    options: Mapping[str, object]


SUBJECTS = (
    Subject("pika_acedata._adapter", "AceData", "pika_acedata:AceDataEmulator", {}),
    Subject("pika_duomi._adapter", "Duomi", "pika_duomi:DuomiEmulator", {"refused_by_status": (404,)}),
    Subject("pika_demo", "Demo", "pika_demo:DemoEmulator", {}),
)


def mutations(tree: ast.Module) -> Iterator[tuple[str, ast.Module]]:
    """Yield each seeded bug of *tree*: what was changed, and the module; emulators stay as they are."""
    sites = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If | ast.IfExp | ast.Compare | ast.Attribute | ast.Constant | ast.Return)
    ]
    parents = {child: parent for parent in ast.walk(tree) for child in ast.iter_child_nodes(parent)}
    emulators = {
        child for one in tree.body if getattr(one, "name", "").endswith("Emulator") for child in ast.walk(one)
    }
    for index, node in enumerate(sites):
        if node in emulators:
            continue
        for what, change in _changes(node, parents.get(node)):
            spoilt = copy.deepcopy(tree)
            twins = [
                twin
                for twin in ast.walk(spoilt)
                if isinstance(
                    twin, ast.If | ast.IfExp | ast.Compare | ast.Attribute | ast.Constant | ast.Return
                )
            ]
            change(twins[index])
            yield f"line {node.lineno}: {what}", ast.fix_missing_locations(spoilt)


def _changes(node: ast.AST, parent: ast.AST | None) -> Iterator[tuple[str, object]]:
    match node:
        case ast.If(test=test) | ast.IfExp(test=test):
            yield (
                f"not ({ast.unparse(test)[:60]})",
                lambda twin: setattr(twin, "test", ast.UnaryOp(ast.Not(), twin.test)),
            )
        case ast.Compare(ops=[op]) if type(op) in _FLIPPED:
            yield (
                f"{ast.unparse(node)[:60]}, the other way",
                lambda twin: setattr(twin, "ops", [_FLIPPED[type(op)]()]),
            )
        case ast.Attribute(attr=name) if name in _SWAPPED:
            yield f"{name} for {_SWAPPED[name]}", lambda twin: setattr(twin, "attr", _SWAPPED[name])
        case ast.Constant(value=str(text)) if isinstance(parent, ast.Dict | ast.Call) and text.isidentifier():
            yield f"{text!r} misspelt", lambda twin: setattr(twin, "value", f"{text}_x")
        case ast.Return(value=ast.expr()):
            yield (
                f"return None for {ast.unparse(node)[7:60]}",
                lambda twin: setattr(twin, "value", ast.Constant(None)),
            )
        case _:
            pass


_FLIPPED = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Lt: ast.GtE,
    ast.LtE: ast.Gt,
}


def verdict(subject: Subject, spoilt: ast.Module) -> str | None:
    """Return the kit's sentence about a spoilt adapter, or None if it found nothing."""
    name = f"spoilt_{subject.adapter}"
    module = types.ModuleType(name)
    sys.modules[name] = module
    home, _, kind = subject.emulator.partition(":")
    try:
        exec(compile(spoilt, name, "exec"), module.__dict__)
        emulator = getattr(importlib.import_module(home), kind)()
        with contextlib.redirect_stderr(None):
            check_provider(getattr(module, subject.adapter), emulator=emulator, **subject.options)
    except Exception as found:  # noqa: BLE001 - whatever the kit raises is its finding
        return str(found)[:200] or type(found).__name__
    return None


def campaign(per_adapter: int | None, seed: int) -> Iterator[tuple[str, str | None]]:
    """Yield each seeded bug and what the kit said of it."""
    for subject in SUBJECTS:
        source = Path(importlib.import_module(subject.module).__file__ or "").read_text("utf-8")
        every = list(mutations(ast.parse(source)))
        chosen = every if per_adapter is None else Random(seed).sample(every, min(per_adapter, len(every)))
        for what, spoilt in chosen:
            yield f"{subject.adapter} {what}", verdict(subject, spoilt)


def measure(*, full: bool, seed: int = 0) -> Report:
    """Seed every bug that the operators know; in quick form a few of each adapter."""
    started = time.perf_counter()
    told = list(campaign(None if full else _QUICK, seed))
    missed = [what for what, said in told if said is None and what not in EQUIVALENT]
    counted = sum(what not in EQUIVALENT for what, _ in told)
    return Report(
        name="kit",
        claim=CLAIM,
        quick=not full,
        rows=[{"missed": what} for what in missed],
        figures=[
            Figure(name="bugs seeded", value=len(told), goal=60 if full else None, at_least=True),
            Figure(
                name="of those that matter, found", value=1 - len(missed) / counted, goal=0.95, at_least=True
            ),
            Figure(name="a bug takes", value=(time.perf_counter() - started) / len(told) * 1000, unit="ms"),
        ],
    )


def main() -> None:
    """Seed; ends with 1 if too many were missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kit", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a few bugs of each adapter")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    report = measure(full=not options.quick, seed=options.seed)
    print(report.text())
    sys.exit(any(figure.verdict == "UNMET" for figure in report.figures))


if __name__ == "__main__":
    main()
