"""What a ledger's record of a job means to the person at the terminal. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from pika_async._engine.verdict import outcome
from pika_async._ledger.events import NextAttempt, Resubmit
from pika_async._ledger.machine import step
from pika_async._ledger.records import OPEN, Attempt, AttemptState, JobRecord, JobState, charged
from pika_async._token import JobToken
from pika_async.errors import PikaError
from pika_async.requests import Blob, Generate, Ingredients, Style, fields_set
from pika_async.results import Charged, Succeeded, VideoResult

SHORT: Final = 10
"""So much of an id is shown; the start of one names its job everywhere."""


def decisive(job: JobRecord) -> Attempt:
    """Return the attempt that the job's state hangs on."""
    last_first = job.attempts[::-1]
    candidates = (
        [a for a in last_first if a.id == job.winner],
        [a for a in last_first if a.state in OPEN and not a.superseded],
        [a for a in last_first if a.state in OPEN],
    )
    return next((found[0] for found in candidates if found), job.newest)


def standing(job: JobRecord) -> str:
    """Say where the job stands, in one of the words of `pika-async jobs --state`."""
    attempt = decisive(job)
    match job.state:
        case JobState.OPEN if attempt.state is AttemptState.UNRESOLVED and attempt.abandoned:
            return "abandoned"
        case JobState.OPEN:
            return attempt.state.value
        case ended:
            return ended.value


def may_resubmit(job: JobRecord) -> bool:
    """Return whether a person's word would make a new attempt; the machine decides."""
    word = Resubmit(next=NextAttempt(id="", account=job.newest.account))
    return standing(job) == "unresolved" and step(job, word, 0.0) is not job


def charge(job: JobRecord) -> Charged:
    """Return whether any of the job's attempts cost money, as far as anyone knows."""
    found = {charged(attempt) for attempt in job.attempts} | ({"yes"} if job.extras else set())
    return "yes" if "yes" in found else "unknown" if "unknown" in found else "no"


def kind(job: JobRecord) -> str | None:
    """Name the kind of request, where the ledger has it: of a job that came by its token it has none."""
    return type(job.request).__name__.lower() if job.request is not None else None


def prompt(job: JobRecord) -> str | None:
    """Return what was asked for."""
    return getattr(job.request, "prompt", None)


def token(job: JobRecord) -> str:
    """Return the token with which any process finds the job."""
    provider, _, label = job.newest.account.partition(":")
    task = next((a.task for a in reversed(job.attempts) if a.task is not None), None)
    return JobToken(job_id=job.id, provider=provider, label=label, task=task).encode()


def label(job: JobRecord) -> str:
    """Return the user's own name of the account that the job was bought with."""
    return job.newest.account.partition(":")[2]


def providers(job: JobRecord) -> tuple[str, ...]:
    """Name whoever the job was, or is to be, sent to."""
    return tuple(dict.fromkeys(a.account.partition(":")[0] for a in job.attempts))


def results(job: JobRecord) -> tuple[VideoResult, ...]:
    """Return the videos of the job."""
    found = outcome(job)
    return found.results if isinstance(found, Succeeded) else ()


def error(job: JobRecord) -> PikaError | None:
    """Return the error with which the job ended or stands still."""
    found = outcome(job)
    return found if isinstance(found, PikaError) and job.state is not JobState.CANCELLED else None


def request(job: JobRecord) -> Mapping[str, Any]:
    """Return what was set of the request, without what may be secret: signed links, foreign fields, media."""
    if not isinstance(job.request, Generate | Ingredients | Style):
        return {}
    given = fields_set(job.request)
    first = [name for name in ("style", "prompt") if name in given]
    return {name: _shown(name, given[name]) for name in dict.fromkeys((*first, *given))}


def _shown(name: str, value: object) -> Any:
    match value:
        case Mapping() if name == "extra_body":
            return f"{', '.join(value)} (values are not shown)"
        case str() if name in {"image", "video"}:
            return _link(value)
        case tuple():
            return [_link(item) if isinstance(item, str) else _shown(name, item) for item in value]
        case Path():
            return str(value)
        case bytes():
            return f"{len(value)} bytes"
        case Blob():
            return f"{value.name}, {len(value.data)} bytes"
        case str() | int() | float():
            return value
        case _:
            return {n: v for n, v in ((n, getattr(value, n, None)) for n in _CAMERA) if v is not None}


_CAMERA = ("pan", "tilt", "rotate", "zoom")


def _link(text: str) -> str:
    """Take out what often signs or opens a link.

    >>> _link("https://me:secret@cdn.example.com/cat.png?sig=secret")
    'https://cdn.example.com/cat.png?...'
    """
    parts = urlsplit(text)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{'?...' if parts.query else ''}"


def moment(at: float) -> str:
    """Write a time for machines.

    >>> moment(0.0)
    '1970-01-01T00:00:00+00:00'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def summary(job: JobRecord) -> Mapping[str, Any]:
    """Return the job as one JSON object of `pika-async jobs --json`; its keys stay."""
    provider, _, account = decisive(job).account.partition(":")
    return {
        "id": job.id,
        "state": standing(job),
        "provider": provider,
        "account": account,
        "kind": kind(job),
        "prompt": prompt(job),
        "created_at": moment(job.created_at),
        "charged": charge(job),
        "token": token(job),
    }


def next_steps(job: JobRecord, options: Sequence[str]) -> Sequence[tuple[str, Sequence[str] | None]]:
    """Say what to do next: sentences, each with the words of a command if one does it."""
    attempt = decisive(job)
    provider = attempt.account.partition(":")[0]
    fetch = ("fetch", job.id, *options, "-o", "FILE")
    recover = ("recover", *options)
    match standing(job):
        case "queued":
            return [
                (
                    "Nothing was sent or paid. If the process that ordered it is gone, this buys it:",
                    ("recover", "--queued", *options),
                )
            ]
        case "submitting":
            return [
                ("It is being sent. If the process that did so is gone, this finds out, at no cost:", recover)
            ]
        case "ambiguous":
            return [("Do not order it again. This looks for it, at no cost:", recover)]
        case "unresolved":
            abandon = ("To give it up:", ("resolve", job.id, "--abandon", *options))
            if not may_resubmit(job):
                return [(f"Look at {provider}'s console.", None), abandon]
            again = (
                "If it is not there, this buys it again; if it was accepted after all, both are paid:",
                ("resolve", job.id, "--resubmit", *options),
            )
            return [(f"Look at {provider}'s console.", None), again, abandon]
        case "running" | "succeeded":
            return [("To get its video:", fetch)]
        case "abandoned":
            return [("It was given up on your word; should its video turn up, it is kept.", None)]
        case "cancelled" if charge(job) == "no":
            return [("It was cancelled before it was sent; nothing was bought.", None)]
        case _:
            return []
