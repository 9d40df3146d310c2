"""Waiting for a job: until the provider has it, or until its video; and what is told when a wait ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING

from pika_async._engine.charges import charged
from pika_async._engine.expectation import NoSlotError, Stage
from pika_async._engine.unsent_errors import still_queued
from pika_async._engine.verdict import unresolved
from pika_async._ledger.standing import in_doubt, spent, unsent
from pika_async._telemetry import span
from pika_async.errors import BadReply, JobTimeout, PikaError
from pika_async.results import State, VideoResult

if TYPE_CHECKING:
    from pika_async._engine.flight import Flight
    from pika_async._engine.orders import Orders

_NOTES = 20


async def wait_for_video(orders: Orders, flight: Flight, timeout: float | None) -> VideoResult:
    """Wait for the video of a job that is here, or came by its token."""
    with span("pika.wait", jobs=[flight.id], provider=flight.account.name):
        return await _video_of(orders, flight, timeout)


async def _video_of(orders: Orders, flight: Flight, timeout: float | None) -> VideoResult:
    flight = await orders.resuming.taken_on(flight)
    if (doubtful := in_doubt(flight.record)) is not None and not flight.ended:
        raise orders.desk.explain(flight, unresolved(doubtful))
    try:
        await wait_for(orders, flight, timeout=timeout)
    except asyncio.CancelledError as error:
        note_token(flight, error)
        raise
    return first_result(orders, flight)


async def wait_for_order(
    orders: Orders,
    flight: Flight,
    *,
    timeout: float | None,
    queue_timeout: float | None,
    accepted: bool = False,
) -> None:
    """Wait for a job that was just ordered; a caller who is cancelled in time buys nothing."""
    try:
        await wait_for(orders, flight, timeout=timeout, queue_timeout=queue_timeout, accepted=accepted)
    except asyncio.CancelledError as error:
        note_token(flight, error)
        orders.decisions.abandon_wait(flight)
        raise


async def wait_for_bought(
    orders: Orders, flight: Flight, *, timeout: float | None, queue_timeout: float | None
) -> VideoResult:
    """Wait for the video of a job that was just ordered."""
    with span("pika.wait", jobs=[flight.id], provider=flight.account.name):
        await wait_for_order(orders, flight, timeout=timeout, queue_timeout=queue_timeout)
        return first_result(orders, flight)


def note_token(flight: Flight, error: asyncio.CancelledError) -> None:
    """Note on *error* which job may be paid, and how any process goes on with it."""
    if spent(flight.record) != "no":
        error.add_note(f"The job may be paid and goes on: pika.job({flight.token!r})")


def note_tokens(flights: Iterable[Flight], error: asyncio.CancelledError) -> None:
    """Note on *error* which jobs may be paid, twenty at most, and how many more there are."""
    paid = [flight for flight in flights if spent(flight.record) != "no"]
    for flight in paid[:_NOTES]:
        note_token(flight, error)
    if more := len(paid[_NOTES:]):
        error.add_note(f"{more} more jobs may be paid; the closing client tells their tokens.")


async def wait_for(
    orders: Orders,
    flight: Flight,
    *,
    timeout: float | None,
    queue_timeout: float | None = None,
    accepted: bool = False,
) -> None:
    """Wait until *flight* has ended, or is *accepted*; raises `JobTimeout`, and what ends a wait alone."""
    stage = Stage.ACCEPTED if accepted else Stage.ENDED
    try:
        await flight.wait(stage, timeout=timeout, queue_timeout=queue_timeout)
    except PikaError:
        raise
    except NoSlotError:
        shared = flight.awaited and unsent(flight.record)
        if shared or await orders.decisions.cancel_unsent(flight) or unsent(flight.record):
            raise not_queued(orders, flight, queue_timeout) from None
        # Its slot came in that very moment, or another process has sent it: the wait for the video begins.
        await wait_for(orders, flight, timeout=timeout, accepted=accepted)
    except TimeoutError:
        raise await timed_out(orders, flight, timeout) from None


def not_queued(orders: Orders, flight: Flight, queue_timeout: float | None) -> PikaError:
    """Make the error for a job that got no slot in time; it is cancelled unless others wait for it."""
    goes_on = unsent(flight.record)
    what = "nothing was bought"
    if goes_on:
        why = "the job still waits for another caller"
        what = why if flight.awaited else "the ledger failed, so that another process may send the job"
    return orders.desk.explain(
        flight,
        JobTimeout(
            f"No slot was free within {queue_timeout:g} s and {what}; raise max_concurrency or "
            "queue_timeout, or call again later.",
            charged="unknown" if goes_on else "no",
            retryable=not goes_on,
            phase="submit",
        ),
    )


async def timed_out(orders: Orders, flight: Flight, timeout: float | None) -> PikaError:
    """Make the error for a wait that is over while the job goes on."""
    cost = spent(flight.record)
    queued = unsent(flight.record) and not flight.place
    if queued and (cost := await charged(orders.desk, flight)) == "no":
        error = still_queued(timeout)
    else:
        error = JobTimeout(
            f"The video was not ready within {timeout:g} s; the job goes on: wait for error.job, or run "
            "`pika-async fetch` with its token.",
            charged=cost,
            phase="poll",
        )
    return orders.desk.explain(flight, error)


def first_result(orders: Orders, flight: Flight) -> VideoResult:
    """Return the first video of an ended job to its caller, or raise its error."""
    orders.desk.flights.told(flight)
    return end_of(orders, flight)


def end_of(orders: Orders, flight: Flight) -> VideoResult:
    """Return the first video of an ended job, or raise its error."""
    if flight.error is not None:
        raise flight.error
    results: tuple[VideoResult, ...] = getattr(flight.snapshot, "results", ())
    video = next((r for r in results if r.state is State.SUCCEEDED), None)
    if video is None:
        error = BadReply("The adapter reported success without a video; report it.")
        raise orders.desk.explain(flight, error)
    return video
