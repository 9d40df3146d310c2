"""What can still be read of rows that are damaged, or that another version wrote. Pure.

Money may hang on a job that cannot be read as a whole: its task, its slot and its state stay visible, and
what cannot be read is never taken for leave to send something.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias, TypeVar, get_args

from pika_async._ledger.codec import decode_outcome, decode_price, decode_replay, decode_task
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState, Source
from pika_async.results import Task

T = TypeVar("T")
Row: TypeAlias = tuple[Any, ...]

SOURCES: dict[str | None, Source | None] = {
    **{source: source for source in get_args(Source)},
    # What the first release called it.
    "history": "echo",
    None: None,
}


def salvaged(row: Row, attempts: Sequence[Row], request: object) -> JobRecord | None:
    """Return the job as far as its rows can be read; None if that is not even an id and an attempt."""
    (_, id_, version, state, created_at, cancel_requested, winner, key, digest, _, files, extras) = row[:12]
    read = [attempt for attempt in (_attempt(id_, row) for row in attempts) if attempt is not None]
    if not isinstance(id_, str) or not read or len(read) < len(attempts):
        # A job that lacks an attempt could be sent beside it.
        return None
    state = _or(lambda: JobState(state), None)
    return JobRecord(
        id=id_,
        request=request,
        created_at=_number(created_at),
        attempts=tuple(read),
        files=_or(lambda: dict(json.loads(files)), None),
        key=_text(key),
        digest=_text(digest),
        state=state or JobState.OPEN,
        version=int(_number(version)),
        cancel_requested=bool(cancel_requested) or state is None,
        winner=_text(winner),
        extras=tuple(
            extra
            for text in _or(lambda: list(json.loads(extras)), [])
            if (extra := _or(lambda text=text: decode_outcome(text), None)) is not None  # type: ignore[misc]
        ),
        fallbacks=_or(lambda: tuple(map(str, json.loads(row[12]))), ()),
        callback_url=_or(lambda: json.loads(row[13]), None),
    )


def _attempt(job_id: str, row: Row) -> Attempt | None:
    (_, number, id_, account, state, version, slot, superseded, abandoned, owner, not_before) = row[:11]
    (claimed_at, lease_until, resolve_after, slot_until, negatives, task_id, task, bound_by, outcome) = row[
        11:20
    ]
    if not isinstance(id_, str) or not isinstance(account, str):
        return None
    return Attempt(
        id=id_,
        job_id=job_id,
        number=number,
        account=account,
        # Nobody sends an unresolved attempt again without a person's word.
        state=_or(lambda: AttemptState(state), AttemptState.UNRESOLVED),
        version=int(_number(version)),
        slot=bool(slot),
        superseded=superseded == 1,
        abandoned=abandoned == 1,
        owner=_text(owner),
        not_before=_number(not_before),
        claimed_at=None if claimed_at is None else _number(claimed_at),
        lease_until=_number(lease_until),
        resolve_after=_number(resolve_after),
        slot_until=_number(slot_until),
        negatives=int(_number(negatives)),
        task=_or(lambda: decode_task(task), _task(task_id)),
        bound_by=_or(lambda: SOURCES[bound_by], None),
        outcome=_or(lambda: decode_outcome(outcome), None),
        price=_or(lambda: decode_price(row[20]), None),
        replay=_or(lambda: decode_replay(row[21]), None),
        address=_text(row[22]),
    )


def _task(task_id: object) -> Task | None:
    match task_id:
        case str():
            return Task(task_id)
        case bytes():
            return Task(task_id.decode("utf-8", "surrogatepass"))
        case _:
            return None


def _or(read: Callable[[], T], otherwise: Any) -> Any:
    try:
        return read()
    except Exception:  # noqa: BLE001 - damaged text leads anywhere
        return otherwise


def _number(value: object) -> float:
    return value if isinstance(value, int | float) else 0.0


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
