"""Which jobs were changed, by which ledger object: rows for other processes, and the file's epoch.

A row stands for one transaction. Its number counts changes of jobs and only grows, so that a ledger that was
put back to an earlier state shows it; see `epoch`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection

from pika_async._ledger.codec import encode_plain
from pika_async._ledger.sqlite.schema import read_int

KEPT = 20_000
"""Changes that can be told of; whoever comes later reads again what matters."""
_TRIM_EVERY = 1_000


def newest(connection: sqlite3.Connection) -> int:
    """Return the number of the last change."""
    return read_int(connection, "SELECT coalesce(max(number), 0) FROM news")


def add(connection: sqlite3.Connection, before: int, owner: str, job_ids: Collection[str]) -> int:
    """Tell of changed jobs, after the row numbered *before*; returns the new number."""
    number = before + len(job_ids)
    connection.execute(
        "INSERT INTO news (number, owner, jobs) VALUES (?, ?, ?)",
        (number, owner, encode_plain(list(job_ids))),
    )
    if number // _TRIM_EVERY != before // _TRIM_EVERY:
        connection.execute("DELETE FROM news WHERE number < ?", (number - KEPT,))
    return number


def since(connection: sqlite3.Connection, number: int, owner: str) -> tuple[Collection[str] | None, int]:
    """Return the jobs that others than *owner* changed after *number*, and where to go on.

    None stands in their place when rows are missing in between.
    """
    rows = connection.execute(
        "SELECT number, owner, jobs FROM news WHERE number > ? ORDER BY number", (number,)
    ).fetchall()
    if not rows:
        return (), number
    told: dict[str, None] = {}
    last = rows[-1][0]
    for at, by, jobs in rows:
        try:
            ids = json.loads(jobs)
        except ValueError:
            return None, last
        if at - len(ids) > number:
            return None, last
        number = at
        if by != owner:
            told.update(dict.fromkeys(ids))
    return tuple(told), last
