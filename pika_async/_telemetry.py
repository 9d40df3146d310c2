"""Spans and metrics for OpenTelemetry, where the application has loaded it; nothing at all where it has not.

The names are literal, so that a dashboard keeps working. Every span about a job links to one context that is
made of the job's id: so what several processes did for a job can be found together.
"""

from __future__ import annotations

import hashlib
import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakSet

if TYPE_CHECKING:
    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.trace import SpanContext

log = logging.getLogger("pika_async")

_SCOPE: Final = "pika_async"

About = Callable[[str], None]
"""Tells a span the id of a job that was not known when it began."""

_NO_SPAN: Final[AbstractContextManager[About]] = nullcontext(lambda _: None)
_GAUGES: Final = {
    "pika.jobs.queued": ("queued", "Jobs that wait to be sent by this process."),
    "pika.jobs.submitting": ("on_the_wire", "Jobs whose order is being sent by this process."),
    "pika.jobs.rendering": ("polled", "Jobs that this process looks up, or waits for."),
    "pika.jobs.in_flight": ("in_flight", "Jobs that hold a slot of the account, over all processes."),
    "pika.jobs.doubts": ("unresolved", "Jobs of this process that only a person can settle."),
    "pika.look_ups.lag": ("poll_lag", "Seconds by which the most overdue look-up is late."),
    "pika.jobs.oldest_doubt": ("oldest_unresolved", "Seconds since the oldest doubtful order was sent."),
    "pika.ledger.outbox_age": (
        "outbox_age",
        "Seconds for which something learned has waited for the ledger.",
    ),
}


class HasStats(Protocol):
    """What the gauges read: the numbers of each account, by its name."""

    def stats(self) -> Mapping[str, Any]: ...


_ENDED: Final = "pika.jobs.ended"
_DURATION: Final = "pika.job.duration"
_COST: Final = "pika.job.cost"
METRICS: Final = frozenset({*_GAUGES, _ENDED, _DURATION, _COST})
"""The names of all metrics."""

_watched: WeakSet[HasStats] = WeakSet()
_made: list[object] = []
"""The gauges of this process: of several clients on one account, the largest number counts."""


def span(
    name: str, *, jobs: Iterable[str] = (), alone: bool = False, provider: str | None = None
) -> AbstractContextManager[About]:
    """Return a context that is a span called *name*, about the *jobs* with these ids.

    What it yields adds a job that became known later.

    It belongs to the caller's span, unless it stands *alone*: what the engine does is nobody's in particular.
    An error ends the span with its class alone, since its text may hold a prompt.
    """
    if "opentelemetry.trace" not in sys.modules:
        return _NO_SPAN
    return _Span(name, tuple(jobs), alone, provider)


class _Span:
    """A span that never raises: an order that has left must not be taken for one that was refused."""

    def __init__(self, name: str, jobs: tuple[str, ...], alone: bool, provider: str | None) -> None:
        self._told = name, jobs, alone, provider
        self._open: AbstractContextManager[Any] | None = None
        self._span: Any = None

    def __enter__(self) -> About:
        try:
            made = _started(*self._told)
            self._span, self._open = made.__enter__(), made
        except Exception:
            log.exception("a span could not be begun")
        return self._about

    def _about(self, job_id: str) -> None:
        if self._open is None:
            return
        try:
            self._span.add_link(context_of(job_id))
            self._span.set_attribute("pika.job.id", job_id)
        except Exception:
            log.exception("a span could not be told its job")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        if self._open is None:
            return
        try:
            if kind is not None:
                _failed(self._span, kind, error)
            self._open.__exit__(None, None, None)
        except Exception:
            log.exception("a span could not be ended")


def _started(
    name: str, jobs: tuple[str, ...], alone: bool, provider: str | None
) -> AbstractContextManager[Any]:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, get_tracer

    given = {} if provider is None else {"gen_ai.provider.name": provider}
    if len(jobs) == 1:
        given["pika.job.id"] = jobs[0]
    return get_tracer(_SCOPE).start_as_current_span(
        name,
        context=Context() if alone else None,
        links=[Link(context_of(job)) for job in jobs],
        attributes=given,
    )


def _failed(span: Any, kind: type[BaseException], error: BaseException | None) -> None:
    from opentelemetry.trace import Status, StatusCode

    span.set_status(Status(StatusCode.ERROR))
    span.set_attribute("error.type", kind.__name__)
    if (charged := getattr(error, "charged", None)) is not None:
        span.set_attribute("pika.charged", charged)


def context_of(job_id: str) -> SpanContext:
    """Return the context that all spans of a job link to, in whichever process they are made."""
    from opentelemetry.trace import SpanContext, TraceFlags

    digest = hashlib.sha256(job_id.encode()).digest()
    return SpanContext(
        trace_id=int.from_bytes(digest[:16]),
        span_id=int.from_bytes(digest[16:24]),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED),
    )


def measured() -> bool:
    """Return whether the application has loaded metrics."""
    return "opentelemetry.metrics" in sys.modules


def ended(provider: str, state: str, seconds: float, cost: float | None) -> None:
    """Count a job that has ended after *seconds*; *cost* is in the provider's own unit."""
    try:
        _count(provider, state, seconds, cost)
    except Exception:
        log.exception("what ended could not be counted")


def _count(provider: str, state: str, seconds: float, cost: float | None) -> None:
    from opentelemetry.metrics import get_meter

    meter = get_meter(_SCOPE)
    facts = {"gen_ai.provider.name": provider, "pika.job.state": state}
    meter.create_counter(_ENDED, description="Jobs that ended.").add(1, facts)
    meter.create_histogram(_DURATION, unit="s", description="From order to end.").record(seconds, facts)
    if cost is not None:
        meter.create_counter(_COST, description="In the provider's own unit.").add(cost, facts)


def watch(engine: HasStats) -> None:
    """Let metrics be read of *engine* as long as it lives."""
    _watched.add(engine)
    if _made:
        return  # once a process: a second instrument of the same name would be read in vain
    try:
        _made.extend(_gauges())
    except Exception:
        log.exception("the numbers of accounts cannot be read as metrics")


def _gauges() -> list[object]:
    from opentelemetry.metrics import get_meter

    meter = get_meter(_SCOPE)
    return [
        meter.create_observable_gauge(name, [_reader(field)], description=description)
        for name, (field, description) in _GAUGES.items()
    ]


def _reader(field: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def read(_: CallbackOptions) -> Iterable[Observation]:
        from opentelemetry.metrics import Observation

        told: dict[str, float] = {}
        try:
            for engine in tuple(_watched):
                for account, one in engine.stats().items():
                    if (value := getattr(one, field)) is not None:
                        told[account] = max(value, told.get(account, value))
        except RuntimeError:
            return []  # metrics are read in another thread, and a table changed under it: next time then
        return [Observation(value, {"pika.account": account}) for account, value in told.items()]

    return read
