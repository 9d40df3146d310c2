"""Where a job and its attempts stand: every predicate on states, once, for engine and command line. Pure."""

from __future__ import annotations

from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState
from pika_async.results import Charged, Failed, Pending, Succeeded, Task

OPEN = frozenset(
    {
        AttemptState.QUEUED,
        AttemptState.SUBMITTING,
        AttemptState.SENDING,
        AttemptState.AMBIGUOUS,
        AttemptState.UNRESOLVED,
        AttemptState.RUNNING,
    }
)
FINAL = frozenset({AttemptState.SUCCEEDED, AttemptState.FAILED})
LOST = frozenset({AttemptState.AMBIGUOUS, AttemptState.UNRESOLVED})
"""Sent, and nobody knows what became of it."""
CLAIMED = frozenset({AttemptState.SUBMITTING, AttemptState.SENDING})
"""In the hands of the process that claimed it: before the fence, and past it."""
UNANSWERED = LOST | CLAIMED
"""Sent or about to be, and without an answer that counts."""
REPLAYABLE = frozenset({AttemptState.SENDING, AttemptState.AMBIGUOUS})
"""May have left; where the provider allows it, the same bytes may be sent again for a while."""
UNSENT = frozenset({AttemptState.QUEUED, AttemptState.SUBMITTING})
"""No byte has left, if the ledger is not a copy."""
UNDER_WAY = OPEN - {AttemptState.UNRESOLVED}
"""May still bring the video without a person's word."""
TOO_EARLY = CLAIMED | {AttemptState.QUEUED}
"""Nothing that the provider has could be this attempt's yet, as far as its own process told."""
OVER = FINAL | {AttemptState.CANCELLED}
_MAY_FOLLOW = frozenset({AttemptState.REFUSED, AttemptState.FAILED, AttemptState.CANCELLED})


def settled(job: JobRecord) -> bool:
    """Return whether nothing can change any more without evidence from outside."""
    return job.state is not JobState.OPEN and not any(a.state in OPEN for a in job.attempts)


def unsent(job: JobRecord) -> bool:
    """Return whether no attempt of an open job was ever on its way: such a job may be given up for free."""
    return job.state is JobState.OPEN and all(
        a.state in {AttemptState.QUEUED, AttemptState.REFUSED, AttemptState.CANCELLED} for a in job.attempts
    )


def is_queued(job: JobRecord) -> bool:
    """Return whether the newest attempt waits to be sent."""
    return job.attempts[-1].state is AttemptState.QUEUED


def under_way(job: JobRecord) -> bool:
    """Return whether an attempt may still bring the video by itself."""
    return any(a.state in UNDER_WAY for a in job.attempts)


def in_doubt(job: JobRecord) -> Attempt | None:
    """Return the attempt that only a person can settle, unless another one is still under way."""
    doubtful = None
    for attempt in job.attempts:
        if attempt.state in UNDER_WAY:
            return None
        if attempt.state is AttemptState.UNRESOLVED:
            doubtful = attempt
    return doubtful


def is_watched(attempt: Attempt) -> bool:
    """Return whether the attempt has a task that look-ups may still find changed."""
    return attempt.task is not None and attempt.state in {AttemptState.RUNNING, AttemptState.UNRESOLVED}


def is_question(attempt: Attempt, owner: str) -> bool:
    """Return whether only time, history or another process than *owner* can move the attempt."""
    if attempt.state in CLAIMED:
        return attempt.owner != owner
    return attempt.state in LOST and (attempt.task is None or attempt.slot)


def keeps_bytes(attempt: Attempt) -> bool:
    """Return whether the ledger has the bytes of the attempt's POST, for whoever may send them again."""
    return attempt.replay is not None and attempt.replay.kept


def makes_way(sibling: Attempt) -> bool:
    """Return whether an earlier attempt lets a newer one be sent."""
    return sibling.superseded if sibling.state in UNANSWERED else sibling.state in _MAY_FOLLOW


def may_send(job: JobRecord, attempt: Attempt) -> bool:
    """Return whether *attempt* may be sent, by its job and its siblings; the fence asks again."""
    return (
        job.state is JobState.OPEN
        and not job.cancel_requested
        and all(makes_way(a) for a in job.attempts if a is not attempt)
    )


def next_fallback(job: JobRecord) -> str | None:
    """Return the account that the job goes on to after a proven refusal; each is tried once."""
    tried = {attempt.account for attempt in job.attempts}
    return next((account for account in job.fallbacks if account not in tried), None)


def keeps_open(attempt: Attempt) -> bool:
    """Return whether the attempt keeps its job open."""
    return attempt.state in OPEN and not (attempt.state is AttemptState.UNRESOLVED and attempt.abandoned)


def doubted(job: JobRecord, named: str | None = None) -> tuple[Attempt, ...]:
    """Return the unresolved attempts that a person's word can be about; *named* asks for one alone."""
    return tuple(
        a
        for a in job.attempts
        if a.state is AttemptState.UNRESOLVED and not a.abandoned and named in {None, a.id}
    )


def may_resubmit(job: JobRecord, named: str | None = None) -> bool:
    """Return whether a person's word may order the video once more."""
    return (
        job.state is JobState.OPEN
        and not job.cancel_requested
        and not under_way(job)
        and any(not a.superseded for a in doubted(job, named))
    )


def frees_its_key(job: JobRecord) -> bool:
    """Return whether every attempt was refused: an empty balance must not burn an idempotency key."""
    return job.state is JobState.FAILED and all(a.state is AttemptState.REFUSED for a in job.attempts)


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


def spent(job: JobRecord) -> Charged:
    """Return whether the job cost money, as far as anyone knows; further tasks of it count as well."""
    answers = {charged(attempt) for attempt in job.attempts}
    for extra in job.extras:
        match extra:
            case Failed(charged=answer):
                answers.add(answer)
            case Pending() | Succeeded():
                answers.add("yes")
    return "yes" if "yes" in answers else "unknown" if "unknown" in answers else "no"


def moves(job: JobRecord) -> int:
    """Return how often the job and its attempts changed; of two states of it, the later has more."""
    return job.version + sum(1 + attempt.version for attempt in job.attempts)
