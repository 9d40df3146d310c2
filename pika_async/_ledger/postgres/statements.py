"""What a batch decided, as the statements of one transaction. Pure.

The order is that of the locks: jobs by id, attempts that give a task up, attempts, history, media, accounts
by name. A statement that hits too few rows divides by zero, which undoes the whole transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from attrs import frozen

from pika_async._ledger.postgres.batch import Batch, Charge
from pika_async._ledger.postgres.known import Account, Held
from pika_async._ledger.postgres.rows import (
    ATTEMPT_COLUMNS,
    Row,
    attempt_values,
    cleaned,
    job_values,
    order_values,
)
from pika_async._ledger.records import Attempt, JobRecord, Usage


@frozen
class Statement:
    """SQL with its values; *account* is whose figures it answers with."""

    sql: bytes
    values: tuple[Any, ...]
    account: str | None = None


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
    "task_id": "bytea",
    "task": "text",
    "bound_by": "text",
    "outcome": "text",
}
_ATTEMPT: Final = ATTEMPT_COLUMNS.split(", ")
_FIXED: Final = {"number", "id", "account"}


def _unnest(types: Iterable[str]) -> str:
    return ", ".join(f"${place}::{kind}[]" for place, kind in enumerate(types, start=1))


_CHANGE_JOBS: Final = (
    b"WITH n AS MATERIALIZED (SELECT * FROM unnest("
    + _unnest(["text", "bigint", "int", "text", "bool", "text", "text", "text"]).encode()
    + b") AS n (id, old, version, state, cancel_requested, winner, key, extras)), "
    b"l AS MATERIALIZED (SELECT j.id FROM pika.jobs j WHERE j.id = ANY($1) ORDER BY j.id FOR NO KEY UPDATE), "
    b"w AS (UPDATE pika.jobs j SET revision = j.revision + 1, version = n.version, state = n.state, "
    b"cancel_requested = n.cancel_requested, winner = n.winner, key = n.key, extras = n.extras FROM n, l "
    b"WHERE j.id = n.id AND l.id = n.id AND j.revision = n.old RETURNING 1) "
    b"SELECT 1 / (count(*) = cardinality($1))::int FROM w"
)
_ADD_JOBS: Final = (
    b"INSERT INTO pika.jobs "
    b"(id, revision, version, state, created_at, cancel_requested, winner, key, digest, extras) "
    b"SELECT id, 0, version, state, created_at, cancel_requested, winner, key, digest, extras FROM unnest("
    + _unnest(["text", "int", "text", "float8", "bool", "text", "text", "text", "text"]).encode()
    + b") WITH ORDINALITY AS n "
    b"(id, version, state, created_at, cancel_requested, winner, key, digest, extras, place) ORDER BY place"
)
_ADD_ORDERS: Final = (
    b"INSERT INTO pika.orders (job_id, request, files, fallbacks, callback_url) SELECT * FROM unnest("
    + _unnest(["text"] * 5).encode()
    + b")"
)
_ROWS: Final = f"unnest({_unnest(_TYPES.values())}) AS n ({', '.join(_TYPES)})"
_CHANGE_ATTEMPTS: Final = (
    f"WITH w AS (UPDATE pika.attempts a SET {', '.join(f'{c} = n.{c}' for c in _ATTEMPT if c not in _FIXED)} "  # noqa: S608
    f"FROM {_ROWS} WHERE a.job_id = n.job_id AND a.number = n.number RETURNING 1) "
    "SELECT 1 / (count(*) = cardinality($1))::int FROM w"
).encode()
_ADD_ATTEMPTS: Final = (
    f"INSERT INTO pika.attempts (job_id, seq, {ATTEMPT_COLUMNS}) "  # noqa: S608
    f"SELECT n.job_id, j.seq, {', '.join(f'n.{c}' for c in _ATTEMPT)} "
    f"FROM {_ROWS} JOIN pika.jobs j ON j.id = n.job_id"
).encode()
_ADD_HISTORY: Final = (
    b"INSERT INTO pika.history (job_id, number, version, at, before, after, note) SELECT * FROM unnest("
    + _unnest(["text", "int", "int", "float8", "text", "text", "text"]).encode()
    + b") ON CONFLICT DO NOTHING"
)
_ADD_BLOBS: Final = (
    b"INSERT INTO pika.blobs (sha256, data) SELECT * FROM unnest($1::text[], $2::bytea[]) "
    b"AS n (sha256, data) ORDER BY sha256 ON CONFLICT DO NOTHING"
)
_USE_BLOBS: Final = (
    b"INSERT INTO pika.blob_uses (job_id, sha256) SELECT * FROM unnest($1::text[], $2::text[]) "
    b"ON CONFLICT DO NOTHING"
)
_COUNT_SUBMITS: Final = (
    b"WITH l AS MATERIALIZED (SELECT submits FROM pika.accounts ORDER BY account FOR NO KEY UPDATE) "
    b"SELECT 1 / (sum(submits) <= $1)::int FROM l"
)
_FIGURES: Final = (
    b" RETURNING account, slots, submits, paced, next_submit_at, spacing, recent, recent_at, paused_until, "
    b"paused_why) SELECT w.*, 1 / c.n FROM (SELECT count(*) AS n FROM w) c LEFT JOIN w ON true"
)
# A claim rests on the pace that was read: whoever sets it counts `paced` up, and while there is a spacing
# every claim moves the time of the next one.
_ADD_TO_ACCOUNT: Final = (
    b"WITH w AS (UPDATE pika.accounts SET slots = slots + $2, submits = submits + $3, "
    b"next_submit_at = CASE WHEN $4 > 0 AND spacing <> 0 THEN greatest(next_submit_at, $5 + spacing) "
    b"ELSE next_submit_at END, "
    b"recent = CASE WHEN $4 > 0 THEN greatest(0, recent * (1 - least(1, greatest(0, $5 - recent_at)))) + $4 "
    b"ELSE recent END, recent_at = CASE WHEN $4 > 0 THEN $5 ELSE recent_at END "
    b"WHERE account = $1 AND ($6::int IS NULL OR slots <= $6) "
    b"AND ($4 = 0 OR (paced = $7 AND (spacing = 0 OR next_submit_at = $8)))" + _FIGURES
)
_SET_PACE: Final = (
    b"WITH w AS (UPDATE pika.accounts SET slots = slots + $2, submits = submits + $3, paced = paced + 1, "
    b"next_submit_at = $4, spacing = $5, recent = $6, recent_at = $7, paused_until = $8, paused_why = $9 "
    b"WHERE account = $1 AND paced = $10 AND ($11::int IS NULL OR slots <= $11) "
    b"AND (spacing = 0 OR next_submit_at = $12)" + _FIGURES
)


def statements(batch: Batch) -> list[Statement]:
    """Return what is to be written, in the order of the locks."""
    changed = [(job_id, batch.after[job_id]) for job_id, was in batch.before.items() if was is not None]
    new = [batch.after[job_id] for job_id, was in batch.before.items() if was is None]
    found: list[Statement] = []
    if changed:
        changed.sort(key=lambda one: one[0])
        rows = [
            (job_id, _revision(batch.known.jobs[job_id]), *job_values(after)) for job_id, after in changed
        ]
        found.append(_all(_CHANGE_JOBS, rows))
    if new:
        found += _added(new)
    found += _attempts(batch)
    if batch.history:
        found.append(_all(_ADD_HISTORY, batch.history))
    slack = [c.submits_slack for c in batch.charges.values() if c.submits_slack is not None]
    if slack:
        total = batch.known.usage("").submits
        found.append(Statement(_COUNT_SUBMITS, (total + min(slack),)))
    found += [
        _charged(account, charge, batch.known.accounts[account], batch.now)
        for account, charge in sorted(batch.charges.items())
    ]
    return found


def _added(jobs: Sequence[JobRecord]) -> list[Statement]:
    rows: list[Row] = []
    orders: list[Row] = []
    blobs: dict[str, bytes] = {}
    uses: list[Row] = []
    for job in jobs:
        version, state, cancel_requested, winner, key, extras = job_values(job)
        rows.append(
            (job.id, version, state, float(job.created_at), cancel_requested, winner, key, job.digest, extras)
        )
        order, media = order_values(job)
        orders.append(order)
        blobs.update(media)
        uses += [(job.id, sha256) for sha256 in media]
    found = [_all(_ADD_JOBS, rows), _all(_ADD_ORDERS, orders)]
    if blobs:
        found += [_all(_ADD_BLOBS, sorted(blobs.items())), _all(_USE_BLOBS, uses)]
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
    by_kind = ((_CHANGE_ATTEMPTS, freed), (_CHANGE_ATTEMPTS, changed), (_ADD_ATTEMPTS, added))
    return [_all(sql, rows) for sql, rows in by_kind if rows]


def _charged(account: str, charge: Charge, known: Account, now: float) -> Statement:
    limit = None if charge.slack is None else known.usage.slots + charge.slack
    if charge.pace is None:
        values: tuple[Any, ...] = (
            account,
            charge.slots,
            charge.submits,
            charge.claims,
            now,
            limit,
            known.paced,
            known.usage.next_submit_at,
        )
        return Statement(_ADD_TO_ACCOUNT, values, account)
    pace: Usage = charge.pace
    why = None if pace.paused_why is None else cleaned(pace.paused_why)
    values = (
        account,
        charge.slots,
        charge.submits,
        pace.next_submit_at,
        pace.spacing,
        pace.recent,
        pace.recent_at,
        pace.paused_until,
        why,
        known.paced,
        limit,
        known.usage.next_submit_at,
    )
    return Statement(_SET_PACE, values, account)


def _all(sql: bytes, rows: Sequence[Row]) -> Statement:
    return Statement(sql, tuple(map(list, zip(*rows, strict=True))))


def _revision(held: Held) -> int:
    return held.revision


def _task(attempt: Attempt) -> str | None:
    return None if attempt.task is None else attempt.task.id
