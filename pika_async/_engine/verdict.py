"""What the ledger's record of a job means to the person who waits for it. Pure."""

from __future__ import annotations

from pika_async import errors
from pika_async._ledger.records import OPEN, Attempt, AttemptState, JobRecord, JobState, Refusal, charged
from pika_async.errors import JobFailed, JobUnresolved, PikaError, RateLimited, SubmitRefused
from pika_async.results import Charged, Failed, Succeeded

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


def spent(record: JobRecord) -> Charged:
    """Return whether the job cost money, as far as anyone knows."""
    answers = {charged(attempt) for attempt in record.attempts}
    return "yes" if "yes" in answers else "unknown" if "unknown" in answers else "no"


def in_doubt(record: JobRecord) -> Attempt | None:
    """Return the attempt that only a person can settle, unless another one is still under way."""
    if any(a.state in OPEN - {AttemptState.UNRESOLVED} for a in record.attempts):
        return None
    return next((a for a in reversed(record.attempts) if a.state is AttemptState.UNRESOLVED), None)


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
    return JobUnresolved(
        f"Nobody can tell whether {attempt.account} accepted the job; look at the provider's console, then "
        "settle it with `pika-async resolve`.",
        provider=attempt.account.partition(":")[0],
        phase="submit",
    )
