"""The flow of one request: no core file is entered twice but the desk and the adapter's, and none calls back.

Walked as the interpreter sees it: an entry is a call from one core file into another. What comes in between
that is no core file (the event loop, the ledger, the transport) is looked through. docs/architecture.md draws
both legs of the way, and the drawing is read here.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import pytest

import pika_async
from pika_async._engine.effects import Moved
from pika_async._ledger.memory import MemoryLedger
from tests.engine.ledgers import SharedLedger
from tests.engine.scripted import LOST, Historian, Scripted, capable, refusal, scene

pytestmark = pytest.mark.anyio

PACKAGE = Path(pika_async.__file__).parent
ENGINE = PACKAGE / "_engine"
ARCHITECTURE = Path(__file__).parents[1] / "docs" / "architecture.md"

DOORS = {"desk": "_engine/desk.py", "account": "_engine/account.py"}
"""The way to the ledger and the way to the adapter: the two that may be entered again."""
STORES = {
    "addresses": "_engine/addresses.py",
    "callers": "_engine/callers.py",
    "choosing": "_engine/choosing.py",
    "clock": "_engine/clock.py",
    "confirmations": "_engine/looks/confirmations.py",
    "digest": "_engine/digest.py",
    "demand": "_engine/schedule/demand.py",
    "effects": "_engine/effects.py",
    "expectation": "_engine/expectation.py",
    "files": "_engine/files.py",
    "flight": "_engine/flight.py",
    "flights": "_engine/flights.py",
    "ids": "_engine/ids.py",
    "line": "_engine/line.py",
    "lines": "_engine/lines.py",
    "origins": "_engine/origins.py",
    "outbox": "_engine/outbox.py",
    "pace": "_engine/schedule/pace.py",
    "render_times": "_engine/schedule/render_times.py",
    "rounds": "_engine/rounds.py",
    "schedule": "_engine/schedule/schedule.py",
    "signing_keys": "_engine/pushes/signing_keys.py",
    "turns": "_engine/turns.py",
    "verdict": "_engine/verdict.py",
    "waiting": "_engine/schedule/waiting.py",
    "watched": "_engine/looks/watched.py",
}
"""Values, and functions of them: they keep what they are told and call no part."""
OTHERS = {"attendance", "leader", "news", "sweeper"}
"""What their timers begin is no part of a request's way."""
WIRING = {"engine.py", "__init__.py"}
PARTS = {"client": "_client.py", "waits": "_waits.py"} | {
    path.stem: file
    for path in ENGINE.rglob("*.py")
    if (file := path.relative_to(PACKAGE).as_posix()) not in {*DOORS.values(), *STORES.values()}
    and path.name not in WIRING
}
"""Every other file: what acts or decides. A leg enters each of them once at most."""
CORE = {str(PACKAGE / file): name for name, file in (PARTS | DOORS | STORES).items()}


class Walk:
    """Notes every call from one core file into another, with the core files that are open above it."""

    def __init__(self, before: Walk | None = None):
        self.entries: list[tuple[str, str]] = []
        self.nested: set[tuple[str, ...]] = set()
        # Frames that are kept bear no other's id.
        self._frames = {} if before is None else before._frames

    def __enter__(self):
        sys.setprofile(self._called)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)

    def _called(self, frame, event, _):
        if event != "call" or (name := CORE.get(frame.f_code.co_filename)) is None:
            return
        if id(frame) in self._frames or frame.f_code.co_name == "<module>":
            return  # a coroutine goes on, or a file is imported
        self._frames[id(frame)] = frame
        above = self._open_above(frame)
        if not above or above[0] == name or above[-1] in OTHERS:
            return
        self.entries.append((above[0], name))
        if name in PARTS | DOORS and name in above:
            self.nested.add((*reversed(above[: above.index(name) + 1]), name))

    def _open_above(self, frame):
        """Return the core files of the calls that led to *frame*, the nearest first."""
        above = []
        caller = frame.f_back
        while caller is not None:
            outer = CORE.get(caller.f_code.co_filename)
            if outer is not None and (not above or above[-1] != outer):
                above.append(outer)
            caller = caller.f_back
        return above

    @property
    def way(self):
        """Return the calls into parts and doors, each once, in their order."""
        return list(dict.fromkeys((a, b) for a, b in self.entries if b in PARTS | DOORS))

    @property
    def entered_again(self):
        """Return the parts that were entered more than once."""
        times = Counter(name for _, name in self.entries if name in PARTS)
        return {name for name, count in times.items() if count > 1}


async def legs(**options):
    """Walk with one request: to its acceptance, and from the look that finds its end to the caller."""
    async with scene(**options) as s:
        with Walk() as first:
            video = s.begin(s.pika.generate("a cat"))
            await s.clock.advance(0)
        assert s.host.billed == {"a cat": 1}
        s.host.tasks["t1"]["done_at"] = s.clock.now()
        with Walk(first) as second:
            await s.clock.advance(15)
        assert video.result().id == "t1"
    return first, second


def drawn():
    """Return the two legs as docs/architecture.md draws them."""
    text = ARCHITECTURE.read_text(encoding="utf-8")
    block = re.search(r"### The flow of one request\n.*?```\n(.*?)```", text, re.DOTALL)
    return [
        [tuple(call) for call in re.findall(r"^(\w+) +-> (\w+)", leg, re.MULTILINE)]
        for leg in block[1].split("\n\n")
    ]


def test_what_is_left_out_is_there():
    """A store or a door that was renamed would be a part that nobody counts as one."""
    assert [file for file in (DOORS | STORES).values() if not (PACKAGE / file).exists()] == []


@pytest.mark.parametrize("ledger", [MemoryLedger, SharedLedger])
async def test_a_leg_enters_each_part_once(ledger):
    """From `generate` to the accepted POST, and from a look's answer to the caller."""
    for leg in await legs(ledger=ledger()):
        assert leg.entered_again == set()


async def test_the_way_is_the_one_that_is_drawn():
    """Call for call, in the order of docs/architecture.md."""
    assert [leg.way for leg in await legs()] == drawn()


async def test_no_part_is_called_back():
    """Nor is any entered from inside a change that it told: refusals, lost answers, slots and callbacks."""
    with Walk() as walk:
        async with scene(max_concurrency=1) as s:
            s.host.at_submit.extend([None, refusal("ContentBlocked"), LOST])
            for prompt in ("a cat", "a dog", "a hen", "a cow"):
                s.begin(s.pika.generate(prompt))
            await s.clock.advance(5000)
            assert s.host.billed["a cow"] == 1
        async with scene(Scripted(), Scripted(capabilities=capable("other"))) as s:
            s.host.at_submit.append(refusal("InsufficientBalance"))
            assert (await s.after(30, s.pika.generate("a cat"))).id == "t1"
        async with scene(Historian(), ledger=SharedLedger()) as s:
            s.host.at_submit.append(LOST)
            s.begin(s.pika.generate("a cat"))
            await s.clock.advance(60)
            assert s.host.searched
    assert walk.nested == set()
    assert {(a, b) for a, b in walk.entries if a in STORES and b in PARTS} == set()


async def test_the_walk_sees_a_part_that_is_entered_again():
    """An effect that calls back into the part that told the change is what the first release was full of."""
    async with scene() as s:
        s.engine.desk.carries_out(Moved, lambda *_: s.engine.looks["scripted:default"].resume())
        with Walk() as walk:
            await s.after(30, s.pika.generate("a cat"))
    assert ("looks", "desk", "looks") in walk.nested
    assert "looks" in walk.entered_again


def test_the_parts_do_not_know_the_engine():
    """Nobody imports it but those who open a client."""
    importers = {
        path.name
        for path in PACKAGE.rglob("*.py")
        if "_engine.engine import" in path.read_text(encoding="utf-8") and path.name != "engine.py"
    }
    assert importers <= {"_lifecycle.py", "_client.py"}
