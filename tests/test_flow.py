"""The flow of one request: no part of the engine is entered twice, and none calls back into another.

Seen from outside: which files of the engine the interpreter enters, one after the other, for one video.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import pika_async._engine
from tests.engine.scripted import scene

pytestmark = pytest.mark.anyio

ENGINE = Path(pika_async._engine.__file__).parent
LEAVES = {
    "account.py",
    "addresses.py",
    "clock.py",
    "confirmations.py",
    "engine.py",
    "digest.py",
    "effects.py",
    "files.py",
    "flight.py",
    "ids.py",
    "line.py",
    "lines.py",
    "turns.py",
    "verdict.py",
}
"""Values, what only waits or counts, and the wiring: they decide nothing and call nobody of their own."""


def part(code):
    """Return the part of the engine that *code* belongs to, "" for anything else."""
    path = Path(code.co_filename)
    if not path.is_relative_to(ENGINE) or path.name in LEAVES or "schedule" in path.parts:
        return ""
    return path.stem


class Walk:
    """Notes each entry into another part, with the parts that were being left open above it."""

    def __init__(self):
        self.entered, self.nested = [], set()

    def __call__(self, frame, event, arg):
        if event != "call" or not (name := part(frame.f_code)):
            return
        above, caller = [], frame.f_back
        while caller is not None:
            if (outer := part(caller.f_code)) and outer != (above[-1] if above else name):
                above.append(outer)
            caller = caller.f_back
        if name in above:
            self.nested.add((name, *above[: above.index(name) + 1]))
        if not self.entered or self.entered[-1] != name:
            self.entered.append(name)


async def walked(s, awaitable, seconds):
    """Walk with *awaitable* until it has ended; return what was entered."""
    walk = Walk()
    sys.setprofile(walk)
    try:
        await s.after(seconds, awaitable)
    finally:
        sys.setprofile(None)
    return walk


async def test_a_request_passes_each_part_once():
    """Order, line, send, answer, look, reading: between them only the desk, which tells the ledger."""
    async with scene() as s:
        walk = await walked(s, s.pika.generate("a cat"), 30)
    way = [name for name in walk.entered if name not in {"desk", "outbox"}]
    assert list(dict.fromkeys(way)) == [
        "orders",
        "building",
        "dispatch",
        "posts",
        "sending",
        "answers",
        "looks",
        "readings",
    ]
    assert way.count("answers") == 1


async def test_no_part_calls_back_into_a_part_that_is_open():
    """The star of the first release: reactions that ran inside each other. Only the desk lies between."""
    async with scene(max_concurrency=1) as s:
        walk = await walked(s, s.pika.generate("a cat"), 30)
        second = await walked(s, s.pika.generate("a dog"), 30)
    for name, *between, again in walk.nested | second.nested:
        assert (between, again) == (["desk"], name)


async def test_the_parts_do_not_know_the_engine():
    """Nobody imports it but those who open a client."""
    importers = {
        path.name
        for path in ENGINE.parent.rglob("*.py")
        if "_engine.engine import" in path.read_text() and path.name != "engine.py"
    }
    assert importers <= {"_options.py", "_client.py"}
