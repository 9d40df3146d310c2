"""Opening a SQLite ledger: the checks, the settings that make a commit durable, and what a copy must undo."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from pika_async._ledger.events import Restored
from pika_async._ledger.faults import unusable
from pika_async._ledger.sqlite import news
from pika_async._ledger.sqlite.batch import Batch
from pika_async._ledger.sqlite.epoch import Epoch
from pika_async._ledger.sqlite.known import Known
from pika_async._ledger.sqlite.place import prepare
from pika_async._ledger.sqlite.schema import check, migrate
from pika_async._ledger.standing import UNSENT

log = logging.getLogger("pika_async")

_SETTINGS = (
    "PRAGMA synchronous = FULL",
    # macOS: an ordinary fsync leaves the data in the drive's cache.
    "PRAGMA fullfsync = 1",
    "PRAGMA checkpoint_fullfsync = 1",
    "PRAGMA cache_size = -8000",
)
_DOUBTED_AT_ONCE = 500


def open_file(path: Path, patience: float, wall: Callable[[], float], epoch: Epoch) -> sqlite3.Connection:
    """Open the ledger at *path*, made when missing; raises `LedgerError` or SQLite's own errors."""
    prepare(path)
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=patience, isolation_level=None, cached_statements=512
    )
    try:
        # One look at one moment: another process may be making the tables right now.
        connection.execute("BEGIN")
        check(connection, path)
        connection.execute("ROLLBACK")
        _write_ahead(connection, path, patience)
        for setting in _SETTINGS:
            connection.execute(setting)
        _settle_in(connection, path, wall, epoch)
    except BaseException:
        epoch.close()
        connection.close()
        raise
    return connection


def _write_ahead(connection: sqlite3.Connection, path: Path, patience: float) -> None:
    # SQLite does not wait for locks while it changes this; another process may be doing the same.
    give_up = time.monotonic() + patience
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
            break
        except sqlite3.OperationalError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.01)
    if mode != "wal":
        raise unusable(path, "its file system cannot share memory between processes. Use a local disk")


def _settle_in(connection: sqlite3.Connection, path: Path, wall: Callable[[], float], epoch: Epoch) -> None:
    connection.execute("BEGIN IMMEDIATE")
    migrate(connection, path)
    if epoch.is_another_file(connection):
        epoch.outrun(connection)
        doubtful = _doubt(connection, wall)
        log.warning(
            "ledger %s: this is a copy, or was moved or restored; %d attempts that it calls unsent may have "
            "been sent since, and wait for your word",
            path.name,
            doubtful,
        )
    epoch.settle(connection)
    connection.execute("COMMIT")
    epoch.watch()


def _doubt(connection: sqlite3.Connection, wall: Callable[[], float]) -> int:
    doubtful, last = 0, 0
    query = (
        "SELECT DISTINCT job, jobs.id FROM job_attempts JOIN jobs ON seq = job "
        "WHERE job_attempts.state IN (?, ?) AND job > ? ORDER BY job LIMIT ?"
    )
    while found := connection.execute(query, (*sorted(UNSENT), last, _DOUBTED_AT_ONCE)).fetchall():
        last = found[-1][0]
        batch = Batch(connection, Known(), wall, careful=True)
        for job in batch.readable([job_id for _, job_id in found]):
            for attempt in job.attempts:
                if attempt.state in UNSENT:
                    batch.apply(job.id, Restored(attempt=attempt.id))
                    doubtful += 1
        batch.flush()
        if batch.changed:
            news.add(connection, news.newest(connection), "", batch.changed)
    return doubtful
