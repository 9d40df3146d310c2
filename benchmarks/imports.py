"""How long the import takes, and a program that opens and closes a client, in fresh interpreters."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.util import find_spec
from statistics import median

from benchmarks._machine import cores, for_a_while_on
from benchmarks._report import Cell, Figure, Report

CLAIM = "`from pika_async import Pika, Generate, VideoResult`, warm"

_IMPORTS = {
    "ours": "from pika_async import Pika, Generate, VideoResult",
    "aiohttp": "import aiohttp",
    "acedatacloud": "from acedatacloud import AsyncAceDataCloud",
    "fal_client": "import fal_client",
    "runwayml": "from runwayml import AsyncRunwayML",
    "replicate": "import replicate",
    "openai": "from openai import AsyncOpenAI",
}

_OPENED = """
import asyncio
{imported}
async def main():
    async with {client}:
        pass
asyncio.run(main())
"""
_BESIDE = {
    "import pika_async": ("import pika_async", "import asyncio, attrs", 1.2),
    "open and close a client": (
        _OPENED.format(imported="from pika_async import Pika", client="Pika('acedata', api_key='sandbox')"),
        _OPENED.format(imported="import aiohttp", client="aiohttp.ClientSession()"),
        1.25,
    ),
}
"""Programs of ours, each with the one beside which it is measured, and the most that it may take."""


def measure(*, full: bool) -> Report:
    """Whole runs of fresh interpreters, less bare ones; 31 rounds, in quick form 5."""
    missing = [name for name in _IMPORTS if name != "ours" and find_spec(name) is None]
    contestants = {"bare": "pass", **{n: code for n, code in _IMPORTS.items() if n not in missing}}
    for name, (ours, theirs, _) in _BESIDE.items():
        contestants |= {name: ours, f"beside: {name}": theirs}
    times: dict[str, list[float]] = {name: [] for name in contestants}
    with for_a_while_on(cores()[0]):
        for number in range((31 if full else 5) + 1):
            for name, code in contestants.items():
                taken = _run(code)
                if number:
                    times[name].append(taken)
    bare = median(times.pop("bare"))
    whole = {name: median(times.pop(name)) / median(times.pop(f"beside: {name}")) for name in _BESIDE}
    rows: list[dict[str, Cell]] = [
        {"import": name, "ms": (median(taken) - bare) * 1e3, "fastest ms": (min(taken) - bare) * 1e3}
        for name, taken in times.items()
    ]
    figures = [Figure(name="import", value=(median(times["ours"]) - bare) * 1e3, goal=80.0, unit="ms")]
    figures += [
        Figure(name=name, value=ratio, goal=_BESIDE[name][2], unit="times") for name, ratio in whole.items()
    ]
    remarks = [f"{name}: not installed, skipped" for name in missing]
    return Report(name="imports", claim=CLAIM, quick=not full, rows=rows, figures=figures, remarks=remarks)


def _run(code: str) -> float:
    # The first round, which counts for nothing, leaves compiled files, as installing a wheel does.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    # A timeout would make it wait in steps of up to 50 ms.
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    return time.perf_counter() - started
