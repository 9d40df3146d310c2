"""Jobs, attempts and answers as the tests of the ledger need them."""

from __future__ import annotations

from typing import Any

from pika_async._ledger.events import (
    Claim,
    Evidence,
    NextAttempt,
    NothingFound,
    Refused,
    Resubmit,
    Sending,
)
from pika_async._ledger.machine import step
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, Refusal, Source, Usage
from pika_async.requests import Generate
from pika_async.results import Failed, Pending, Snapshot, State, Succeeded, Task, VideoResult

ACCOUNT = "acedata:default"
OWNER = "owner-1"
REFUSAL = Refusal(error="RateLimited", message="Too many requests.", status=429)
CLAIMED = 1000.0
LATE = 1e9


def job(*attempts: Attempt, name: str = "j", **fields: Any) -> JobRecord:
    """Make a job; with one queued attempt unless told otherwise."""
    fields.setdefault("request", Generate("A cat"))
    return JobRecord(id=name, created_at=1.0, attempts=attempts or (attempt(job_id=name),), **fields)


def attempt(number: int = 1, job_id: str = "j", **fields: Any) -> Attempt:
    """Make an attempt, queued unless told otherwise; one that was sent has what its claim gave it."""
    state = fields.get("state", AttemptState.QUEUED)
    if state not in {AttemptState.QUEUED, AttemptState.CANCELLED}:
        fields = {"owner": OWNER, "claimed_at": 5.0, "resolve_after": 100.0, "slot_until": 200.0, **fields}
    fields = {"account": ACCOUNT, **fields}
    return Attempt(id=f"{job_id}-{number}", job_id=job_id, number=number, **fields)


def pending(task: str = "t", **locator: str) -> Pending:
    """Say that the provider has the task."""
    return Pending(task=Task(task, locator))


def succeeded(task: str = "t") -> Succeeded:
    """Say that the task gave a video."""
    video = VideoResult("v", "https://cdn.example.com/v.mp4", None, 5.0, State.SUCCEEDED)
    return Succeeded(task=Task(task), results=(video,), raw={"id": task})


def failed(task: str = "t") -> Failed:
    """Say that the task gave none."""
    return Failed(task=Task(task), reason="content", message="no")


def refunded(task: str = "t") -> Failed:
    """Say that the task gave none, and costs nothing."""
    return Failed(task=Task(task), reason="provider", charged="no")


def told(number: int, snapshot: Snapshot, source: Source = "answer", job_id: str = "j") -> Evidence:
    """Make evidence about an attempt of a job."""
    return Evidence(attempt=f"{job_id}-{number}", snapshot=snapshot, source=source)


def claim(number: int = 1, job_id: str = "j", **fields: Any) -> Claim:
    """Make a claim by the tests' owner."""
    return Claim(attempt=f"{job_id}-{number}", owner=OWNER, **fields)


def sending(number: int = 1, job_id: str = "j") -> Sending:
    """Let the tests' owner pass the fence."""
    return Sending(attempt=f"{job_id}-{number}", owner=OWNER)


def refused(number: int = 1, *, following: int | None = None, job_id: str = "j") -> Refused:
    """Make a refusal, with attempt *following* to go on."""
    next_ = None if following is None else next_attempt(following, job_id)
    return Refused(attempt=f"{job_id}-{number}", owner=OWNER, refusal=REFUSAL, next=next_)


def next_attempt(number: int, job_id: str = "j") -> NextAttempt:
    """Make what a new row is made of."""
    return NextAttempt(id=f"{job_id}-{number}", account=ACCOUNT)


def resubmit(following: int, attempt: str | None = None) -> Resubmit:
    """Make a person's word for another attempt."""
    return Resubmit(next=next_attempt(following), attempt=attempt)


def nothing(number: int = 1, sent_at: float | None = LATE, job_id: str = "j") -> NothingFound:
    """Make a look into the history that did not find the attempt."""
    return NothingFound(attempt=f"{job_id}-{number}", sent_at=sent_at)


def after(record: JobRecord, *events: Any, now: float = LATE) -> JobRecord:
    """Return what *events* make of a job, one after the other; claims come long before the rest."""
    for event in events:
        record = step(record, event, CLAIMED if isinstance(event, Claim | Sending) else now)
    return record


def states(record: JobRecord) -> str:
    """Return the states of a job's attempts as words."""
    return " ".join(a.state for a in record.attempts)


async def create(ledger, *names: str, **fields) -> None:
    """Keep one queued job for each name; a key keeps memory from forgetting it."""
    for name in names:
        await ledger.create(job(name=name, key=f"key of {name}", **fields))


def counts(usage: Usage) -> tuple[int, int]:
    """Return slots and submits."""
    return usage.slots, usage.submits


async def names(listed) -> str:
    """Return the ids of the jobs that *listed* brings, as one word."""
    return "".join(j.id for j in await listed)
