"""What a ledger keeps: jobs, their attempts, and what became of them. Values only.

Row numbers in docstrings, here and beside it, are those of the table in docs/pay-once.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Any, Literal, TypeAlias, TypeVar

from attrs import AttrsInstance, fields, frozen

from pika_async.results import Charged, Failed, Snapshot, Succeeded, Task

T = TypeVar("T", bound=AttrsInstance)


def evolve(value: T, **changes: Any) -> T:
    """Copy a record with *changes*, at a third of what `attrs.evolve` costs: a job has eight of these.

    It sets slots directly, so it is for classes without converters and validators, such as those here.
    """
    copy = object.__new__(type(value))
    for name, get, put in _slots(type(value)):
        put(copy, changes.pop(name) if name in changes else get(value))
    if changes:
        raise TypeError(f"{type(value).__name__} has no {', '.join(changes)}")
    return copy


@cache
def _slots(kind: type[AttrsInstance]) -> tuple[tuple[str, Any, Any], ...]:
    members = ((name, getattr(kind, name)) for name in (field.name for field in fields(kind)))
    return tuple((name, member.__get__, member.__set__) for name, member in members)


class AttemptState(StrEnum):
    """Where one billed POST stands; see the table."""

    QUEUED = "queued"
    SUBMITTING = "submitting"
    AMBIGUOUS = "ambiguous"
    UNRESOLVED = "unresolved"
    REFUSED = "refused"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class JobState(StrEnum):
    """How a job ended, or that it has not."""

    OPEN = "open"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL = frozenset({AttemptState.SUCCEEDED, AttemptState.FAILED})
OPEN = frozenset(
    {
        AttemptState.QUEUED,
        AttemptState.SUBMITTING,
        AttemptState.AMBIGUOUS,
        AttemptState.UNRESOLVED,
        AttemptState.RUNNING,
    }
)
CALLBACKS_PER_ATTEMPT = 32
"""More different bodies than any provider sends about one task; the inbox keeps no more."""

Source: TypeAlias = Literal["answer", "history", "callback"]
"""Who told of a task: the POST's own answer, a history that echoes our token, a callback by bare token."""


@frozen(kw_only=True)
class Refusal:
    """Why an attempt was refused, as the error that the caller will see."""

    error: str
    message: str
    code: str | None = None
    status: int | None = None
    trace_id: str | None = None
    retry_after: float | None = None


@frozen(kw_only=True)
class Attempt:
    """One row is one POST, and never returns to `queued`.

    Times are wall-clock seconds. *resolve_after* is E of the document; *negatives* counts history
    look-ups sent after it that did not find the token; *task* is kept once bound.
    """

    id: str
    job_id: str
    number: int
    account: str
    state: AttemptState = AttemptState.QUEUED
    version: int = 0
    slot: bool = False
    superseded: bool = False
    abandoned: bool = False
    owner: str | None = None
    not_before: float = 0.0
    claimed_at: float | None = None
    lease_until: float = 0.0
    resolve_after: float = 0.0
    slot_until: float = 0.0
    negatives: int = 0
    task: Task | None = None
    bound_by: Source | None = None
    outcome: Succeeded | Failed | Refusal | None = None


@frozen(kw_only=True)
class JobRecord:
    """A job and its attempts, oldest first.

    *request* is opaque here; *files* gives the SHA-256 of each file it names, by path; *extras* are further
    tasks the provider took for this job, each with the last that is known of it. *version* counts changes of
    the job's own fields; an attempt counts its own.
    """

    id: str
    request: object
    created_at: float
    attempts: tuple[Attempt, ...]
    files: Mapping[str, str] | None = None
    key: str | None = None
    digest: str | None = None
    state: JobState = JobState.OPEN
    version: int = 0
    cancel_requested: bool = False
    winner: str | None = None
    extras: tuple[Snapshot, ...] = ()

    @property
    def newest(self) -> Attempt:
        """Return the attempt made last; a job always has one."""
        return self.attempts[-1]

    def attempt(self, attempt_id: str) -> Attempt | None:
        """Return one attempt by its id."""
        for attempt in self.attempts:
            if attempt.id == attempt_id:
                return attempt
        return None

    @property
    def frees_its_key(self) -> bool:
        """Return whether every attempt was refused: an empty balance must not burn an idempotency key."""
        return self.state is JobState.FAILED and all(a.state is AttemptState.REFUSED for a in self.attempts)

    @property
    def settled(self) -> bool:
        """Return whether nothing can change any more without evidence from outside."""
        return self.state is not JobState.OPEN and not any(a.state in OPEN for a in self.attempts)


@frozen(kw_only=True)
class Usage:
    """What an account uses now: slots taken, and all submits ever claimed on this ledger."""

    slots: int = 0
    submits: int = 0


@frozen(kw_only=True)
class Move:
    """A line of a job's history; *subject* is an attempt's id, or the job's for what concerns all of it."""

    subject: str
    at: float
    before: str | None
    after: str
    note: str = ""


@frozen(kw_only=True)
class Received:
    """A callback in the inbox; *id* is the ledger's."""

    id: int
    attempt_id: str
    received_at: float
    headers: Mapping[str, str]
    body: bytes


def charged(attempt: Attempt) -> Charged:
    """Return whether *attempt* cost money, as far as anyone knows."""
    match attempt:
        case Attempt(outcome=Failed(charged=answer)):
            return answer
        case Attempt(task=Task()):
            return "yes"
        case Attempt(state=AttemptState.QUEUED | AttemptState.REFUSED | AttemptState.CANCELLED):
            return "no"
        case _:
            return "unknown"
