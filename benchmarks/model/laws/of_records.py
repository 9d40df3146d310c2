"""Laws of what a ledger says in any state, and of what may be told to it there."""

from __future__ import annotations

from benchmarks.model.book import NOW, REFUSAL, WITHIN
from benchmarks.model.laws.cases import LIVE, Records, S, after, moves
from pika_async._ledger.events import NextAttempt, Refused, Replaying, Resubmit, Sending, Unknown
from pika_async._ledger.records import Attempt, JobState
from pika_async._ledger.standing import OPEN, in_doubt

_NOBODY = "nobody"
_HOLDS_A_SLOT = frozenset({S.SUBMITTING, S.SENDING, S.AMBIGUOUS, S.UNRESOLVED, S.RUNNING})


def a_task_has_one_attempt(records: Records) -> bool:
    """A task is bound to one attempt at most."""
    bound = [a.task.id for a in records.attempts if a.task is not None]
    return len(set(bound)) == len(bound)


def one_attempt_is_alive(records: Records) -> bool:
    """A job has one unsuperseded, non-final attempt at most, but for rows that evidence made again."""
    return all(
        sum(a.state in OPEN and not a.superseded and not _is_made_again(a) for a in job.attempts) <= 1
        for job in records.jobs
    )


def nothing_waits_beside_a_sibling_that_lives(records: Records) -> bool:
    """Evidence cancels what is queued: no attempt waits to be sent while another runs or has succeeded."""
    return not any(
        any(a.state is S.QUEUED for a in job.attempts) and any(a.state in LIVE for a in job.attempts)
        for job in records.jobs
    )


def a_word_orders_once(records: Records) -> bool:
    """A person's word orders again only what is unresolved, and each doubt once."""
    for job in records.jobs:
        open_doubt = any(a.state is S.UNRESOLVED and not a.superseded for a in job.attempts)
        word = Resubmit(next=NextAttempt(id=f"{job.id}99", account=job.newest.account))
        if not open_doubt and moves(job, word):
            return False
    return True


def slots_are_rows_under_way(records: Records) -> bool:
    """A row that is over or unsent holds no slot; a running one does."""
    return all(a.state in _HOLDS_A_SLOT if a.slot else a.state is not S.RUNNING for a in records.attempts)


def only_the_owner_speaks(records: Records) -> bool:
    """A process that did not claim an attempt can neither send nor refuse it, nor call it unknown."""
    return not any(
        moves(job, event)
        for job in records.jobs
        for a in job.attempts
        for event in (
            Sending(attempt=a.id, owner=_NOBODY),
            Replaying(attempt=a.id, owner=_NOBODY, within=WITHIN),
            Refused(attempt=a.id, owner=_NOBODY, refusal=REFUSAL),
            Unknown(attempt=a.id, owner=_NOBODY),
        )
    )


def the_owner_speaks_in_time(records: Records) -> bool:
    """An owner's word counts only in the states of the table, and the fence lets pass what was claimed."""
    for job in records.jobs:
        quiet = job.cancel_requested or job.state is not JobState.OPEN
        for a in job.attempts:
            if a.owner is None:
                continue
            sent = after(job, Sending(attempt=a.id, owner=a.owner))
            if sent is not job and (quiet or a.state is not S.SUBMITTING):
                return False
            if a.state is S.SUBMITTING and not quiet and len(job.attempts) == 1:
                marked = sent.attempt(a.id)
                if marked is None or marked.state is not S.SENDING:
                    return False
            too_late = a.claimed_at is None or a.claimed_at + WITHIN < NOW
            over = quiet or a.superseded or too_late or a.state not in {S.SENDING, S.AMBIGUOUS}
            if over and moves(job, Replaying(attempt=a.id, owner=a.owner, within=WITHIN)):
                return False
            answered = a.state not in {S.SUBMITTING, S.SENDING, S.AMBIGUOUS, S.UNRESOLVED}
            if answered and moves(job, Refused(attempt=a.id, owner=a.owner, refusal=REFUSAL)):
                return False
    return True


def each_job_ends_or_waits_for_a_word(records: Records) -> bool:
    """Where nothing can happen any more, each job has ended, or shows a person what it is in doubt about."""
    return all(job.state is not JobState.OPEN or in_doubt(job) is not None for job in records.jobs)


def _is_made_again(attempt: Attempt) -> bool:
    return attempt.claimed_at is None and attempt.state is not S.QUEUED


OF_RECORDS = (
    a_task_has_one_attempt,
    one_attempt_is_alive,
    nothing_waits_beside_a_sibling_that_lives,
    a_word_orders_once,
    slots_are_rows_under_way,
    only_the_owner_speaks,
    the_owner_speaks_in_time,
)
OF_ENDS = (each_job_ends_or_waits_for_a_word,)
