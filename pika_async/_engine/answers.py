"""What became of a POST, read from its answer: accepted, provably refused, or unknown. Pure."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from attrs import frozen

from pika_async._engine.verdict import refusal_of
from pika_async._http import HttpResponse
from pika_async._ledger.events import Evidence, NextAttempt, Refused, Sent, Unknown
from pika_async._ledger.records import Attempt
from pika_async._registry import Loaded
from pika_async.errors import (
    AuthError,
    InsufficientBalance,
    JobTimeout,
    LedgerError,
    Phase,
    PikaError,
    ProviderUnavailable,
    RateLimited,
    SubmitRefused,
    SubmitUnknown,
)
from pika_async.provider import REFUSALS, Provider, VideoRequest
from pika_async.results import Failed, Pending, Snapshot, Succeeded

_UNKNOWN_STATUSES = frozenset({408, 409})

ACCOUNTS_TROUBLE = AuthError, InsufficientBalance
"""Refusals that are about the account or its key, and not about the order."""


@frozen(kw_only=True)
class Posted:
    """A POST on its way, and what may follow if it is refused.

    A *held* answer waits for the video on its connection; *fresh_connection* says that nothing but the
    connection ties the answer to this POST. *next_id* names the attempt that may follow, *fallback* the
    account that the order may go on to. *again* says whether what was not sent may be tried on the same
    account once more, *keeps* whether the order outlives trouble of the account or its key. *kept* says that
    a queue brings the order again, so that it outlives a full provider and a broken network as well.
    *old_links* says that it bears links of uploads that were made for earlier orders. *replayable* is T, the
    seconds after the claim within which its bytes may be sent again; *sent* is what the ledger keeps.
    """

    attempt: Attempt
    owner: str
    loaded: Loaded
    held: bool
    fresh_connection: bool
    next_id: str
    fallback: str | None = None
    again: bool = False
    keeps: bool = False
    kept: bool = False
    old_links: bool = False
    replayable: float = 0.0
    sent: Sent | None = None


def blames_links(posted: Posted, error: PikaError | None) -> bool:
    """Return whether a refusal may be about links that have gone: the order is tried again with new ones."""
    return posted.old_links and type(error) is SubmitRefused


def other_route(posted: Posted, error: PikaError | None) -> Provider | None:
    """Return the adapter that the account goes on with after a refusal that is about the route alone."""
    reroutes = getattr(posted.loaded.adapter, "other_route", None)
    return None if reroutes is None or error is None else reroutes(error)


def read_answer(
    posted: Posted, request: VideoRequest, response: HttpResponse, wall: float
) -> Evidence | Refused | Unknown:
    """Have the adapter read the answer; whatever is not proven stays unknown."""
    name = posted.loaded.name
    try:
        snapshot: object = posted.loaded.provider.read_submit(response, request)
    except REFUSALS as error:
        complete(error, name, "submit", response, wall)
        believed = posted.loaded.capabilities.refuses_by_body or not proves_nothing(response)
        return refused(posted, error) if believed else unknown(posted, error.message, error)
    except PikaError as error:
        complete(error, name, "submit", response, wall)
        return unknown(posted, error.message, error)
    except Exception as error:  # noqa: BLE001 - whatever a stranger's adapter does, the answer stays unknown
        return unknown(posted, f"The adapter failed on the answer ({type(error).__name__})")
    if not isinstance(snapshot, Pending | Succeeded | Failed):  # a stranger's adapter may return anything
        return unknown(posted, f"The adapter returned a {type(snapshot).__name__} for the answer")
    return _accepted(posted, snapshot)


def _accepted(posted: Posted, snapshot: Snapshot) -> Evidence:
    doubted = isinstance(snapshot, Failed) and snapshot.reason == "no_output"
    # An answer on a pooled connection may be a stranger's, so a look that echoes our token must confirm an
    # end.
    unproven = posted.loaded.capabilities.echoes_token and not posted.held
    if doubted or (unproven and isinstance(snapshot, Succeeded | Failed)):
        snapshot = Pending(task=snapshot.task, trace_id=snapshot.trace_id, raw=snapshot.raw)
    return Evidence(attempt=posted.attempt.id, snapshot=snapshot, source="answer", doubted=doubted)


def refused(posted: Posted, error: PikaError) -> Refused:
    """Return the event of a POST of which nothing was bought, and the attempt that follows it."""
    if blames_links(posted, error) or other_route(posted, error) is not None:
        return _refused(posted, error, posted.attempt.account)
    later = posted.fallback is None and (
        (posted.keeps and isinstance(error, ACCOUNTS_TROUBLE))
        or (posted.kept and isinstance(error, RateLimited | ProviderUnavailable))
    )
    account = posted.attempt.account if later else posted.fallback
    return _refused(posted, error, account, later=later)


def unsent(posted: Posted, why: str) -> Refused:
    """Return the event of a POST of which no byte left."""
    error = ProviderUnavailable(
        f"Nothing was sent: {why}. Check the network and base_url, then try again.",
        provider=posted.loaded.name,
        phase="submit",
    )
    return refused(posted, error)


def held_back(posted: Posted, error: PikaError | None = None) -> Refused:
    """Return the event of a POST that the fence, or a defect before it, held back: it may be tried again.

    A ledger that fails says nothing about an order that it keeps.
    """
    again = posted.again or posted.kept or (posted.keeps and isinstance(error, LedgerError))
    if error is None:
        error = ProviderUnavailable(
            "The connection was not ready in time and nothing was sent; try again.",
            provider=posted.loaded.name,
            phase="submit",
        )
    return _refused(posted, error, posted.attempt.account if again else None)


def too_late(posted: Posted) -> Refused:
    """Return the event of a claim that was granted while the client closed: nothing is sent for it."""
    error = JobTimeout("The client was closed before the job was sent; open another.", charged="no")
    account = posted.attempt.account if posted.keeps else None
    return _refused(posted, error, account, later=posted.keeps)


def _refused(posted: Posted, error: PikaError, account: str | None, *, later: bool = False) -> Refused:
    return Refused(
        attempt=posted.attempt.id,
        owner=posted.owner,
        refusal=refusal_of(error),
        next=None if account is None else NextAttempt(id=posted.next_id, account=account),
        later=later,
        error=error,
    )


def unknown(posted: Posted, reason: str, cause: PikaError | None = None) -> Unknown:
    """Return the event of a POST for which the money may be gone; only evidence or a person settles it."""
    if not isinstance(cause, SubmitUnknown):
        reason = (
            f"{reason.rstrip('.')}. The job may have been accepted and paid: do not submit it again, "
            "wait for it, or look at the provider's console."
        )
    error = SubmitUnknown(
        reason,
        provider=posted.loaded.name,
        phase="submit",
        status=cause.status if cause else None,
        code=cause.code if cause else None,
        trace_id=cause.trace_id if cause else None,
    )
    error.__cause__ = cause
    return Unknown(attempt=posted.attempt.id, owner=posted.owner, error=error)


def proves_nothing(response: HttpResponse) -> bool:
    """Return whether an answer with this status may have been given after the job was accepted."""
    return 300 <= response.status < 400 or response.status in _UNKNOWN_STATUSES or response.status >= 500


def complete(error: PikaError, provider: str, phase: Phase, response: HttpResponse, wall: float) -> None:
    """Add to an adapter's *error* what only the engine knows of the answer.

    The adapter's frames go: their locals hold the answer as it came, and a provider may echo anything.
    """
    error.with_traceback(None)
    error.__cause__ = error.__context__ = None
    error.provider = error.provider or provider
    error.phase = error.phase or phase
    error.status = error.status or response.status
    if isinstance(error, RateLimited) and error.retry_after is None:
        error.retry_after = retry_after(response.headers.get("retry-after"), wall)


def retry_after(header: str | None, wall: float) -> float | None:
    """Read `Retry-After` as seconds from *wall*, an hour at most; None for what cannot be read.

    >>> retry_after("2", 0.0), retry_after("Thu, 01 Jan 1970 00:00:09 GMT", 4.0), retry_after("soon", 0.0)
    (2.0, 5.0, None)
    """
    text = (header or "")[:64].strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), 3600.0)
    try:
        return min(max(0.0, parsedate_to_datetime(text).timestamp() - wall), 3600.0)
    except (TypeError, ValueError, OverflowError):
        return None
