"""How much Python a job runs, without sockets: counted, so that it is the same on every machine."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from types import FrameType
from typing import Any, Self
from urllib.parse import urlsplit

from benchmarks._clients import KEY
from benchmarks._report import Cell, Figure, Report
from benchmarks._wires import Wires

CLAIM = "Python calls per job, without sockets"
_PROMPT = "A cat surfing at sunset"


class Calls:
    """Counts the Python functions that are called and resumed while its `with` lasts, by file and name."""

    def __init__(self) -> None:
        self.by_name: Counter[str] = Counter()

    @property
    def total(self) -> int:
        """Return all calls."""
        return self.by_name.total()

    def _note(self, frame: FrameType, what: str, _: object) -> None:
        if what == "call":
            code = frame.f_code
            file = "/".join(code.co_filename.split("/")[-2:])
            self.by_name[f"{code.co_name}  {file}:{code.co_firstlineno}"] += 1

    def __enter__(self) -> Self:
        sys.setprofile(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)


async def counted(jobs: int) -> Counter[str]:
    """Buy *jobs* videos at once over a scripted transport, and return the calls by function.

    The script's own are left out, and so is what is done once per client.
    """
    from pika_async import Pika
    from pika_async._encoding import encode_json
    from pika_async.provider import HttpRequest, HttpResponse
    from pika_async.testing import ScriptedTransport

    wires = Wires()
    calls = Calls()

    def script(request: HttpRequest) -> HttpResponse:
        sys.setprofile(None)
        body: Any = request.body
        told = wires.answer(b"POST", urlsplit(request.url).path, encode_json(body.value))
        answer = HttpResponse(status=200, headers={"content-type": "application/json"}, body=told)
        if counting:
            sys.setprofile(calls._note)  # noqa: SLF001
        return answer

    counting = False
    wire = ScriptedTransport(script)
    limits = {"poll_rate": None, "poll_interval": 0.01, "max_concurrency": jobs}
    async with Pika("acedata", api_key=KEY, transport=wire, **limits) as pika:
        await asyncio.gather(*(pika.generate(_PROMPT) for _ in range(jobs)))
        counting = True
        with calls:
            await asyncio.gather(*(pika.generate(_PROMPT) for _ in range(jobs)))
        counting = False
    return Counter({name: count for name, count in calls.by_name.items() if "/_script.py" not in name})


def measure(*, full: bool) -> Report:
    """1,000 jobs of one client at once, in quick form 200, with instant renders. No transport is in it."""
    jobs = 1_000 if full else 200
    found = asyncio.run(counted(jobs))
    rows: list[dict[str, Cell]] = [
        {"most called": name, "a job": count / jobs} for name, count in found.most_common(30 if full else 10)
    ]
    goal = Figure(name="Python calls per job", value=found.total() / jobs, goal=450.0)
    return Report(name="calls", claim=CLAIM, quick=not full, rows=rows, figures=[goal])
