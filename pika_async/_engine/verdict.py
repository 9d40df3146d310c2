"""What the ledger's record of a job means to the person who waits for it. Pure."""

from __future__ import annotations

from pika_async import errors
from pika_async._ledger.records import Attempt, JobRecord, JobState, Refusal
from pika_async._ledger.standing import in_doubt, spent
from pika_async.errors import (
    AuthError,
    JobFailed,
    JobUnresolved,
    PikaError,
    RateLimited,
    SubmitRefused,
)
from pika_async.results import Failed, Succeeded

_KINDS = {
    name: kind
    for name, kind in vars(errors).items()
    if isinstance(kind, type) and issubclass(kind, PikaError)
}


def refusal_of(error: PikaError) -> Refusal:
    """Keep what matters of *error* in a form that a ledger can store."""
    return Refusal(
        error=type(error).__name__,
        message=error.message,
        code=error.code,
        status=error.status,
        trace_id=error.trace_id,
        retry_after=error.retry_after if isinstance(error, RateLimited) else None,
    )


def outcome(record: JobRecord) -> Succeeded | PikaError | None:
    """Return the end of a job as the ledger has it: its videos, or the error to raise; None while open."""
    match record.state:
        case JobState.SUCCEEDED:
            winner = record.attempt(record.winner or "")
            return winner.outcome if winner and isinstance(winner.outcome, Succeeded) else None
        case JobState.CANCELLED:
            return _cancelled(record)
        case JobState.FAILED:
            return _failure(record)
        case JobState.OPEN:
            doubtful = in_doubt(record)
            return unresolved(doubtful) if doubtful is not None else None


def _cancelled(record: JobRecord) -> PikaError:
    cost = spent(record)
    words = {
        "no": "before it was bought; order it again if you want it",
        "yes": "after it was bought, and no video came; ask the provider's support",
        "unknown": "while it was sent, and may have been bought; look at the provider's console",
    }[cost]
    return PikaError(f"The job was cancelled {words}.", phase="submit", charged=cost)


def _failure(record: JobRecord) -> PikaError:
    last = next((a for a in reversed(record.attempts) if a.outcome is not None), record.newest)
    provider = last.account.partition(":")[0]
    match last.outcome:
        case Refusal() as refusal:
            # The name comes from a ledger that another version, or a stranger's adapter, may have written.
            error = _KINDS.get(refusal.error, SubmitRefused)(
                refusal.message,
                provider=provider,
                phase="submit",
                charged="no",
                status=refusal.status,
                code=refusal.code,
                trace_id=refusal.trace_id,
            )
            if isinstance(error, RateLimited):
                error.retry_after = refusal.retry_after
            return error
        case Failed() as failed:
            return job_failed(failed, provider)
        case _:
            return SubmitRefused("The job was never accepted; nothing was bought.", provider=provider)


def job_failed(failed: Failed, provider: str) -> JobFailed:
    """Make the error for a task that the provider accepted and did not deliver."""
    said = f" ({failed.message.rstrip('.')})" if failed.message else ""
    advice = {
        "content": f"Moderation stopped the video{said}; change the prompt or the media first.",
        "no_output": f"The provider calls the job done and gives no video{said}; ask its support, with the "
        "trace id.",
        "provider": f"The provider could not render the video{said}; try again, or ask its support, with the "
        "trace id.",
    }[failed.reason]
    return JobFailed(
        advice,
        provider=provider,
        phase="poll",
        charged=failed.charged,
        trace_id=failed.trace_id,
        code=failed.code or failed.reason,
    )


def unresolved(attempt: Attempt) -> JobUnresolved:
    """Make the error for an attempt that only a person can settle."""
    if attempt.task is not None:
        return JobUnresolved(
            f"{attempt.account} no longer knows task {attempt.task.id}, which was accepted; look at the "
            "provider's console, then settle it with `pika-async resolve`.",
            provider=attempt.account.partition(":")[0],
            phase="poll",
            charged="yes",
        )
    silent = ""
    if attempt.replay is not None:
        silent = "Its process died, and in time no process with the same key asked for the answer. "
    return JobUnresolved(
        f"{silent}It is not known whether {attempt.account} accepted the job; look at the provider's "
        "console, then settle it with `pika-async resolve`.",
        provider=attempt.account.partition(":")[0],
        phase="submit",
    )


def refused_look(error: PikaError, provider: str) -> AuthError:
    """Make the error for a paid job that cannot be looked up with this key."""
    return AuthError(
        f"{error.message.rstrip('.')}. The job is paid and goes on: correct the key and wait for "
        "error.job again.",
        provider=provider,
        phase="poll",
        charged="yes",
        status=error.status,
        code=error.code,
        trace_id=error.trace_id,
    )


def not_known(attempt: Attempt) -> JobUnresolved:
    """Make the error for a token whose task the provider does not know, and no ledger either."""
    return JobUnresolved(
        f"{attempt.account} does not know the task that this token names, and neither does this ledger; "
        "check the token, and that the key belongs to the account that ordered it.",
        provider=attempt.account.partition(":")[0],
        phase="poll",
    )


def not_ours(attempt: Attempt) -> JobUnresolved:
    """Make the error for a token whose task bears the address of another job."""
    return JobUnresolved(
        f"The task that this token names belongs to another job of {attempt.account}, so its video is not "
        "shown; wait for the job in the ledger that ordered it, or look at the provider's console.",
        provider=attempt.account.partition(":")[0],
        phase="poll",
    )
