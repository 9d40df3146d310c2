"""What callers want of the writer's thread, and what they are answered."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from attrs import frozen

from pika_async._ledger.faults import from_sqlite, unusable
from pika_async._ledger.records import JobRecord
from pika_async._ledger.sqlite.batch import Batch
from pika_async.errors import LedgerError


@frozen
class Order:
    """One queued operation; *job_id* is read ahead, as is the holder of the key of *new*."""

    future: asyncio.Future[Any]
    work: Callable[[Batch], Any]
    writes: bool = False
    job_id: str | None = None
    new: JobRecord | None = None


Answer: TypeAlias = tuple[Order, Any, BaseException | None]


def in_turn(orders: list[Order]) -> tuple[list[Order], list[Order], list[Order]]:
    """Return reads, writes, and reads that must see a write which was ordered before them."""
    early: list[Order] = []
    writes: list[Order] = []
    late: list[Order] = []
    changed: set[str | None] = set()
    for order in orders:
        if order.writes:
            writes.append(order)
            changed.add(order.job_id if order.new is None else order.new.id)
        elif order.job_id in changed or (order.job_id is None and writes):
            late.append(order)
        else:
            early.append(order)
    return early, writes, late


def carried_out(order: Order, batch: Batch) -> Answer:
    try:
        return order, order.work(batch), None
    except LedgerError as error:
        return order, None, error


def named(error: BaseException, path: Path) -> BaseException:
    """Return *error* in our words, with its cause."""
    match error:
        case LedgerError():
            return error
        case sqlite3.Error():
            said = from_sqlite(error, path)
        case Exception():
            said = unusable(path, f"it cannot hold this ({error}). Report it if it stays so")
        case _:
            return error
    said.__cause__ = error
    return said


def own(error: BaseException) -> BaseException:
    """Return an error of its own for each caller: notes and tracebacks of one are not another's."""
    if not isinstance(error, LedgerError):
        return error
    own = type(error)(error.message)
    own.recorded, own.__cause__ = error.recorded, error.__cause__
    return own


def answer(answers: list[Answer]) -> None:
    for order, result, error in answers:
        if order.future.done():
            continue
        if error is None:
            order.future.set_result(result)
        else:
            order.future.set_exception(error)


def bare(future: asyncio.Future[None]) -> Order:
    return Order(future, lambda _: None)
