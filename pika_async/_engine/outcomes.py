"""What became of a POST: accepted, provably refused, or unknown. Rows 3 to 6 of docs/pay-once.md."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from pika_async._engine.flight import Flight
from pika_async._engine.ids import attempt_id
from pika_async._engine.limits import retry_after
from pika_async._engine.verdict import refusal_of
from pika_async._http import HttpResponse
from pika_async._ledger.events import Evidence, NextAttempt, Refused, Unknown
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState
from pika_async.errors import Phase, PikaError, ProviderUnavailable, RateLimited, SubmitUnknown
from pika_async.provider import REFUSALS
from pika_async.results import Failed, Pending, Snapshot

if TYPE_CHECKING:
    from pika_async._engine.engine import Engine

log = logging.getLogger("pika_async")

_STALE_FENCES = 3
_UNKNOWN_STATUSES = frozenset({408, 409})


class Outcomes:
    """Records what is known of a POST, and sets the job on the way that this allows."""

    def __init__(self, engine: Engine, enqueue: Callable[[Flight], None]) -> None:
        self._engine = engine
        self._enqueue = enqueue

    async def stale(self, flight: Flight, claimed: Attempt) -> None:
        """Take in that the fence held the request back: another attempt is due, but not for ever."""
        flight.stale += 1
        again = flight.stale < _STALE_FENCES
        error = ProviderUnavailable(
            "The connection was not ready in time and nothing was sent; try again.",
            provider=flight.account.name,
            phase="submit",
        )
        await self.refused(flight, claimed, error, again=again)

    async def answered(self, flight: Flight, claimed: Attempt, response: HttpResponse) -> None:
        """Have the adapter read the answer; whatever is not proven stays unknown."""
        account = flight.account
        if flight.request is None:
            return
        try:
            snapshot = account.provider.read_submit(response, flight.request)
        except REFUSALS as error:
            complete(error, account.name, "submit", response, self._engine.clock.wall())
            if _proves_nothing(response):
                await self.unknown(flight, claimed, error.message, error)
            else:
                await self.refused(flight, claimed, error)
        except PikaError as error:
            complete(error, account.name, "submit", response, self._engine.clock.wall())
            await self.unknown(flight, claimed, error.message, error)
        except Exception as error:  # noqa: BLE001 - whatever a stranger's adapter does, the answer stays unknown
            await self.unknown(flight, claimed, f"The adapter failed on the answer ({type(error).__name__})")
        else:
            await self._accepted(flight, claimed, snapshot)

    async def _accepted(self, flight: Flight, claimed: Attempt, snapshot: Snapshot) -> None:
        flight.account.limits.accepted()
        if isinstance(snapshot, Failed) and snapshot.reason == "no_output":
            # One answer without a link is not proof: look a second time before the job ends.
            snapshot = Pending(task=snapshot.task, trace_id=snapshot.trace_id, raw=snapshot.raw)
            flight.account.poller.doubt(claimed.id)
        await self._engine.apply(
            flight, Evidence(attempt=claimed.id, snapshot=snapshot, source="answer"), keep=True
        )
        bound = flight.record.attempt(claimed.id)
        if bound is None or bound.task is None or bound.task.id != snapshot.task.id:
            await self.unknown(flight, claimed, "The answer named a task that belongs to another job")
            return
        self._engine.observe(flight, snapshot)

    async def refused(
        self, flight: Flight, claimed: Attempt, error: PikaError, *, again: bool = False
    ) -> None:
        """Record that nothing was bought, and go on to the next provider or raise *error*."""
        account = flight.account
        if isinstance(error, RateLimited):
            account.limits.throttled(self._engine.clock.now(), error.retry_after)
        following = account if again else next(iter(flight.fallbacks), None)
        next_ = None
        if following is not None:
            next_ = NextAttempt(id=attempt_id(flight.id, claimed.number + 1), account=following.key)
        event = Refused(attempt=claimed.id, owner=self._engine.owner, refusal=refusal_of(error), next=next_)
        await self._engine.apply(flight, event, keep=True)
        newest = flight.record.newest
        if following is not None and next_ is not None and newest.id == next_.id:
            if not again:
                flight.fallbacks = flight.fallbacks[1:]
            flight.account = following
            flight.requeued()
            self._enqueue(flight)
        elif flight.record.state is JobState.SUCCEEDED or _is_under_way(flight.record):
            # While this process was stopped, another one went on by evidence, or by a person's word.
            self._engine.follow(flight)
        else:
            raise error

    async def unknown(
        self, flight: Flight, claimed: Attempt, reason: str, cause: PikaError | None = None
    ) -> None:
        """Record that the money may be gone; only evidence or a person settles it."""
        await self._engine.apply(flight, Unknown(attempt=claimed.id, owner=self._engine.owner), keep=True)
        if flight.record.state is not JobState.OPEN or _is_under_way(flight.record):
            self._engine.follow(flight)
            return
        log.warning("job %s: ambiguous on %s", flight.id, flight.account.key)
        if not isinstance(cause, SubmitUnknown):
            reason = (
                f"{reason.rstrip('.')}. The job may have been accepted and paid: do not submit it again, "
                "wait for it, or look at the provider's console."
            )
        error = SubmitUnknown(
            reason,
            provider=flight.account.name,
            phase="submit",
            status=cause.status if cause else None,
            code=cause.code if cause else None,
            trace_id=cause.trace_id if cause else None,
        )
        error.__cause__ = cause
        self._engine.explain(flight, error)
        flight.trouble(error)
        self._engine.sweeper.consider(flight)


def _is_under_way(record: JobRecord) -> bool:
    """Return whether an attempt may still bring the video by itself."""
    busy = {AttemptState.QUEUED, AttemptState.SUBMITTING, AttemptState.RUNNING}
    return any(attempt.state in busy for attempt in record.attempts)


def _proves_nothing(response: HttpResponse) -> bool:
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
