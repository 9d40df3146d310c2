"""What the ledger makes of evidence: the provider knows a task as ours. Pure."""

from __future__ import annotations

from typing import Any

from pika_async._ledger.attempts import changed
from pika_async._ledger.events import Evidence
from pika_async._ledger.evolve import evolve
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState, Source
from pika_async._ledger.standing import FINAL, LOST, OPEN, keeps_open
from pika_async.results import Failed, Pending, Snapshot, Succeeded

_RANK: dict[Source | None, int] = {None: 0, "callback": 1, "answer": 2, "echo": 3}
_STATES: dict[type[Snapshot], AttemptState] = {
    Pending: AttemptState.RUNNING,
    Succeeded: AttemptState.SUCCEEDED,
    Failed: AttemptState.FAILED,
}


def binds(job: JobRecord, event: Evidence) -> bool:
    """Return whether the attempt that *event* names has that task."""
    attempt = job.attempt(event.attempt)
    return attempt is not None and attempt.task is not None and attempt.task.id == event.snapshot.task.id


def learn(job: JobRecord, event: Evidence) -> JobRecord:
    """Bind the task, or bring it further; another paid task goes to the job's extras."""
    snapshot = event.snapshot
    attempt = job.attempt(event.attempt)
    if attempt is None:
        return _made_again(job, event)
    if attempt.task is None:
        if event.source == "callback" and attempt.state not in LOST:
            return job
        return _bound(job, attempt, event)
    if attempt.task.id == snapshot.task.id:
        if attempt.state not in FINAL:
            return _bound(job, attempt, event)
        revived = attempt.state is AttemptState.FAILED and isinstance(snapshot, Succeeded)
        return with_extra(job, snapshot) if revived else job
    if attempt.state not in FINAL and outranks(event.source, attempt.bound_by):
        return _bound(job, attempt, event)
    # A bare callback may name anybody's task: it never adds one to a job whose own task is known.
    return job if event.source == "callback" else with_extra(job, snapshot)


def outranks(newcomer: Source, holder: Source | None) -> bool:
    """Return whether evidence from *newcomer* replaces that of *holder*, which has bound an attempt.

    Only a bare callback yields: a task that our own answer named may be paid, so it is never dropped for
    another.
    """
    return holder == "callback" and _RANK[newcomer] > _RANK[holder]


def displaces(event: Evidence, held: Attempt) -> bool:
    """Return whether *event* takes its task from *held*, another attempt bound to it with less proof."""
    return held.state in OPEN and _RANK[event.source] > _RANK[held.bound_by]


def contested(job: JobRecord, event: Evidence) -> JobRecord:
    """Return *job* after evidence of a task that stays another attempt's: shown, and not bound twice."""
    ours = any(a.task is not None and a.task.id == event.snapshot.task.id for a in job.attempts)
    return job if ours or event.source == "callback" else with_extra(job, event.snapshot)


def with_extra(job: JobRecord, snapshot: Snapshot) -> JobRecord:
    """Keep another task that the provider took for *job*; one task counts once, and an end stays."""
    known = next((e for e in job.extras if e.task.id == snapshot.task.id), None)
    if known is None:
        return evolve(job, extras=(*job.extras, snapshot))
    if isinstance(known, Succeeded) or not isinstance(snapshot, Succeeded | Failed) or known == snapshot:
        return job
    return evolve(job, extras=tuple(snapshot if e is known else e for e in job.extras))


def closed(job: JobRecord) -> JobRecord:
    """Close an open job once no attempt keeps it open (job rule 2).

    An abandoned attempt keeps no job open, but does not end it either: what was sent last must have ended.
    """
    if job.state is not JobState.OPEN or any(keeps_open(a) for a in job.attempts):
        return job
    last = next((a for a in reversed(job.attempts) if a.state is not AttemptState.CANCELLED), None)
    if last is not None and last.state in OPEN:
        return job
    return evolve(job, state=JobState.CANCELLED if job.cancel_requested else JobState.FAILED)


def _made_again(job: JobRecord, event: Evidence) -> JobRecord:
    if event.account is None:
        return job
    lost = Attempt(
        id=event.attempt,
        job_id=job.id,
        number=job.newest.number + 1,
        account=event.account,
        state=AttemptState.AMBIGUOUS,
    )
    return _bound(evolve(job, attempts=(*job.attempts, lost)), lost, event)


def _bound(job: JobRecord, attempt: Attempt, event: Evidence) -> JobRecord:
    bound = _brought_on(attempt, event)
    if bound is attempt:
        return job
    changes: dict[str, Any] = {"attempts": tuple(_beside(a, bound) for a in job.attempts)}
    if job.extras:
        changes["extras"] = tuple(e for e in job.extras if e.task.id != event.snapshot.task.id)
    if not isinstance(event.snapshot, Succeeded):
        return closed(evolve(job, **changes))
    if job.state is not JobState.OPEN:
        return with_extra(evolve(job, **changes), event.snapshot)
    return evolve(job, **changes, state=JobState.SUCCEEDED, winner=bound.id)


def _brought_on(attempt: Attempt, event: Evidence) -> Attempt:
    snapshot, task, bound_by = event.snapshot, event.snapshot.task, event.source
    if attempt.task is not None and attempt.task.id == task.id:
        task = attempt.task.merged(task)
        bound_by = max(event.source, attempt.bound_by or event.source, key=_RANK.__getitem__)
    state = _STATES[type(snapshot)]
    if state is attempt.state and task is attempt.task and bound_by == attempt.bound_by:
        return attempt
    return evolve(
        attempt,
        version=attempt.version + 1,
        state=state,
        slot=state is AttemptState.RUNNING,
        task=task,
        bound_by=bound_by,
        outcome=None if isinstance(snapshot, Pending) else snapshot,
    )


def _beside(attempt: Attempt, bound: Attempt) -> Attempt:
    if attempt.id == bound.id:
        return bound
    if attempt.state is AttemptState.QUEUED:
        return changed(attempt, state=AttemptState.CANCELLED)
    return attempt
