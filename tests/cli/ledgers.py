"""Ledgers on disk as the tests of the command line need them: written by the machine, not by hand."""

import asyncio
import sqlite3

from attrs import evolve

from pika_async import Generate
from pika_async._ledger.events import (
    Abandon,
    Cancel,
    Claim,
    Evidence,
    LeaseOver,
    Lost,
    NothingFound,
    Refused,
    Sending,
)
from pika_async._ledger.records import Attempt, JobRecord, Refusal
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.results import Failed, Pending, State, Succeeded, Task, VideoResult

OWNER = "a process that is gone"
ORDERED = 1_700_000_000.0
LATE = 1_800_000_000.0
LINK = "https://cdn.example.com/cat.mp4"


def told(snapshot, source="answer"):
    """Make evidence about the first attempt."""
    return lambda attempt: Evidence(attempt=attempt, snapshot=snapshot, source=source)


def claimed(attempt):
    """Make the claim of the first attempt."""
    return Claim(attempt=attempt, owner=OWNER)


RUNNING = (claimed, told(Pending(task=Task("task-1"))))
SENT = (claimed, lambda attempt: Sending(attempt=attempt, owner=OWNER))
LOST = (*SENT, lambda attempt: LeaseOver(attempt=attempt))
WAYS = {
    "queued": (),
    "submitting": (claimed,),
    "sending": SENT,
    "ambiguous": LOST,
    "unresolved": (*LOST, lambda attempt: NothingFound(attempt=attempt)),
    "running": RUNNING,
    "succeeded": (
        *RUNNING,
        told(Succeeded(task=Task("task-1"), results=(VideoResult("v", LINK, None, 5.0, State.SUCCEEDED),))),
    ),
    "failed": (
        *RUNNING,
        told(Failed(task=Task("task-1"), reason="content", message="no\x1b[2Jcats", trace_id="trace-1")),
    ),
    "refused": (
        claimed,
        lambda attempt: Refused(
            attempt=attempt, owner=OWNER, refusal=Refusal(error="AuthError", message="The key is wrong.")
        ),
    ),
    "cancelled": (lambda _: Cancel(),),
    "lost": (*RUNNING, lambda attempt: Lost(attempt=attempt)),
    "abandoned": (*RUNNING, lambda attempt: Lost(attempt=attempt), lambda _: Abandon()),
}


def write(file, *jobs):
    """Keep *jobs*: pairs of an id and a state, or of an id, a state and what differs."""
    asyncio.run(fill(file, *jobs))
    return file


async def fill(file, *jobs):
    """Do what `write` does, inside an event loop."""
    file.parent.mkdir(parents=True, exist_ok=True)
    ledger, clock = SqliteLedger(file), SetClock()
    await ledger.open(clock)
    for job_id, way, *more in jobs:
        await _write(ledger, clock, job_id, way, **(more[0] if more else {}))
    await ledger.aclose()


class SetClock:
    """The ledger's clock, set by hand."""

    now = ORDERED

    def __call__(self):
        return self.now


async def _write(ledger, clock, job_id, way, *, account="acedata:default", request=None, created_at=ORDERED):
    first = Attempt(id=f"{job_id}-1-n", job_id=job_id, number=1, account=account)
    request = Generate(f"A cat, {way}") if request is None else request
    await ledger.create(
        JobRecord(id=job_id, request=request or None, created_at=created_at, attempts=(first,))
    )
    for number, event in enumerate(WAYS[way]):
        made = event(first.id)
        if isinstance(made, Evidence):
            task = Task(f"{made.snapshot.task.id}-{job_id}")
            made = evolve(made, snapshot=evolve(made.snapshot, task=task))
        clock.now = created_at if number == 0 else LATE
        await ledger.apply(job_id, made)


def read(file, job_id):
    """Read a job."""

    async def get():
        ledger = SqliteLedger(file)
        await ledger.open()
        try:
            return await ledger.get(job_id)
        finally:
            await ledger.aclose()

    return asyncio.run(get())


def pass_time(file):
    """Let every lease be over, and every doubt be old, as if the command came hours later."""
    connection = sqlite3.connect(file, isolation_level=None)
    connection.execute("UPDATE job_attempts SET lease_until = 1, resolve_after = 1")
    connection.close()
