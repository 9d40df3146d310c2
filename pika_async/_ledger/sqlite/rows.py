"""Records as rows of SQLite, and the statements that write them."""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any, TypeAlias

from pika_async._ledger.codec import (
    encode_outcome,
    encode_plain,
    encode_price,
    encode_replay,
    encode_request,
    encode_task,
)
from pika_async._ledger.records import Attempt, JobRecord, Usage

Row: TypeAlias = tuple[Any, ...]

JOB_COLUMNS = (
    "seq, id, version, state, created_at, cancel_requested, winner, key, digest, request, files, extras, "
    "fallbacks, callback_url, pruned"
)
ATTEMPT_COLUMNS = (
    "job, number, id, account, state, version, slot, superseded, abandoned, claimed_by, not_before, "
    "claimed_at, lease_until, resolve_after, slot_until, negatives, task_id, task, bound_by, outcome, price, "
    "replay, address"
)
ACCOUNT_COLUMNS = (
    "account, slots, submits, next_submit_at, spacing, recent, recent_at, paused_until, paused_why, "
    "members, max_slots, waiting"
)
MEMBER_COLUMNS = (
    "owner, max_slots, until, label, version, places, refused_until, refused_why, waits_until, lag"
)

# Some builds of SQLite take 999 values in a statement.
_AT_ONCE = 32

_FIXED = {"job", "number", "id", "account"}
_TASK = {"task_id", "task"}

INSERT_JOBS = f"INSERT INTO jobs ({JOB_COLUMNS}) VALUES"
INSERT_ATTEMPTS = f"INSERT INTO job_attempts ({ATTEMPT_COLUMNS}) VALUES"
INSERT_HISTORY = "INSERT INTO history (job, number, version, at, before, after, note) VALUES"


def _compare_and_set(columns: Iterable[str]) -> str:
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns)
    return (
        f"ON CONFLICT (job, number) DO UPDATE SET {changes} WHERE job_attempts.version = excluded.version - 1"
    )


CHANGE_ATTEMPTS = _compare_and_set(c for c in ATTEMPT_COLUMNS.split(", ") if c not in _FIXED)
CHANGE_ATTEMPTS_BUT_TASK = _compare_and_set(c for c in ATTEMPT_COLUMNS.split(", ") if c not in _FIXED | _TASK)
"""Leaves the index of tasks alone, as most changes may."""
# UPDATE ... FROM (VALUES ...) would say it better, and needs SQLite 3.33.
CHANGE_JOBS = (
    f"INSERT INTO jobs ({JOB_COLUMNS}) SELECT old.seq, id, column2, column3, created_at, column4, column5, "
    "column6, digest, request, files, column7, fallbacks, callback_url, pruned FROM (VALUES"
)
COMPARE_AND_SET_JOBS = (
    ") AS new JOIN jobs AS old ON old.seq = column1 AND old.version = column2 - 1 WHERE true "
    "ON CONFLICT (seq) DO UPDATE SET version = excluded.version, state = excluded.state, "
    "cancel_requested = excluded.cancel_requested, winner = excluded.winner, key = excluded.key, "
    "extras = excluded.extras"
)
_MARKS = ", ".join("?" for _ in ACCOUNT_COLUMNS.split())
SET_ACCOUNT = (
    f"INSERT INTO accounts ({ACCOUNT_COLUMNS}) VALUES ({_MARKS}) ON CONFLICT (account) "
    "DO UPDATE SET " + ", ".join(f"{c} = excluded.{c}" for c in ACCOUNT_COLUMNS.split(", ") if c != "account")
)

SET_SPENDING = (
    "INSERT INTO spending (unit, micros) VALUES (?, ?) ON CONFLICT (unit) "
    "DO UPDATE SET micros = excluded.micros"
)


def job_row(seq: int, job: JobRecord) -> tuple[Row, dict[str, bytes]]:
    """Return a new job's row, and the bytes of its media by SHA-256."""
    request, blobs = encode_request(job.request)
    row = (
        seq,
        job.id,
        job.version,
        job.state.value,
        job.created_at,
        int(job.cancel_requested),
        job.winner,
        job.key,
        job.digest,
        request,
        None if job.files is None else encode_plain(job.files),
        _extras(job),
        encode_plain(job.fallbacks) if job.fallbacks else None,
        None if job.callback_url is None else encode_plain(job.callback_url),
        0,
    )
    return row, blobs


def job_change(seq: int, job: JobRecord) -> Row:
    """Return what `CHANGE_JOBS` is to set."""
    return (
        seq,
        job.version,
        job.state.value,
        int(job.cancel_requested),
        job.winner,
        job.key,
        _extras(job),
    )


def attempt_row(seq: int, a: Attempt, *, but_task: bool = False) -> Row:
    """Return an attempt's row; *seq* is its job's."""
    task = None if but_task else a.task
    return (
        seq,
        a.number,
        a.id,
        a.account,
        a.state.value,
        a.version,
        int(a.slot),
        int(a.superseded),
        int(a.abandoned),
        a.owner,
        a.not_before,
        a.claimed_at,
        a.lease_until,
        a.resolve_after,
        a.slot_until,
        a.negatives,
        None if task is None else indexable(task.id),
        None if task is None else encode_task(task),
        a.bound_by,
        None if a.outcome is None else encode_outcome(a.outcome),
        None if a.price is None else encode_price(a.price),
        None if a.replay is None else encode_replay(a.replay),
        a.address,
    )


def account_row(account: str, usage: Usage, submits: int) -> Row:
    """Return an account's row; *submits* are its own, those of *usage* are all accounts'."""
    return (
        account,
        usage.slots,
        submits,
        usage.next_submit_at,
        usage.spacing,
        usage.recent,
        usage.recent_at,
        usage.paused_until,
        usage.paused_why,
        usage.members,
        usage.max_slots,
        " ".join(usage.waiting),
    )


def write_rows(
    connection: sqlite3.Connection, insert: str, rows: Sequence[Row], on_conflict: str = ""
) -> int:
    """Write many rows in few statements, and count those written.

    Each statement lets go of the interpreter's lock and has to win it back: under load that costs more than
    the statement.
    """
    written = 0
    for start in range(0, len(rows), _AT_ONCE):
        chunk = rows[start : start + _AT_ONCE]
        statement = _statement(insert, on_conflict, len(chunk), len(chunk[0]))
        written += connection.execute(statement, [*chain.from_iterable(chunk)]).rowcount
    return written


@cache
def _statement(insert: str, on_conflict: str, rows: int, columns: int) -> str:
    row = f"({', '.join('?' * columns)})"
    return f"{insert} {', '.join([row] * rows)} {on_conflict}"


def marks(values: Sequence[object]) -> str:
    """Return a place for each of *values*."""
    return ", ".join("?" * len(values))


def indexable(text: str) -> str | bytes:
    r"""Return *text* as SQLite can hold it: half a surrogate pair has no UTF-8.

    >>> indexable("t1"), indexable(chr(0xD800))
    ('t1', b'\xed\xa0\x80')
    """
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def _extras(job: JobRecord) -> str | None:
    return encode_plain([encode_outcome(extra) for extra in job.extras]) if job.extras else None
