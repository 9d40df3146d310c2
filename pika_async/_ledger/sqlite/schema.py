"""The tables of a SQLite ledger, and how an older file becomes a newer one.

Rows are clustered by *seq*, the order of arrival, so that a running job touches the last pages only, however
many finished ones lie before it; indexes on states hold open rows alone.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

from pika_async._ledger.faults import INCOMPLETE, unusable
from pika_async._ledger.sqlite.columns import missing, present
from pika_async._ledger.standing import OPEN

APPLICATION_ID = 0x50494B41
MOVED = 1_000_000
"""The version of a file whose jobs are in a database now."""
OPEN_STATES = ", ".join(f"'{state}'" for state in sorted(OPEN))


def _version_1(connection: sqlite3.Connection) -> None:
    for statement in (
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID",
        """CREATE TABLE jobs (
            seq INTEGER PRIMARY KEY,
            id TEXT NOT NULL UNIQUE,
            version INTEGER NOT NULL,
            state TEXT NOT NULL,
            created_at REAL NOT NULL,
            cancel_requested INTEGER NOT NULL,
            winner TEXT,
            key TEXT,
            digest TEXT,
            request TEXT,
            files TEXT,
            extras TEXT
        )""",
        "CREATE UNIQUE INDEX jobs_key ON jobs (key) WHERE key IS NOT NULL",
        """CREATE TABLE attempts (
            job INTEGER NOT NULL,
            number INTEGER NOT NULL,
            id TEXT NOT NULL UNIQUE,
            account TEXT NOT NULL,
            state TEXT NOT NULL,
            version INTEGER NOT NULL,
            slot INTEGER NOT NULL,
            superseded INTEGER NOT NULL,
            abandoned INTEGER NOT NULL,
            owner TEXT,
            not_before REAL NOT NULL,
            claimed_at REAL,
            lease_until REAL NOT NULL,
            resolve_after REAL NOT NULL,
            slot_until REAL NOT NULL,
            negatives INTEGER NOT NULL,
            task_id BLOB,
            task TEXT,
            bound_by TEXT,
            outcome TEXT,
            PRIMARY KEY (job, number)
        ) WITHOUT ROWID""",
        "CREATE UNIQUE INDEX attempts_task ON attempts (account, task_id) WHERE task_id IS NOT NULL",
        f"CREATE INDEX attempts_open ON attempts (state) WHERE state IN ({OPEN_STATES})",
        """CREATE TABLE accounts (
            account TEXT PRIMARY KEY,
            slots INTEGER NOT NULL CHECK (slots >= 0),
            submits INTEGER NOT NULL CHECK (submits >= 0)
        ) WITHOUT ROWID""",
        """CREATE TABLE history (
            job INTEGER NOT NULL,
            number INTEGER NOT NULL,
            version INTEGER NOT NULL,
            at REAL NOT NULL,
            before TEXT,
            after TEXT NOT NULL,
            note TEXT NOT NULL,
            PRIMARY KEY (job, number, version)
        ) WITHOUT ROWID""",
        "CREATE TABLE blobs (sha256 TEXT PRIMARY KEY, data BLOB NOT NULL)",
        """CREATE TABLE blob_uses (
            job INTEGER NOT NULL,
            sha256 TEXT NOT NULL,
            PRIMARY KEY (job, sha256)
        ) WITHOUT ROWID""",
        "CREATE INDEX blob_uses_sha256 ON blob_uses (sha256)",
        """CREATE TABLE inbox (
            id INTEGER PRIMARY KEY,
            attempt_id TEXT NOT NULL,
            body_sha256 BLOB NOT NULL,
            received_at REAL NOT NULL,
            headers TEXT NOT NULL,
            body BLOB,
            done INTEGER NOT NULL,
            UNIQUE (attempt_id, body_sha256)
        )""",
        "CREATE INDEX inbox_pending ON inbox (id) WHERE done = 0",
        f"PRAGMA application_id = {APPLICATION_ID}",
    ):
        connection.execute(statement)
    connection.executemany(
        "INSERT INTO meta (name, value) VALUES (?, ?)",
        [("id", os.urandom(8).hex()), ("secret", os.urandom(32)), ("epoch", 0)],
    )


def _version_2(connection: sqlite3.Connection) -> None:
    for statement in (
        # Under its old name, a process of the first release that has the file open would go on buying.
        "ALTER TABLE attempts RENAME TO job_attempts",
        "DROP INDEX attempts_open",
        f"CREATE INDEX attempts_open ON job_attempts (state, job, account) WHERE state IN ({OPEN_STATES})",
        "ALTER TABLE jobs ADD COLUMN fallbacks TEXT",
        "ALTER TABLE jobs ADD COLUMN callback_url TEXT",
        "ALTER TABLE jobs ADD COLUMN pruned INTEGER NOT NULL DEFAULT 0",
        *(
            f"ALTER TABLE accounts ADD COLUMN {column} REAL NOT NULL DEFAULT 0"
            for column in ("next_submit_at", "spacing", "recent", "recent_at", "paused_until")
        ),
        "ALTER TABLE accounts ADD COLUMN paused_why TEXT",
        "CREATE TABLE leases (name TEXT PRIMARY KEY, owner TEXT NOT NULL, until REAL NOT NULL) WITHOUT ROWID",
        "CREATE TABLE learned (account TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID",
        "CREATE TABLE news (number INTEGER PRIMARY KEY, owner TEXT NOT NULL, jobs TEXT NOT NULL)",
        # The epoch, which was counted apart, goes on as the number of the newest change.
        "INSERT INTO news (number, owner, jobs) SELECT value, '', '[]' FROM meta WHERE name = 'epoch'",
        "DELETE FROM meta WHERE name = 'epoch'",
        "ALTER TABLE inbox ADD COLUMN orphan INTEGER NOT NULL DEFAULT 0",
        "UPDATE inbox SET orphan = 1 WHERE attempt_id NOT IN (SELECT id FROM job_attempts)",
        "CREATE INDEX inbox_orphans ON inbox (id) WHERE orphan = 1",
    ):
        connection.execute(statement)


def _version_3(connection: sqlite3.Connection) -> None:
    for statement in (
        # Under its old name, a process that makes no mark at the fence would go on buying.
        "ALTER TABLE job_attempts RENAME COLUMN owner TO claimed_by",
        "DROP INDEX attempts_open",
        f"CREATE INDEX attempts_open ON job_attempts (state, job, account) WHERE state IN ({OPEN_STATES})",
        # Nobody knows whether those had passed the fence.
        "UPDATE job_attempts SET state = 'sending' WHERE state = 'submitting'",
    ):
        connection.execute(statement)


def _version_4(connection: sqlite3.Connection) -> None:
    for statement in (
        "ALTER TABLE job_attempts ADD COLUMN price TEXT",
        "CREATE TABLE spending (unit TEXT PRIMARY KEY, micros INTEGER NOT NULL) WITHOUT ROWID",
        "ALTER TABLE accounts ADD COLUMN members INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE accounts ADD COLUMN max_slots INTEGER",
        "ALTER TABLE accounts ADD COLUMN waiting TEXT NOT NULL DEFAULT ''",
        """CREATE TABLE members (
            account TEXT NOT NULL,
            owner TEXT NOT NULL,
            max_slots INTEGER NOT NULL,
            until REAL NOT NULL,
            label TEXT NOT NULL,
            version TEXT NOT NULL,
            places INTEGER NOT NULL,
            refused_until REAL NOT NULL,
            refused_why TEXT,
            waits_until REAL NOT NULL,
            lag REAL NOT NULL,
            PRIMARY KEY (account, owner)
        ) WITHOUT ROWID""",
        "ALTER TABLE job_attempts ADD COLUMN replay TEXT",
        "ALTER TABLE job_attempts ADD COLUMN address TEXT",
        "CREATE TABLE sent (attempt_id TEXT PRIMARY KEY, data BLOB NOT NULL)",
    ):
        connection.execute(statement)


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _version_1,
    _version_2,
    _version_3,
    _version_4,
)
"""Step *n* makes version *n* + 1 of version *n*, inside the transaction that opens the file."""


def check(connection: sqlite3.Connection, path: Path) -> int:
    """Return the file's version, touching nothing.

    Raises `LedgerError` for a file that is newer than this library, incomplete, or no ledger.
    """
    version = read_int(connection, "PRAGMA user_version")
    foreign = read_int(connection, "PRAGMA application_id") != APPLICATION_ID
    if foreign and (version or read_int(connection, "SELECT count(*) FROM sqlite_master")):
        raise unusable(path, "the database belongs to another program. Choose another file")
    if version == MOVED:
        raise unusable(path, "its jobs were moved into a database. Name that database instead")
    if version > len(MIGRATIONS):
        raise unusable(path, "a newer pika_async made it. Upgrade pika_async, or choose another file")
    if version == len(MIGRATIONS) and (lacking := missing(present(connection))):
        raise unusable(path, f"{INCOMPLETE}. Missing: {', '.join(lacking)}")
    return version


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the newest version; another process may have done so since `check`."""
    version = check(connection, path)
    for number, step in enumerate(MIGRATIONS[version:], start=version + 1):
        step(connection)
        connection.execute(f"PRAGMA user_version = {number}")


def read_int(connection: sqlite3.Connection, statement: str, *values: object) -> int:
    """Run a statement that answers with one whole number."""
    return int(connection.execute(statement, values).fetchone()[0])
