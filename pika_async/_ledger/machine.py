"""The pay-once table as data and one pure, total function. No clock, no storage, no randomness.

The main rule: time and leases may lead to a look-up, never to a POST. Row numbers in docstrings are
those of the table in docs/pay-once.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Literal, TypeAlias

from attrs import evolve, field, frozen

from pika_async.results import Charged, Failed, Pending, Snapshot, Succeeded, Task


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
UNSENT = frozenset({AttemptState.QUEUED})
OPEN = frozenset(
    {
        AttemptState.QUEUED,
        AttemptState.SUBMITTING,
        AttemptState.AMBIGUOUS,
        AttemptState.UNRESOLVED,
        AttemptState.RUNNING,
    }
)
_UNANSWERED = frozenset({AttemptState.SUBMITTING, AttemptState.AMBIGUOUS, AttemptState.UNRESOLVED})
_MAY_SUCCEED_IT = frozenset({AttemptState.REFUSED, AttemptState.FAILED, AttemptState.CANCELLED})

Source: TypeAlias = Literal["answer", "history", "callback"]
_RANK: dict[Source | None, int] = {None: 0, "callback": 1, "history": 2, "answer": 3}


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
    paid videos.
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
    extras: tuple[Succeeded, ...] = ()

    @property
    def newest(self) -> Attempt:
        """Give the attempt made last; a job always has one."""
        return self.attempts[-1]

    def attempt(self, attempt_id: str) -> Attempt | None:
        """Give one attempt by its id."""
        return next((a for a in self.attempts if a.id == attempt_id), None)

    @property
    def frees_its_key(self) -> bool:
        """Tell whether every attempt was refused: an empty balance must not burn an idempotency key."""
        return self.state is JobState.FAILED and all(
            a.state is AttemptState.REFUSED for a in self.attempts
        )

    @property
    def settled(self) -> bool:
        """Tell whether nothing can change any more without evidence from outside."""
        return self.state is not JobState.OPEN and not any(a.state in OPEN for a in self.attempts)


@frozen(kw_only=True)
class Times:
    """The document's letters, in seconds; `deadline` is D, `longest_render` is R."""

    claim_to_byte: float = 5.0
    deadline: float = 60.0
    commit: float = 5.0
    slack: float = 5.0
    acceptance: float = 120.0
    resolve: float = 404.0
    longest_render: float = 1800.0

    @property
    def lease(self) -> float:
        """L > W + D + C + S."""
        return self.claim_to_byte + self.deadline + self.commit + self.slack + 1.0


@frozen(kw_only=True)
class Usage:
    """What an account uses now: slots taken, and all submits ever claimed on this ledger."""

    slots: int = 0
    submits: int = 0


@frozen(kw_only=True)
class Claim:
    """Row 2: an owner is about to POST, if slot and spending cap allow."""

    attempt: str
    owner: str
    times: Times = field(factory=Times)
    max_slots: int | None = None
    max_submits: int | None = None


@frozen(kw_only=True)
class NextAttempt:
    """The new queued row that a refusal or a person's word makes."""

    id: str
    account: str
    not_before: float = 0.0


@frozen(kw_only=True)
class Refused:
    """Rows 3 and 4: the owner knows that nothing was bought."""

    attempt: str
    owner: str
    refusal: Refusal
    next: NextAttempt | None = None


@frozen(kw_only=True)
class Evidence:
    """Rows 5, 10, 11 and 16: the provider knows this task as ours."""

    attempt: str
    snapshot: Snapshot
    source: Source


@frozen(kw_only=True)
class Unknown:
    """Row 6: the owner cannot tell what became of the POST."""

    attempt: str
    owner: str


@frozen(kw_only=True)
class LeaseOver:
    """Row 7: nobody heard of the POST within its lease."""

    attempt: str


@frozen(kw_only=True)
class NothingFound:
    """Row 8: a history look-up sent at *sent_at* did not find the token; None where there is no history."""

    attempt: str
    sent_at: float | None = None


@frozen(kw_only=True)
class Lost:
    """Row 9: the provider repeatedly does not know the task, or it is too old."""

    attempt: str


@frozen(kw_only=True)
class Unbind:
    """A task bound by a bare callback turned out to be another attempt's."""

    attempt: str


@frozen(kw_only=True)
class Cancel:
    """Row 12, and the stored flag for an attempt that is already on its way."""


@frozen(kw_only=True)
class Resubmit:
    """Row 13: a person's word."""

    next: NextAttempt


@frozen(kw_only=True)
class Abandon:
    """Row 14: a person's word."""


@frozen(kw_only=True)
class SlotOver:
    """Row 15: whatever was sent must have ended by now."""

    attempt: str


@frozen(kw_only=True)
class Restored:
    """The ledger is a copy or was restored: what it calls queued may have been sent since."""

    attempt: str


Event: TypeAlias = (
    Claim
    | Refused
    | Evidence
    | Unknown
    | LeaseOver
    | NothingFound
    | Lost
    | Unbind
    | Cancel
    | Resubmit
    | Abandon
    | SlotOver
    | Restored
)


def step(job: JobRecord, event: Event, now: float, usage: Usage = Usage()) -> JobRecord:  # noqa: B008
    """Give what *event* makes of *job*; the very same object when its guard does not hold."""
    match event:
        case Claim():
            return _claim(job, event, now, usage)
        case Refused():
            return _refuse(job, event)
        case Evidence():
            return _evidence(job, event)
        case Unknown(attempt=id_, owner=owner):
            return _move(
                job,
                id_,
                lambda a: a.state is AttemptState.SUBMITTING and a.owner == owner,
                state=AttemptState.AMBIGUOUS,
            )
        case LeaseOver(attempt=id_):
            return _move(
                job,
                id_,
                lambda a: a.state is AttemptState.SUBMITTING and now > a.lease_until,
                state=AttemptState.AMBIGUOUS,
            )
        case NothingFound():
            return _nothing_found(job, event, now)
        case Lost(attempt=id_):
            return _move(job, id_, lambda a: a.state is AttemptState.RUNNING, state=AttemptState.UNRESOLVED)
        case Unbind(attempt=id_):
            return _move(
                job,
                id_,
                lambda a: a.state in OPEN and a.task is not None and a.bound_by == "callback",
                state=AttemptState.AMBIGUOUS,
                task=None,
                bound_by=None,
            )
        case Cancel():
            return _cancel(job)
        case Resubmit(next=next_):
            return _resubmit(job, next_)
        case Abandon():
            newest = job.newest
            return _move(
                job,
                newest.id,
                lambda a: a.state is AttemptState.UNRESOLVED and not a.abandoned,
                abandoned=True,
            )
        case SlotOver(attempt=id_):
            return _move(
                job,
                id_,
                lambda a: (
                    a.slot
                    and a.state in {AttemptState.AMBIGUOUS, AttemptState.UNRESOLVED}
                    and now > a.slot_until
                ),
                slot=False,
            )
        case Restored(attempt=id_):
            return _move(
                job, id_, lambda a: a.state is AttemptState.QUEUED, state=AttemptState.AMBIGUOUS
            )


def _replace(job: JobRecord, changed: Attempt) -> tuple[Attempt, ...]:
    return tuple(changed if a.id == changed.id else a for a in job.attempts)


def _with(attempt: Attempt, **changes: Any) -> Attempt:
    return evolve(attempt, version=attempt.version + 1, **changes)


def _move(job: JobRecord, attempt_id: str, guard: Callable[[Attempt], bool], **changes: Any) -> JobRecord:
    attempt = job.attempt(attempt_id)
    if attempt is None or not guard(attempt):
        return job
    return evolve(job, attempts=_replace(job, _with(attempt, **changes)))


def claimable(job: JobRecord, attempt: Attempt, now: float) -> bool:
    """Tell whether row 2's guard holds, slots and caps aside."""
    siblings = [a for a in job.attempts if a.id != attempt.id]
    return (
        attempt.state is AttemptState.QUEUED
        and attempt.not_before <= now
        and job.state is JobState.OPEN
        and not job.cancel_requested
        and all(a.superseded if a.state in _UNANSWERED else a.state in _MAY_SUCCEED_IT for a in siblings)
    )


def _claim(job: JobRecord, claim: Claim, now: float, usage: Usage) -> JobRecord:
    attempt = job.attempt(claim.attempt)
    if attempt is None or not claimable(job, attempt, now):
        return job
    if claim.max_slots is not None and usage.slots >= claim.max_slots:
        return job
    if claim.max_submits is not None and usage.submits >= claim.max_submits:
        return job
    times = claim.times
    claimed = _with(
        attempt,
        state=AttemptState.SUBMITTING,
        slot=True,
        owner=claim.owner,
        claimed_at=now,
        lease_until=now + times.lease,
        resolve_after=now + times.lease + times.resolve,
        slot_until=now + times.claim_to_byte + times.acceptance + times.longest_render + times.slack,
    )
    return evolve(job, attempts=_replace(job, claimed))


def _refuse(job: JobRecord, event: Refused) -> JobRecord:
    attempt = job.attempt(event.attempt)
    if (
        attempt is None
        or attempt.state not in _UNANSWERED
        or attempt.task is not None
        or attempt.owner != event.owner
    ):
        return job
    refused = _with(attempt, state=AttemptState.REFUSED, slot=False, outcome=event.refusal)
    changed = evolve(job, attempts=_replace(job, refused))
    may_go_on = (
        event.next is not None
        and attempt.id == job.newest.id
        and not attempt.superseded
        and not attempt.abandoned
        and job.state is JobState.OPEN
        and not job.cancel_requested
    )
    return _queue(changed, event.next) if may_go_on and event.next else _closed(changed)


def _queue(job: JobRecord, next_: NextAttempt) -> JobRecord:
    attempt = Attempt(
        id=next_.id,
        job_id=job.id,
        number=job.newest.number + 1,
        account=next_.account,
        not_before=next_.not_before,
    )
    return evolve(job, attempts=(*job.attempts, attempt))


def _closed(job: JobRecord) -> JobRecord:
    """Close an open job once no attempt is open any more (job rule 2)."""
    if job.state is not JobState.OPEN or any(a.state in OPEN for a in job.attempts):
        return job
    state = JobState.CANCELLED if job.cancel_requested else JobState.FAILED
    return evolve(job, state=state, version=job.version + 1)


def _evidence(job: JobRecord, event: Evidence) -> JobRecord:
    attempt = job.attempt(event.attempt)
    if attempt is None:
        return job
    snapshot = event.snapshot
    if attempt.task is not None and attempt.task.id != snapshot.task.id:
        if _RANK[event.source] <= _RANK[attempt.bound_by] or attempt.state in FINAL:
            return _extra(job, snapshot)
    elif attempt.state in FINAL:
        return job
    return _bound(job, attempt, event)


def _bound(job: JobRecord, attempt: Attempt, event: Evidence) -> JobRecord:
    snapshot = event.snapshot
    same = attempt.task is not None and attempt.task.id == snapshot.task.id
    task = attempt.task.merged(snapshot.task) if attempt.task is not None and same else snapshot.task
    bound_by = max(attempt.bound_by if same else None, event.source, key=lambda s: _RANK[s])
    match snapshot:
        case Pending() if attempt.state is AttemptState.RUNNING and task is attempt.task:
            return job
        case Pending():
            changed = _with(attempt, state=AttemptState.RUNNING, slot=True, task=task, bound_by=bound_by)
        case Succeeded():
            changed = _with(
                attempt,
                state=AttemptState.SUCCEEDED,
                slot=False,
                task=task,
                bound_by=bound_by,
                outcome=snapshot,
            )
        case Failed():
            changed = _with(
                attempt,
                state=AttemptState.FAILED,
                slot=False,
                task=task,
                bound_by=bound_by,
                outcome=snapshot,
            )
    attempts = tuple(
        changed
        if a.id == changed.id
        else _with(a, state=AttemptState.CANCELLED)
        if a.state is AttemptState.QUEUED
        else a
        for a in job.attempts
    )
    after = evolve(job, attempts=attempts)
    if not isinstance(snapshot, Succeeded):
        return _closed(after)
    if job.state is not JobState.OPEN:
        return _extra(after, snapshot)
    return evolve(after, state=JobState.SUCCEEDED, winner=changed.id, version=job.version + 1)


def _extra(job: JobRecord, snapshot: Snapshot) -> JobRecord:
    """Keep another paid video; one task counts once."""
    if not isinstance(snapshot, Succeeded) or any(e.task.id == snapshot.task.id for e in job.extras):
        return job
    return evolve(job, extras=(*job.extras, snapshot), version=job.version + 1)


def _nothing_found(job: JobRecord, event: NothingFound, now: float) -> JobRecord:
    attempt = job.attempt(event.attempt)
    if attempt is None or attempt.state is not AttemptState.AMBIGUOUS or now <= attempt.resolve_after:
        return job
    if event.sent_at is None:
        return _move(job, attempt.id, lambda _: True, state=AttemptState.UNRESOLVED)
    if event.sent_at <= attempt.resolve_after:
        return job
    negatives = attempt.negatives + 1
    state = AttemptState.UNRESOLVED if negatives >= 2 else AttemptState.AMBIGUOUS
    return _move(job, attempt.id, lambda _: True, state=state, negatives=negatives)


def _cancel(job: JobRecord) -> JobRecord:
    if job.state is not JobState.OPEN:
        return job
    attempts = tuple(
        _with(a, state=AttemptState.CANCELLED) if a.state is AttemptState.QUEUED else a for a in job.attempts
    )
    return _closed(evolve(job, attempts=attempts, cancel_requested=True, version=job.version + 1))


def _resubmit(job: JobRecord, next_: NextAttempt) -> JobRecord:
    newest = job.newest
    busy = {AttemptState.QUEUED, AttemptState.SUBMITTING, AttemptState.AMBIGUOUS, AttemptState.RUNNING}
    if (
        newest.state is not AttemptState.UNRESOLVED
        or newest.superseded
        or newest.abandoned
        or job.state is not JobState.OPEN
        or any(a.state in busy for a in job.attempts)
    ):
        return job
    superseded = evolve(job, attempts=_replace(job, _with(newest, superseded=True)))
    return _queue(superseded, next_)


def outranks(newcomer: Source, holder: Source | None) -> bool:
    """Tell whether evidence from *newcomer* takes a task away from an attempt bound by *holder*."""
    return holder == "callback" and _RANK[newcomer] > _RANK[holder]


def charged(attempt: Attempt) -> Charged:
    """Tell whether *attempt* cost money, as far as anyone knows."""
    match attempt:
        case Attempt(outcome=Failed(charged=answer)):
            return answer
        case Attempt(state=AttemptState.QUEUED | AttemptState.REFUSED | AttemptState.CANCELLED):
            return "no"
        case Attempt(state=AttemptState.RUNNING | AttemptState.SUCCEEDED):
            return "yes"
        case _:
            return "unknown"
