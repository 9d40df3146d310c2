"""What runs when the power goes: a ledger that takes every kind of change, and says what it acknowledged.

Started as `python -m tests.power_cut_program LEDGER`. Each line on stdout is a JSON list, written once the
ledger has returned: what was done, and to what.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path

from pika_async._ledger.events import Event, Refused
from pika_async._ledger.records import Refusal
from pika_async._ledger.sqlite import SqliteLedger, opening
from tests.ledger.records import ACCOUNT, OWNER, claim, job, next_attempt, pending, succeeded, told

BLOCKED = Refusal(error="ContentBlocked", message="No.", status=400)


def said(*what: object) -> None:
    """Tell the test what is durable by the ledger's word; the pipe is on no disk."""
    os.write(1, json.dumps(what).encode() + b"\n")


async def moved(ledger: SqliteLedger, word: str, name: str, event: Event) -> None:
    """Let the ledger decide on *event*, and tell what is durable now."""
    change = await ledger.apply(name, event)
    assert change.moved, (word, name)
    said(word, name)


async def main(path: Path) -> None:
    """Three rounds: a bought, a refused and a doubtful order each; then the file is closed and reopened."""
    if os.environ.get("POWER_CUT_UNSAFE"):
        opening._SETTINGS = ("PRAGMA synchronous = OFF",)
    for life in range(3):
        ledger = SqliteLedger(path)
        await ledger.open()
        if life == 0:
            said("id", ledger.id)
        for kind in ("bought", "refused", "doubtful"):
            name = f"{kind}-{life}"
            await ledger.create(job(name=name, key=f"key-{name}"))
            said("created", name)
            await moved(ledger, "claimed", name, claim(job_id=name))
            if kind == "bought":
                await moved(ledger, "running", name, told(1, pending(f"task-{name}"), job_id=name))
                await ledger.inbox_put(f"{name}-1", b'{"state": "done"}', {"x": "y"})
                said("called back", name)
                await moved(ledger, "succeeded", name, told(1, succeeded(f"task-{name}"), job_id=name))
            if kind == "refused":
                again = Refused(
                    attempt=f"{name}-1", owner=OWNER, refusal=BLOCKED, next=next_attempt(2, job_id=name)
                )
                await moved(ledger, "queued again", name, again)
                await moved(ledger, "claimed again", name, claim(2, job_id=name))
        await ledger.lease(f"poll {ACCOUNT}", "owner-1", 15.0)
        await ledger.learned(ACCOUNT, f"life {life}")
        said("learned", f"life {life}")
        await ledger.aclose()
    said("end")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
