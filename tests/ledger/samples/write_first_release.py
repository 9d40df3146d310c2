"""Writes the ledger in `killed_first_release.zip`, with the code of the first release (commit a449416).

Run in a worktree of that commit: `python write_first_release.py FOLDER`. A client of it orders from its
sandbox and is killed; before that, the ledger is told of what takes hours. Not run by the tests.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
import zipfile
from pathlib import Path

from pika_acedata import AceData, AceDataEmulator
from pika_async import Pika, PikaError, SubmitUnknown
from pika_async._ledger.events import (
    Abandon,
    Cancel,
    Claim,
    Evidence,
    Lost,
    NextAttempt,
    NothingFound,
    Resubmit,
    SlotOver,
    Unknown,
)
from pika_async._ledger.records import Attempt, JobRecord
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.emulator import Held
from pika_async.requests import Generate
from pika_async.results import Pending, State, Succeeded, Task, VideoResult
from pika_async.sandbox import Sandbox

ACCOUNT = "acedata:hours"


def paid(task: str) -> Succeeded:
    video = VideoResult("v", f"https://cdn.example.com/{task}.mp4", None, 5.0, State.SUCCEEDED)
    return Succeeded(task=Task(task), results=(video,), raw={"id": task})


async def hours(path: Path) -> None:
    ledger = SqliteLedger(path)
    await ledger.open()
    then = time.time() - 7200

    async def told(name: str, *events: tuple[object, float]) -> None:
        first = Attempt(id=f"{name}-1", job_id=name, number=1, account=ACCOUNT)
        await ledger.create(
            JobRecord(
                id=name,
                created_at=then,
                request=Generate(f"A cat, {name}", image=b"png of " + name.encode()),
                attempts=(first,),
            )
        )
        for event, after in events:
            await ledger.apply(name, event, then + after)

    def sent(name: str, number: int = 1) -> tuple[tuple[object, float], ...]:
        return ((Claim(attempt=f"{name}-{number}", owner="o"), 1.0),)

    def lost(name: str) -> tuple[tuple[object, float], ...]:
        return (
            *sent(name),
            (Unknown(attempt=f"{name}-1", owner="o"), 60.0),
            (NothingFound(attempt=f"{name}-1", sent_at=then + 900), 901.0),
            (NothingFound(attempt=f"{name}-1", sent_at=then + 960), 961.0),
        )

    def answer(name: str, snapshot: object, source: str = "answer") -> tuple[object, float]:
        return Evidence(attempt=f"{name}-1", snapshot=snapshot, source=source), 1000.0

    again = lambda name: (Resubmit(next=NextAttempt(id=f"{name}-2", account=ACCOUNT)), 1100.0)  # noqa: E731
    await told("unresolved", *lost("unresolved"))
    await told("slotless", *lost("slotless"), (SlotOver(attempt="slotless-1"), 7000.0))
    await told("abandoned", *lost("abandoned"), (Abandon(), 1100.0))
    await told("resubmitted", *lost("resubmitted"), again("resubmitted"))
    await told(
        "twice",
        *lost("twice"),
        again("twice"),
        *sent("twice", 2),
        answer("twice", paid("first")),
        (Evidence(attempt="twice-2", snapshot=paid("second"), source="answer"), 1200.0),
    )
    await told("cancelled", (Cancel(), 1.0))
    await told("cancelling", *sent("cancelling"), (Cancel(), 2.0))
    await told(
        "vanished",
        *sent("vanished"),
        answer("vanished", Pending(task=Task("gone"))),
        (Lost(attempt="vanished-1"), 6000.0),
    )
    await told("found", *lost("found"), answer("found", paid("late"), "history"))
    await ledger.inbox_put("unresolved-1", b'{"task_id": "x"}', {"content-type": "application/json"}, then)
    await ledger.aclose()


class Slow:
    """AceData, which never answers an order with the word *hold*."""

    def __init__(self) -> None:
        self._emulator = AceDataEmulator()
        self.paths = self._emulator.paths

    def answer(self, request, world):
        answer = self._emulator.answer(request, world)
        holds = "hold" in str(request.body)
        return Held(until=world.now + 9e9, answer=lambda: answer) if holds else answer


async def now(path: Path, folder: Path) -> None:
    async with Sandbox(render_time=0.0, emulators=[Slow()]) as sandbox:
        options = {"ledger": path, "max_concurrency": 3, "poll_interval": 0.05, "poll_rate": None}
        async with Pika(AceData(api_key="sandbox-sample", base_url=sandbox.url), **options) as pika:
            await pika.generate("won", idempotency_key="order-1")
            for prompt in (
                "failed sandbox-render-fails",
                "refused sandbox-moderated",
                "poor sandbox-no-balance",
            ):
                with contextlib.suppress(PikaError):
                    await pika.generate(prompt)
            await pika.submit(Generate("running sandbox-never-finishes"))
            with contextlib.suppress(SubmitUnknown):
                await pika.generate("doubt sandbox-dropped")
            waits = [asyncio.create_task(pika.generate("hold"))]
            waits.append(asyncio.create_task(pika.generate("queued", idempotency_key="order-2")))
            await asyncio.sleep(1.0)
            with zipfile.ZipFile(folder / "killed_first_release.zip", "w", zipfile.ZIP_DEFLATED) as sample:
                for name in sorted(path.parent.glob("jobs.db*")):
                    if not name.name.endswith(("-shm", ".lock")):
                        sample.write(name, name.name)
            os.kill(os.getpid(), signal.SIGKILL)


folder = Path(sys.argv[1])
path = folder / "jobs.db"
asyncio.run(hours(path))
asyncio.run(now(path, folder))
