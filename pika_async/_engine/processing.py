"""Working on a job that a queue names: idempotent, so the queue may name it any number of times."""

from __future__ import annotations

from pika_async._engine.charges import charged
from pika_async._engine.expectation import Stage
from pika_async._engine.flight import Flight
from pika_async._engine.orders import Orders
from pika_async._engine.unsent_errors import left_unsent, sent_elsewhere
from pika_async._ledger.records import AttemptState, JobRecord, JobState
from pika_async._ledger.standing import in_doubt, is_queued, spent, unsent
from pika_async._telemetry import span
from pika_async.errors import ConfigError, PikaError


async def process(
    orders: Orders, job_id: str, *, accepted: bool = False, patience: float | None = None
) -> JobRecord:
    """Bring a job to its end, or until it is *accepted*, and return its record.

    It also ends where only a person, or time, can go on. Raises the `PikaError` that kept the job unsent,
    when *patience* seconds passed without its POST as well: the queue is to try again.
    """
    with span("pika.process", jobs=[job_id]):
        return await _processed(orders, job_id, accepted=accepted, patience=patience)


async def _processed(orders: Orders, job_id: str, *, accepted: bool, patience: float | None) -> JobRecord:
    record = await orders.desk.ledger.get(job_id)
    if record is None:
        raise ConfigError(
            f"This ledger knows no job {job_id!r}; open the ledger that it was recorded in.",
            charged="unknown",
        )
    if _over(record, accepted=accepted):
        return record
    flight = orders.resuming.work_on(record)
    while not flight.ended and not _over(flight.record, accepted=accepted):
        try:
            await _news(flight, accepted=accepted, patience=patience)
        except TimeoutError:
            if is_queued(flight.record) and not flight.sending:
                error = left_unsent(f"The order was not sent within {patience:g} s")
                if (cost := await charged(orders.desk, flight)) != spent(flight.record):
                    error = sent_elsewhere(cost)
                error.charged = cost
                raise orders.desk.explain(flight, error) from None
        except PikaError:
            if orders.desk.closing or not _goes_on(flight.record, accepted=accepted):
                raise
    if flight.error is not None and flight.record.state is JobState.OPEN and unsent(flight.record):
        raise flight.error
    return flight.record


async def _news(flight: Flight, *, accepted: bool, patience: float | None) -> None:
    stage = Stage.ACCEPTED if accepted else Stage.ENDED
    await flight.wait(stage, timeout=patience, queue_timeout=patience)


def _over(record: JobRecord, *, accepted: bool) -> bool:
    """Return whether a task of a queue has nothing to do for the job."""
    if record.state is not JobState.OPEN or in_doubt(record) is not None:
        return True
    return accepted and record.newest.state in {AttemptState.RUNNING, AttemptState.AMBIGUOUS}


def _goes_on(record: JobRecord, *, accepted: bool) -> bool:
    """Return whether time alone will bring a job further whose waiters were told of trouble."""
    return _over(record, accepted=accepted) or record.newest.state is AttemptState.AMBIGUOUS
