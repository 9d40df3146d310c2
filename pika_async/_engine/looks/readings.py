"""What a look-up tells of one attempt: pending, ended, unknown to the provider, another's, too old. Pure."""

from __future__ import annotations

from typing import Final, TypeAlias

from attrs import evolve, frozen

from pika_async._ledger.events import Evidence, Lost, Mismatch
from pika_async._ledger.records import Attempt, AttemptState, Source
from pika_async.results import Failed, Pending, Snapshot, Succeeded, Task

_MISSING_LOOKS: Final = 5
_MISSING_GRACE: Final = 120.0
_SLOWLY: Final = 60.0


@frozen
class Seen:
    """What earlier look-ups of an attempt told that its record does not hold.

    *misses* counts those in a row that did not know the task, the first at *missing_since*. *doubted*: one
    answer has called the task done without a link. *proven*: one has echoed our token.
    """

    misses: int = 0
    missing_since: float = 0.0
    doubted: bool = False
    proven: bool = False


@frozen
class Looked:
    """The task goes on; the next look comes *poll_after* seconds later at least."""

    poll_after: float | None = None


@frozen
class HasEnded:
    """The task has ended."""


@frozen
class Again:
    """The look told nothing that can be used; it is to be done again."""

    why: str = ""


Note: TypeAlias = Looked | HasEnded | Again


@frozen(kw_only=True)
class Reading:
    """What follows from a look at one attempt: a *note* for the schedule and an *event* for the ledger.

    *progress* is what those who wait may be shown, *gone* says that a token's task is not known at all.
    """

    note: Note
    seen: Seen
    event: Evidence | Lost | Mismatch | None = None
    progress: Pending | None = None
    gone: bool = False


@frozen(kw_only=True)
class Circumstances:
    """What is known beside the answer: the times, and which attempt the echoed address names.

    *now* is monotonic, *wall* the ledger's time. *named* is None where nothing was echoed, and "" for an
    address that is none of ours. *adopted* tells a job that only a token names.
    """

    now: float
    wall: float
    longest_render: float
    named: str | None = None
    adopted: bool = False


def read_look(attempt: Attempt, found: Snapshot | None, seen: Seen, at: Circumstances) -> Reading:
    """Return what one answer tells of *attempt*; *found* None: the provider does not know the task."""
    task = attempt.task
    if task is None:
        return Reading(note=Again(), seen=seen)
    if found is None:
        return _missing(attempt, seen, at)
    if found.task.id != task.id:
        return Reading(note=Again("the adapter returned another task"), seen=seen)
    if attempt.bound_by != "echo" and at.named not in {None, attempt.id}:
        if at.adopted:
            return Reading(note=Looked(), seen=seen, gone=True)
        event = Mismatch(attempt=attempt.id, task=task.id)
        return Reading(note=Again("the task echoes another token"), seen=Seen(), event=event)
    proven = seen.proven or at.named == attempt.id
    if seen.misses or proven is not seen.proven:
        seen = evolve(seen, misses=0, proven=proven)
    if isinstance(found, Pending):
        return _pending(attempt, task, found, seen, at)
    if isinstance(found, Failed) and found.reason == "no_output" and not seen.doubted:
        return Reading(note=Looked(), seen=evolve(seen, doubted=True))
    return Reading(note=HasEnded(), seen=seen, event=_evidence(attempt, found, seen))


def _pending(attempt: Attempt, task: Task, found: Pending, seen: Seen, at: Circumstances) -> Reading:
    too_old = attempt.claimed_at is not None and at.wall - attempt.claimed_at > at.longest_render
    note = Looked(_SLOWLY if too_old else found.poll_after)
    found_again = attempt.state is AttemptState.UNRESOLVED and not too_old
    if found_again or at.adopted or task.merged(found.task) is not task:
        return Reading(note=note, seen=seen, event=_evidence(attempt, found, seen), progress=found)
    if too_old:
        lost = Lost(attempt=attempt.id) if attempt.state is AttemptState.RUNNING else None
        return Reading(note=note, seen=seen, event=lost)
    return Reading(note=note, seen=seen, progress=found)


def _evidence(attempt: Attempt, found: Pending | Succeeded | Failed, seen: Seen) -> Evidence:
    # A look-up by id confirms the task, not that it is ours: without an echo, who bound it stays as it is.
    source: Source = "echo" if seen.proven else attempt.bound_by or "answer"
    return Evidence(attempt=attempt.id, snapshot=found, source=source)


def _missing(attempt: Attempt, seen: Seen, at: Circumstances) -> Reading:
    since = seen.missing_since if seen.misses else at.now
    seen = evolve(seen, misses=seen.misses + 1, missing_since=since)
    lost = seen.misses >= _MISSING_LOOKS and at.now - since >= _MISSING_GRACE
    gone = at.adopted and seen.misses >= _MISSING_LOOKS
    event = Lost(attempt=attempt.id) if lost and attempt.state is AttemptState.RUNNING else None
    return Reading(
        note=Looked(_SLOWLY if lost else None), seen=seen, event=None if at.adopted else event, gone=gone
    )
