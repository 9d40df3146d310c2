"""What a ledger's record of a job means to people. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from attrs import field, frozen

from pika_async._crossing import Value
from pika_async._engine.verdict import outcome
from pika_async._ledger import records
from pika_async._ledger.records import Attempt, AttemptState, JobRecord
from pika_async._ledger.standing import OPEN, charged, may_resubmit, spent
from pika_async._money import Money
from pika_async._token import JobToken
from pika_async.errors import PikaError
from pika_async.requests import Blob, Media, VideoRequest, as_json
from pika_async.results import JSON, Charged, Succeeded, VideoResult

JobState: TypeAlias = Literal[
    "queued",
    "submitting",
    "sending",
    "ambiguous",
    "unresolved",
    "running",
    "succeeded",
    "failed",
    "cancelled",
    "abandoned",
]
STATES: Final[tuple[JobState, ...]] = get_args(JobState)


@frozen(kw_only=True)
class AttemptView(Value):
    """One billed request. *account* is `provider:label`, *message* what went wrong; times are wall-clock.

    *price* is what it was to cost when it was sent, *cost* what the provider told of that, in its own unit.
    """

    id: str
    number: int
    account: str
    state: str
    claimed_at: float | None
    task: str | None
    charged: Charged
    price: Money | None
    cost: float | None
    superseded: bool
    abandoned: bool
    message: str | None
    trace_id: str | None


@frozen(kw_only=True)
class ExtraTask(Value):
    """A further task that the provider took, and billed, for the same job."""

    task: str
    results: tuple[VideoResult, ...]


@frozen(kw_only=True)
class JobView(Value):
    """A job as the ledger has it.

    *providers* are those that the job was, or is to be, sent to; *provider* and *account* (a label) belong to
    the *attempt* that its state depends on. *created_at* is in seconds since 1970, *cost* in the provider's
    own unit. *kind*, *prompt* and *request* are unknown for a job that came by its token; *request* holds no
    secrets: no signed links, no foreign fields, no media. *error* says how the job ended, or why it stands
    still.
    """

    id: str
    token: str
    state: JobState
    provider: str
    account: str
    providers: tuple[str, ...]
    kind: str | None
    prompt: str | None
    request: Mapping[str, Any]
    created_at: float
    charged: Charged
    cost: float | None
    attempt: AttemptView
    attempts: tuple[AttemptView, ...]
    results: tuple[VideoResult, ...]
    extras: tuple[ExtraTask, ...]
    error: PikaError | None = field(eq=False)
    may_resubmit: bool
    """Whether a person's word would order the job once more."""

    @property
    def task(self) -> str | None:
        """The provider's id of the task, once the provider has accepted the job."""
        return self.attempt.task

    @property
    def needs_person(self) -> bool:
        """Whether only a person can say what became of the job."""
        return self.state == "unresolved"

    @property
    def may_fetch(self) -> bool:
        """Whether the provider has the job, so that its video can be waited for and downloaded."""
        return self.state in {"running", "succeeded"}


def view_of(job: JobRecord) -> JobView:
    """Return what *job* means."""
    attempt = _decisive(job)
    provider, _, label = attempt.account.partition(":")
    found = outcome(job)
    state = _state(job, attempt)
    return JobView(
        id=job.id,
        token=_token(job),
        state=state,
        provider=provider,
        account=label,
        providers=tuple(dict.fromkeys(a.account.partition(":")[0] for a in job.attempts)),
        kind=type(job.request).__name__.lower() if job.request is not None else None,
        prompt=getattr(job.request, "prompt", None),
        request=_request(job.request),
        created_at=job.created_at,
        charged=spent(job),
        cost=getattr(attempt.outcome, "cost", None),
        attempt=_attempt(attempt),
        attempts=tuple(map(_attempt, job.attempts)),
        results=found.results if isinstance(found, Succeeded) else (),
        extras=tuple(
            ExtraTask(task=extra.task.id, results=getattr(extra, "results", ())) for extra in job.extras
        ),
        error=found if isinstance(found, PikaError) and state != "cancelled" else None,
        may_resubmit=state == "unresolved" and job.request is not None and may_resubmit(job),
    )


def _decisive(job: JobRecord) -> Attempt:
    """Return the attempt that the state of *job* depends on."""
    last_first = job.attempts[::-1]
    candidates = (
        [a for a in last_first if a.id == job.winner],
        [a for a in last_first if a.state in OPEN and not a.superseded],
        [a for a in last_first if a.state in OPEN],
    )
    return next((found[0] for found in candidates if found), job.newest)


def _state(job: JobRecord, attempt: Attempt) -> JobState:
    match job.state:
        case records.JobState.OPEN if attempt.state is AttemptState.UNRESOLVED and attempt.abandoned:
            return "abandoned"
        case records.JobState.OPEN:
            word = attempt.state.value
        case ended:
            word = ended.value
    return next(state for state in STATES if state == word)


def _token(job: JobRecord) -> str:
    provider, _, label = job.newest.account.partition(":")
    task = next((a.task for a in reversed(job.attempts) if a.task is not None), None)
    return JobToken(
        job_id=job.id, provider=provider, label=label, task=task, address=job.newest.address
    ).encode()


def _attempt(attempt: Attempt) -> AttemptView:
    return AttemptView(
        id=attempt.id,
        number=attempt.number,
        account=attempt.account,
        state=attempt.state.value,
        claimed_at=attempt.claimed_at,
        task=None if attempt.task is None else attempt.task.id,
        charged=charged(attempt),
        price=attempt.price,
        cost=getattr(attempt.outcome, "cost", None),
        superseded=attempt.superseded,
        abandoned=attempt.abandoned,
        message=getattr(attempt.outcome, "message", None),
        trace_id=getattr(attempt.outcome, "trace_id", None),
    )


def _request(request: object) -> Mapping[str, Any]:
    if not isinstance(request, VideoRequest):
        return {}
    given = as_json(request, _shown)
    if "extra_body" in given:
        given["extra_body"] = f"{', '.join(request.extra_body or {})} (values are not shown)"
    first = [name for name in ("style", "prompt") if name in given]
    return {name: given[name] for name in dict.fromkeys((*first, *given))}


def _shown(medium: Media) -> JSON:
    match medium:
        case str():
            return _link(medium)
        case Path():
            return str(medium)
        case bytes():
            return f"{len(medium)} bytes"
        case Blob():
            return f"{medium.name}, {len(medium.data)} bytes"


def _link(text: str) -> str:
    """Take out what often signs or opens a link, and the media inside a `data:` link.

    >>> _link("https://me:secret@cdn.example.com/cat.png?sig=secret")
    'https://cdn.example.com/cat.png?...'
    >>> _link("data:image/png;base64,AAAA")
    'data:image/png;base64, 4 characters'
    """
    if text[:5].lower() == "data:":
        head, _, body = text.partition(",")
        return f"{head[:60]}, {len(body)} characters"
    parts = urlsplit(text)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}{'?...' if parts.query else ''}"
