"""What happened to a job, in words: the lines that a ledger keeps of it. Pure."""

from __future__ import annotations

from typing import Final

from attrs import frozen

from pika_async._crossing import Value
from pika_async._ledger.records import JobRecord, Move


@frozen(kw_only=True)
class HistoryLine(Value):
    """A change of an attempt (*attempt* is its number) or of the job itself (None).

    *subject* is the id of what changed, *note* says in words why.
    """

    subject: str
    attempt: int | None
    at: float
    before: str | None
    after: str
    note: str


def line_of(job: JobRecord, move: Move) -> HistoryLine:
    """Return what a line of the history of *job* means."""
    attempt = job.attempt(move.subject)
    return HistoryLine(
        subject=move.subject,
        attempt=None if attempt is None else attempt.number,
        at=move.at,
        before=move.before,
        after=move.after,
        note=_in_words(move.note),
    )


_REASONS: Final = {
    "Claim": "the request is to be sent",
    "Sending": "the request is being sent",
    "Replaying": "the same request is being sent again",
    "ReplayOver": "the same request is sent no more",
    "Evidence answer": "the provider answered",
    "Evidence echo": "the provider echoed the job's token",
    "Evidence history": "found in the provider's history",
    "Evidence callback": "the provider called back",
    "Refused": "the provider refused",
    "PassedOver": "not sent there",
    "Unknown": "no answer came",
    "LeaseOver": "the process that sent it was not heard of again",
    "NothingFound": "not in the provider's history",
    "Lost": "the provider no longer knows the task",
    "Mismatch": "the task carries another job's token",
    "Unbind": "the task belongs to another job",
    "Cancel": "cancelled",
    "Resubmit": "ordered again, on your word",
    "Abandon": "given up, on your word",
    "SlotOver": "the provider must have ended it by now",
    "Restored": "the ledger is a copy, or was restored",
}


def _in_words(note: str) -> str:
    """Say in words what the ledger notes of an event.

    >>> _in_words("Evidence answer"), _in_words("Claim dv9b")
    ('the provider answered', 'the request is to be sent')
    >>> _in_words("Refused AuthError: The key is wrong.")
    'the provider refused: The key is wrong.'
    """
    event, _, detail = note.partition(" ")
    if event in {"Refused", "PassedOver"} and detail:
        return f"{_REASONS[event]}: {detail.partition(': ')[2]}"
    if note[:1].islower():
        return note  # the ledger's own words, of what no event of the job did
    return _REASONS.get(note) or _REASONS.get(event, "")
