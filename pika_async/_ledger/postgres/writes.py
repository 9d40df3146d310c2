"""What a batch decided, as the statements of one transaction. Pure.

The order is that of the locks: jobs by id, attempts that give a task up, attempts, what was sent, history,
media, and last what `account_writes` returns. A statement that hits too few rows divides by zero, which
undoes the whole transaction.
"""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from pika_async._ledger.postgres.account_writes import account_writes
from pika_async._ledger.postgres.batch import Batch
from pika_async._ledger.postgres.rows import (
    ATTEMPT_COLUMNS,
    Row,
    attempt_values,
    job_values,
    order_values,
)
from pika_async._ledger.postgres.statements import Statement, of_columns, of_rows, rows_of
from pika_async._ledger.records import Attempt, JobRecord

_TYPES: Final = {
    "job_id": "text",
    "number": "int",
    "id": "text",
    "account": "text",
    "state": "text",
    "version": "int",
    "slot": "bool",
    "superseded": "bool",
    "abandoned": "bool",
    "owner": "text",
    "not_before": "float8",
    "claimed_at": "float8",
    "lease_until": "float8",
    "resolve_after": "float8",
    "slot_until": "float8",
    "negatives": "int",
    "task_id": "text",
    "task": "text",
    "bound_by": "text",
    "outcome": "text",
    "price": "text",
    "replay": "text",
    "address": "text",
}
_ATTEMPT: Final = ATTEMPT_COLUMNS.split(", ")
_FIXED: Final = {"number", "id", "account"}


_JOB: Final = {
    "id": "text",
    "version": "int",
    "state": "text",
    "cancel_requested": "bool",
    "winner": "text",
    "key": "text",
    "extras": "text",
}
_OLD_JOB: Final = {"id": "text", "old": "bigint", **{n: k for n, k in _JOB.items() if n != "id"}}
_NEW_JOB: Final = {**_JOB, "created_at": "float8", "digest": "text"}
_ORDER: Final = {
    **dict.fromkeys(("job_id", "request", "files", "fallbacks", "callback_url"), "text"),
    "enqueued": "bool",
}
_LINE: Final = {
    "job_id": "text",
    "number": "int",
    "version": "int",
    "at": "float8",
    "before": "text",
    "after": "text",
    "note": "text",
}

_CHANGE_JOBS: Final = (
    # All are locked before the first changes. They are counted, since a join of the two takes as long as
    # the square of the batch.
    f"WITH n AS MATERIALIZED (SELECT * FROM {rows_of(_OLD_JOB)}), "
    "l AS MATERIALIZED (SELECT j.id FROM pika.jobs j WHERE j.id IN (SELECT id FROM n) ORDER BY j.id "
    "FOR NO KEY UPDATE), "
    "w AS (UPDATE pika.jobs j SET revision = j.revision + 1, version = n.version, state = n.state, "
    "cancel_requested = n.cancel_requested, winner = n.winner, key = n.key, extras = n.extras FROM n "
    "WHERE j.id = n.id AND j.revision = n.old AND (SELECT count(*) FROM l) = (SELECT count(*) FROM n) "
    "RETURNING 1) "
    "SELECT 1 / ((SELECT count(*) FROM w) = (SELECT count(*) FROM n))::int"
).encode()
# Most transactions change one job: planned and run in a quarter of the time that rows of JSON take.
_CHANGE_JOB: Final = (
    "WITH w AS (UPDATE pika.jobs SET revision = revision + 1, "
    f"{', '.join(f'{c} = ${n}::{kind}' for n, (c, kind) in enumerate(_OLD_JOB.items(), 1) if n > 2)} "
    "WHERE id = $1 AND revision = $2::bigint RETURNING 1) SELECT 1 / count(*) FROM w"
).encode()
_ADD_JOBS: Final = (
    f"INSERT INTO pika.jobs (revision, {', '.join(_NEW_JOB)}) "
    f"SELECT 0, {', '.join(_NEW_JOB)} FROM {rows_of(_NEW_JOB)}"
).encode()
_ADD_ORDERS: Final = (
    f"INSERT INTO pika.orders ({', '.join(_ORDER)}) SELECT * FROM {rows_of(_ORDER)}"
).encode()
_READ: Final = {c: "decode(n.task_id, 'hex')" if c == "task_id" else f"n.{c}" for c in _ATTEMPT}
_CHANGE_ATTEMPTS: Final = (
    f"WITH n AS MATERIALIZED (SELECT * FROM {rows_of(_TYPES)}), w AS (UPDATE pika.attempts a SET "
    f"{', '.join(f'{c} = {read}' for c, read in _READ.items() if c not in _FIXED)} "
    "FROM n WHERE a.job_id = n.job_id AND a.number = n.number RETURNING 1) "
    "SELECT 1 / ((SELECT count(*) FROM w) = (SELECT count(*) FROM n))::int"
).encode()
_GIVEN: Final = {
    column: f"decode(${n}, 'hex')" if column == "task_id" else f"${n}::{kind}"
    for n, (column, kind) in enumerate(_TYPES.items(), 1)
}
_CHANGE_ATTEMPT: Final = (
    "WITH w AS (UPDATE pika.attempts SET "
    f"{', '.join(f'{c} = {_GIVEN[c]}' for c in _ATTEMPT if c not in _FIXED)} "
    "WHERE job_id = $1 AND number = $2 RETURNING 1) SELECT 1 / count(*) FROM w"
).encode()
_ADD_ATTEMPTS: Final = (
    f"INSERT INTO pika.attempts (job_id, seq, {ATTEMPT_COLUMNS}) SELECT n.job_id, j.seq, "
    f"{', '.join(_READ.values())} "
    f"FROM {rows_of(_TYPES)} JOIN pika.jobs j ON j.id = n.job_id"
).encode()
_ADD_HISTORY: Final = (
    f"INSERT INTO pika.history ({', '.join(_LINE)}) SELECT * FROM {rows_of(_LINE)} ON CONFLICT DO NOTHING"
).encode()
_ADD_BLOBS: Final = (
    b"INSERT INTO pika.blobs (sha256, data) SELECT * FROM unnest($1::text[], $2::bytea[]) "
    b"AS n (sha256, data) ORDER BY sha256 ON CONFLICT DO NOTHING"
)
_USE_BLOBS: Final = (
    b"INSERT INTO pika.blob_uses (job_id, sha256) SELECT * FROM unnest($1::text[], $2::text[]) "
    b"ON CONFLICT DO NOTHING"
)
_KEEP_SENT: Final = (
    b"INSERT INTO pika.sent (attempt_id, data) SELECT * FROM unnest($1::text[], $2::bytea[]) "
    b"ON CONFLICT (attempt_id) DO UPDATE SET data = excluded.data"
)
_FORGET_SENT: Final = b"DELETE FROM pika.sent WHERE attempt_id = ANY($1::text[])"


def statements(batch: Batch) -> list[Statement]:
    """Return what is to be written, in the order of the locks."""
    changed = [(job_id, batch.after[job_id]) for job_id, was in batch.before.items() if was is not None]
    new = [batch.after[job_id] for job_id, was in batch.before.items() if was is None]
    found: list[Statement] = []
    if changed:
        changed.sort(key=lambda one: one[0])
        rows = [(job_id, batch.known.jobs[job_id].revision, *job_values(after)) for job_id, after in changed]
        found.append(_changed(_CHANGE_JOB, _CHANGE_JOBS, _OLD_JOB, rows))
    if new:
        found += _added(new)
    found += _attempts(batch)
    found += _sent(batch)
    if batch.history:
        found.append(of_rows(_ADD_HISTORY, _LINE, batch.history))
    return [*found, *account_writes(batch.charges, batch.now)]


def _added(jobs: Sequence[JobRecord]) -> list[Statement]:
    rows: list[Row] = []
    orders: list[Row] = []
    blobs: dict[str, bytes] = {}
    uses: list[Row] = []
    for job in jobs:
        rows.append((job.id, *job_values(job), float(job.created_at), job.digest))
        order, media = order_values(job)
        orders.append(order)
        blobs.update(media)
        uses += [(job.id, sha256) for sha256 in media]
    found = [of_rows(_ADD_JOBS, _NEW_JOB, rows), of_rows(_ADD_ORDERS, _ORDER, orders)]
    if blobs:
        found += [of_columns(_ADD_BLOBS, sorted(blobs.items())), of_columns(_USE_BLOBS, uses)]
    return found


def _attempts(batch: Batch) -> list[Statement]:
    freed: list[Row] = []
    changed: list[Row] = []
    added: list[Row] = []
    for job_id, before in batch.before.items():
        known = {} if before is None else {a.id: a for a in before.attempts}
        for attempt in batch.after[job_id].attempts:
            old = known.get(attempt.id)
            if old is attempt:
                continue
            row = (job_id, *attempt_values(attempt))
            if old is None:
                added.append(row)
            elif old.task is not None and _task(old) != _task(attempt):
                # A task is bound once: what loses one goes before what wins it.
                freed.append(row)
            else:
                changed.append(row)
    found = [_changed(_CHANGE_ATTEMPT, _CHANGE_ATTEMPTS, _TYPES, rows) for rows in (freed, changed) if rows]
    return [*found, of_rows(_ADD_ATTEMPTS, _TYPES, added)] if added else found


def _sent(batch: Batch) -> list[Statement]:
    kept = sorted((attempt_id, data) for attempt_id, data in batch.sent.items() if data is not None)
    gone = sorted(attempt_id for attempt_id, data in batch.sent.items() if data is None)
    found = [of_columns(_KEEP_SENT, kept)] if kept else []
    return [*found, Statement(_FORGET_SENT, (gone,))] if gone else found


def _changed(one: bytes, several: bytes, columns: Mapping[str, str], rows: Sequence[Row]) -> Statement:
    return Statement(one, tuple(rows[0])) if len(rows) == 1 else of_rows(several, columns, rows)


def _task(attempt: Attempt) -> str | None:
    return None if attempt.task is None else attempt.task.id
