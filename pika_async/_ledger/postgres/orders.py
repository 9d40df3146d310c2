"""What callers want of the writer, and what they are answered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from attrs import frozen

from pika_async._ledger.change import Change
from pika_async._ledger.events import Claim, Event
from pika_async._ledger.postgres.batch import Batch
from pika_async._ledger.postgres.faults import ConflictError, DuplicateError, HeldError, unusable
from pika_async._ledger.postgres.rows import Row
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.records import JobRecord
from pika_async.errors import LedgerError

TRIES: Final = 20
"""Of what others keep changing."""


@frozen
class Decision:
    """An event about a job, or with *new* a job and its first event."""

    future: asyncio.Future[Change]
    job_id: str
    event: Event | None
    new: JobRecord | None = None


@frozen
class Deed:
    """Statements that no job's state depends on, in a transaction of their own; *read* makes the answer.

    Where they rest on rows that were read before, the answer is None if those have changed since.
    """

    future: asyncio.Future[Any]
    work: Callable[[float], Sequence[Statement]]
    read: Callable[[list[list[Row]]], Any]
    rests_on_rows: bool = False


Order: TypeAlias = Decision | Deed
Answer: TypeAlias = tuple[Decision, Change | None, BaseException | None]


def claims(orders: Sequence[Decision]) -> bool:
    """Return whether anything may be bought by one of *orders*."""
    return any(isinstance(order.event, Claim) for order in orders)


def answered(order: Decision, batch: Batch) -> Answer:
    """Return what *batch* makes of *order*, or the error for its caller."""
    try:
        if order.new is not None:
            return order, batch.create(order.new, order.event), None
        assert order.event is not None  # noqa: S101 - only a new job has none
        return order, batch.apply(order.job_id, order.event), None
    except LedgerError as error:
        return order, None, error


def has_row(rows: list[list[Row]]) -> bool:
    """Return whether the first statement of a deed answered with a row."""
    return bool(rows[0])


def no_answer(_: list[list[Row]]) -> None:
    """Return nothing: the deed is only to be done."""


def resolve(future: asyncio.Future[Any], result: Any, error: BaseException | None) -> None:
    """Tell whoever still waits for *future* how it ended."""
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


def named(error: BaseException) -> BaseException:
    """Return *error* in our words; what we have no words for stays as it is."""
    match error:
        case LedgerError():
            return error
        case ConflictError() | DuplicateError():
            said = too_often()
        case HeldError():
            said = unusable("another transaction holds the rows. Try again; `doctor` shows the oldest one")
            said.retryable = True
        case Exception():
            said = unusable(f"it cannot hold this ({error}). Report it if it stays so")
        case _:
            return error
    said.__cause__ = error
    return said


def too_often() -> LedgerError:
    """Make the error for what was tried again and again."""
    return unusable("others kept changing the same rows. It can be tried again")


def own(error: BaseException) -> BaseException:
    """Return an error of its own for each caller: notes and tracebacks of one are not another's."""
    if not isinstance(error, LedgerError):
        return error
    copy = type(error)(error.message, code=error.code, retryable=error.retryable)
    copy.recorded, copy.__cause__ = error.recorded, error.__cause__
    return copy
