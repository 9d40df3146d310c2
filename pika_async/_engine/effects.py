"""What a change of a job's record calls for, as values. Pure and total.

The order in which `effects` returns them is the order in which they are carried out: first the look-ups that
begin and end, then what those who wait are told, then what is kept an eye on, and freed slots last, so that
the next job starts only when everything about this one is done.
"""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from pika_async._engine.verdict import outcome, unresolved
from pika_async._ledger.change import Change
from pika_async._ledger.events import Evidence, Refused, Unknown
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState, Refusal
from pika_async._ledger.standing import CLAIMED, in_doubt, is_question, is_watched, settled
from pika_async.errors import PikaError
from pika_async.results import Pending, Succeeded


@frozen
class Moved:
    """The job (*attempt* None) or one of its attempts is in another state: said in the log."""

    attempt: Attempt | None
    state: str


@frozen
class Look:
    """The attempt has a task to look up. *doubted*: one answer has called it done without a link."""

    attempt: Attempt
    doubted: bool = False


@frozen
class Stop:
    """The attempt needs no look-up any more."""

    attempt: Attempt


@frozen
class Queue:
    """The attempt is to be sent as soon as its account allows."""

    attempt: Attempt


@frozen
class Requeued:
    """Another process queued the attempt, and may be dead: who waits for the job here sends it."""

    attempt: Attempt


@frozen
class Answered:
    """It is known what became of the attempt's POST: callbacks that waited for that may be handled."""

    attempt: Attempt


@frozen
class Progress:
    """The provider said where the task stands, and it has not ended."""

    snapshot: Pending


@frozen
class Accepted:
    """The provider has the job."""


@frozen
class Ended:
    """The job has ended, with its videos or with an error."""

    outcome: Succeeded | PikaError


@frozen
class Trouble:
    """Those who wait are told *error*; the job itself goes on."""

    error: PikaError


@frozen
class Question:
    """Only time, the provider's history or another process can move the job."""


@frozen
class Forget:
    """Nothing more can be learned about the job."""


@frozen
class SlotTaken:
    """The account holds one slot more."""

    account: str


@frozen
class SlotFreed:
    """The account holds one slot less: the next job may be sent."""

    account: str


Effect: TypeAlias = (
    Moved
    | Look
    | Stop
    | Queue
    | Requeued
    | Answered
    | Progress
    | Accepted
    | Ended
    | Trouble
    | Question
    | Forget
    | SlotTaken
    | SlotFreed
)

_ABOUT_THE_ACCOUNT = frozenset({"AuthError", "InsufficientBalance"})
_ACCEPTED = Accepted()
_QUESTION = Question()
_FORGET = Forget()


def effects(change: Change, owner: str) -> list[Effect]:
    """Return what *change* calls for in the process *owner*.

    A change without an event was made elsewhere and is only seen here; one without a *before* as well is a
    job that this process has just read, whose slots are counted already.
    """
    before, after = change.before, change.after
    known = before.attempts if before is not None else ()
    found: list[Effect] = []
    slots: list[Effect] = []
    counted = before is not None or change.event is not None
    for index, attempt in enumerate(after.attempts):
        old = known[index] if index < len(known) else None
        if old is None or old.version != attempt.version:
            _of_attempt(found, old, attempt, change)
            held = old is not None and old.slot
            if counted and attempt.slot is not held:
                slots.append(SlotTaken(attempt.account) if attempt.slot else SlotFreed(attempt.account))
    _of_job(found, change)
    if settled(after):
        found.append(_FORGET)
    elif any(is_question(a, owner) for a in after.attempts):
        found.append(_QUESTION)
    found += slots
    return found


def _of_attempt(found: list[Effect], old: Attempt | None, new: Attempt, change: Change) -> None:
    if old is None or old.state is not new.state:
        found.append(Moved(new, new.state))
        if old is not None and old.state in CLAIMED and new.state not in CLAIMED:
            found.append(Answered(new))
    watched = old is not None and is_watched(old)
    if is_watched(new):
        if not watched:
            event = change.event
            found.append(Look(new, doubted=isinstance(event, Evidence) and event.doubted))
    elif watched:
        found.append(Stop(new))
    if old is None and change.before is not None and new.state is AttemptState.QUEUED:
        event = change.event
        if event is None:
            if not waits_for_a_word(change.after):
                found.append(Requeued(new))
        elif not (isinstance(event, Refused) and event.later):
            found.append(Queue(new))


def waits_for_a_word(job: JobRecord) -> bool:
    """Return whether the newest attempt follows a refusal about the account: it waits for a word."""
    before = job.attempts[-2].outcome if len(job.attempts) > 1 else None
    return isinstance(before, Refusal) and before.error in _ABOUT_THE_ACCOUNT


def _of_job(found: list[Effect], change: Change) -> None:
    before, after = change.before, change.after
    if after.state is not JobState.OPEN:
        if before is None or before.state is JobState.OPEN:
            found.append(Moved(None, after.state))
            found.append(Ended(_end(change)))
        return
    if isinstance(change.event, Evidence) and isinstance(change.event.snapshot, Pending):
        found.append(Progress(change.event.snapshot))
    if (told := _trouble(change)) is not None:
        found.append(Trouble(told))
    elif _accepted(after) and (before is None or not _accepted(before)):
        found.append(_ACCEPTED)


def _end(change: Change) -> Succeeded | PikaError:
    event = change.event
    if isinstance(event, Refused) and event.error is not None and change.after.state is JobState.FAILED:
        return event.error
    end = outcome(change.after)
    return end if end is not None else PikaError("The record of this job is incomplete; see its history.")


def _trouble(change: Change) -> PikaError | None:
    event, after = change.event, change.after
    match event:
        case Refused(error=PikaError() as error) if change.moved and _leaves_it_at_that(after, event):
            return error
        case Unknown(error=PikaError() as error) if change.moved and not _busy(after):
            return error
    doubtful = in_doubt(after)
    known = in_doubt(change.before) if change.before is not None else None
    return unresolved(doubtful) if doubtful is not None and known is None else None


def _leaves_it_at_that(after: JobRecord, refused: Refused) -> bool:
    """Return whether nothing follows a refusal by itself, so that it has to be told.

    Where the ledger heard of it late, another process may have sent the next attempt already.
    """
    if after.newest.state is AttemptState.QUEUED:
        return refused.later
    return after.newest.id == refused.attempt and not _busy(after)


def _busy(job: JobRecord) -> bool:
    busy = CLAIMED | {AttemptState.QUEUED, AttemptState.RUNNING}
    return any(attempt.state in busy for attempt in job.attempts)


def _accepted(job: JobRecord) -> bool:
    return job.newest.task is not None or any(attempt.task is not None for attempt in job.attempts)
