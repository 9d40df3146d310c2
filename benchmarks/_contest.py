"""A contest: contestants take turns in one run, each in its own process, and the medians are compared."""

from __future__ import annotations

import json
import select
import subprocess
import sys
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any, TypeAlias

from attrs import field, frozen

from benchmarks._server import Server, end

Sample: TypeAlias = dict[str, Any]


class DidNotFinishError(Exception):
    """A contestant that failed, took too long, or is not installed; the text says which."""


class Child:
    """One contestant's process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks._contestant"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

        self.warm: set[str] = set()

    def end(self) -> None:
        """Let it go, and make sure that it went."""
        end(self._process)

    def do(self, call: str, *, patience: float = 120.0, loop: str = "asyncio", **arguments: Any) -> Sample:
        """Have *call* ("module:function") done on that event loop; raises `DidNotFinishError`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"call": call, "loop": loop, "with": arguments}) + "\n")
        self._process.stdin.flush()
        if not select.select([self._process.stdout], [], [], patience)[0]:
            self._process.kill()
            raise DidNotFinishError(f"did not finish in {patience:.0f} s")
        line = self._process.stdout.readline()
        answer: Sample = json.loads(line) if line else {"failed": "its process died"}
        if "missing" in answer:
            raise DidNotFinishError(f"not installed ({answer['missing']}), skipped")
        if "failed" in answer:
            print(answer.get("trace", ""), file=sys.stderr)
            raise DidNotFinishError(f"failed: {answer['failed']}")
        return answer


@frozen(kw_only=True)
class Turn:
    """What a contestant does in its turn; *renders* and *media* are the server's part.

    *warm_up* replaces some arguments in a first call that nobody counts. Turns of one *process* share it;
    with *fresh*, each has a new one. *loop* is the module whose `run` runs it. *rounds* bounds how often it
    comes. Only an *optional* one may fail or be missing.
    """

    call: str
    arguments: Mapping[str, Any] = field(factory=dict)
    renders: tuple[float, float] = (0.0, 0.0)
    media: int = 0
    warm_up: Mapping[str, Any] = field(factory=dict)
    process: str = ""
    fresh: bool = False
    rounds: int = 1_000
    optional: bool = False
    patience: float = 120.0
    loop: str = "asyncio"


@frozen
class Outcome:
    """Every contestant's samples, and what is to be said of those that have none."""

    samples: dict[str, list[Sample]]
    absent: dict[str, str]

    def __contains__(self, name: str) -> bool:
        return name in self.samples

    def median(self, name: str, value: str | Callable[[Sample], float]) -> float:
        """Return the median over the rounds, of a field or of something made of it."""
        read: Callable[[Sample], float] = value if callable(value) else lambda sample: float(sample[value])
        return median(read(sample) for sample in self.samples[name])

    @property
    def remarks(self) -> list[str]:
        return [f"{name}: {why}" for name, why in self.absent.items()]


def compete(server: Server, turns: Mapping[str, Turn], *, rounds: int) -> Outcome:
    """Let everybody have a turn per round, beginning with another one each time."""
    outcome = Outcome({}, {})
    children: dict[str, Child] = {}
    names = list(turns)
    try:
        for number in range(rounds):
            shift = number % len(names)
            for name in names[shift:] + names[:shift]:
                turn = turns[name]
                if name in outcome.absent or number >= turn.rounds:
                    continue
                try:
                    sample = _take(server, children, name, turn)
                except DidNotFinishError as why:
                    if not turn.optional:
                        raise DidNotFinishError(f"{name} {why}") from why
                    outcome.absent[name] = str(why)
                    outcome.samples.pop(name, None)
                else:
                    outcome.samples.setdefault(name, []).append(sample)
    finally:
        for child in children.values():
            child.end()
    return outcome


def _take(server: Server, children: dict[str, Child], name: str, turn: Turn) -> Sample:
    process = turn.process or name
    if turn.fresh and process in children:
        children.pop(process).end()
    child = children.get(process) or children.setdefault(process, Child())
    if name not in child.warm:
        server.reset(media=turn.media)
        child.do(turn.call, loop=turn.loop, url=server.url, **{**turn.arguments, **turn.warm_up})
        child.warm.add(name)
    server.reset(renders=turn.renders, media=turn.media)
    sample = child.do(turn.call, patience=turn.patience, loop=turn.loop, url=server.url, **turn.arguments)
    asked = server.counts()
    sample["submits"], sample["look-ups"] = asked.get("submit", 0), asked.get("look-up", 0)
    sample["requests"] = sample["submits"] + sample["look-ups"]
    sample["posted"] = asked["posted"]
    return sample
