"""What a ledger made of an event: the job before and after it, whichever process or store made it."""

from __future__ import annotations

from typing import Any

from attrs import frozen

from pika_async._ledger.claims import claimable
from pika_async._ledger.events import Claim, Event, Evidence, PassedOver, Refused
from pika_async._ledger.pacing import Obstacle, obstacle
from pika_async._ledger.records import JobRecord, Usage


@frozen(kw_only=True, weakref_slot=False)
class Change:
    """A job *before* and *after* *event*; before is None for a new one, the event None for another process's.

    *moved* says whether anything changed. *at* is the ledger's time. *obstacle* says why a claim was not
    granted although the job itself allowed it; *usage* is what the event's account uses after it, where the
    ledger read it.
    """

    before: JobRecord | None
    after: JobRecord
    event: Event | None = None
    moved: bool = True
    at: float = 0.0
    obstacle: Obstacle | None = None
    usage: Usage | None = None


def refused_by(job: JobRecord, event: Event, usage: Usage, now: float) -> Obstacle | None:
    """Return what stood in the way of a claim that the job itself allowed; None for every other event."""
    if not isinstance(event, Claim):
        return None
    attempt = job.attempt(event.attempt)
    if attempt is None or not claimable(job, attempt, now):
        return None
    return obstacle(event, usage, now)


def described(event: Event) -> str:
    """Return what a job's history says of *event*, in at most 300 characters that any encoding can hold."""
    said: Any = ""
    match event:
        case Refused(refusal=refusal) | PassedOver(refusal=refusal):
            said = f"{refusal.error}: {refusal.message}"
        case Evidence(source=source):
            said = source
        case _:
            said = getattr(event, "owner", "")
    return f"{type(event).__name__} {said}".strip()[:300].encode(errors="replace").decode()
