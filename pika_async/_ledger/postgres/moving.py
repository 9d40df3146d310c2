"""A ledger goes from a file into a database, once and for all: whoever opens the file is told so."""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import psycopg
from attrs import frozen

from pika_async._ledger.faults import unusable as unusable_file
from pika_async._ledger.postgres.connecting import Address, connect, one
from pika_async._ledger.postgres.faults import from_postgres, unusable
from pika_async._ledger.postgres.ledger import PostgresLedger
from pika_async._ledger.postgres.rows import cleaned
from pika_async._ledger.postgres.schema import LOCK, Connection, put_meta, read_meta
from pika_async._ledger.sqlite import SqliteLedger
from pika_async._ledger.sqlite.schema import MOVED
from pika_async._secret import Secret


@frozen
class _Table:
    """Columns of a table in the database, and the query that reads them from the file."""

    name: str
    columns: str
    query: str


_BOOLS: Final = frozenset(
    {"cancel_requested", "pruned", "slot", "superseded", "abandoned", "done", "orphan", "enqueued"}
)


def _made(column: str, value: Any) -> Any:
    match value:
        case int() if column in _BOOLS:
            return bool(value)
        case str() if column == "task_id":
            return value.encode()
        case str() if column in {"note", "paused_why"}:
            return cleaned(value)
        case _:
            return value


_JOB: Final = (
    "id, seq, {revision}version, state, created_at, cancel_requested, winner, key, digest, extras, pruned"
)
_ATTEMPT: Final = (
    "account, state, version, slot, superseded, abandoned, owner, not_before, claimed_at, lease_until, "
    "resolve_after, slot_until, negatives, task_id, task, bound_by, outcome, price, replay, address"
)
_IN_FILE: Final = ", ".join("a.claimed_by" if c == "owner" else f"a.{c}" for c in _ATTEMPT.split(", "))
_ACCOUNT: Final = (
    "account, slots, submits, next_submit_at, spacing, recent, recent_at, paused_until, paused_why"
)
_INBOX: Final = "attempt_id, body_sha256, received_at, headers, body, done, orphan"
_TABLES: Final = (
    _Table("jobs", _JOB.format(revision="revision, "), f"SELECT {_JOB.format(revision='0, ')} FROM jobs"),
    _Table(
        "orders",
        "job_id, request, files, fallbacks, callback_url, enqueued",
        "SELECT id, request, files, fallbacks, callback_url, 0 FROM jobs",
    ),
    _Table(
        "attempts",
        f"job_id, number, seq, id, {_ATTEMPT}",
        f"SELECT jobs.id, number, job, a.id, {_IN_FILE} FROM job_attempts a JOIN jobs ON seq = job",
    ),
    _Table(
        "history",
        "job_id, number, version, at, before, after, note",
        "SELECT id, number, h.version, at, before, after, note FROM history h JOIN jobs ON seq = job",
    ),
    _Table("blobs", "sha256, data", "SELECT sha256, data FROM blobs"),
    _Table("blob_uses", "job_id, sha256", "SELECT id, sha256 FROM blob_uses JOIN jobs ON seq = job"),
    _Table("sent", "attempt_id, data", "SELECT attempt_id, data FROM sent"),
    _Table("accounts", _ACCOUNT, f"SELECT {_ACCOUNT} FROM accounts"),
    _Table("spending", "unit, micros", "SELECT unit, micros FROM spending"),
    _Table("learned", "account, state", "SELECT account, state FROM learned"),
    _Table("inbox", _INBOX, f"SELECT {_INBOX} FROM inbox ORDER BY id"),
)


async def move(file: Path, dsn: str | Secret) -> int:
    """Move all of *file* into an empty database, and return how many jobs; raises `LedgerError`.

    It is one transaction there. One that broke off at its end is only finished when called again.
    """
    source_ledger, target_ledger = SqliteLedger(file), PostgresLedger(dsn)
    for ledger in (source_ledger, target_ledger):
        # Checks both, and brings both to their newest versions.
        await ledger.open()
        await ledger.aclose()
    file = source_ledger.path
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, isolation_level=None)) as source:
        _alone(source, file)
        async with await connect(Address.of(dsn)) as target:
            try:
                count = await _moved(source, target)
            except psycopg.Error as error:
                raise from_postgres(error) from error
        source.execute("COMMIT")
    return count


def _alone(source: sqlite3.Connection, file: Path) -> None:
    """Make sure that nobody else has the file open, now and until the end."""
    try:
        # Fails while any other connection is open.
        (mode,) = source.execute("PRAGMA journal_mode = DELETE").fetchone()
        source.execute("BEGIN EXCLUSIVE")
    except sqlite3.OperationalError:
        mode = ""
    if mode != "delete":
        raise unusable_file(file, "another process has it open. End that process, then move it")
    source.execute(f"PRAGMA user_version = {MOVED}")


async def _moved(source: sqlite3.Connection, target: Connection) -> int:
    meta = dict(source.execute("SELECT name, value FROM meta").fetchall())
    async with target.transaction():
        await target.execute(b"SELECT pg_advisory_xact_lock($1)", (LOCK,))
        there = await read_meta(target) or {}
        (count,) = await one(target, "SELECT count(*) FROM pika.jobs")
        if there.get("id") == meta["id"].encode():
            return int(count)
        if count:
            raise unusable("it holds jobs already. Move the file into a database without a ledger")
        await target.execute(b"DELETE FROM pika.accounts")
        await target.execute(b"DELETE FROM pika.spending")
        for table in _TABLES:
            rows = source.execute(table.query)
            await _copied(target, table, rows)
        await target.execute(
            b"SELECT setval(pg_get_serial_sequence('pika.jobs', 'seq'), "
            b"coalesce((SELECT max(seq) FROM pika.jobs), 0) + 1, false)"
        )
        await put_meta(target, id=meta["id"].encode(), secret=meta["secret"])
        (count,) = await one(target, "SELECT count(*) FROM pika.jobs")
    return int(count)


async def _copied(target: Connection, table: _Table, rows: Iterable[tuple[Any, ...]]) -> None:
    columns = table.columns.split(", ")
    cursor = target.cursor()
    async with cursor.copy(f"COPY pika.{table.name} ({table.columns}) FROM STDIN".encode()) as copy:
        for row in rows:
            await copy.write_row([_made(column, value) for column, value in zip(columns, row, strict=True)])
