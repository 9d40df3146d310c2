"""What every table of the newest version holds, and what a file lacks that says it is of that version."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

COLUMNS: Final[Mapping[str, frozenset[str]]] = {
    table: frozenset(columns.split())
    for table, columns in {
        "meta": "name value",
        "jobs": "seq id version state created_at cancel_requested winner key digest request files extras "
        "fallbacks callback_url pruned",
        "job_attempts": "job number id account state version slot superseded abandoned claimed_by not_before "
        "claimed_at lease_until resolve_after slot_until negatives task_id task bound_by outcome price "
        "replay address",
        "accounts": "account slots submits next_submit_at spacing recent recent_at paused_until paused_why "
        "members max_slots waiting",
        "members": "account owner max_slots until label version places refused_until refused_why waits_until "
        "lag",
        "history": "job number version at before after note",
        "blobs": "sha256 data",
        "blob_uses": "job sha256",
        "sent": "attempt_id data",
        "inbox": "id attempt_id body_sha256 received_at headers body done orphan",
        "leases": "name owner until",
        "learned": "account state",
        "news": "number owner jobs",
        "spending": "unit micros",
    }.items()
}
"""The outcome of all migrations, which are too slow to be tried each time a file is opened."""


def present(connection: sqlite3.Connection) -> Mapping[str, frozenset[str]]:
    """Read the tables of a file, and the columns of each; changes nothing."""
    found: dict[str, set[str]] = {}
    for table, column in connection.execute(
        "SELECT t.name, c.name FROM sqlite_master AS t JOIN pragma_table_info(t.name) AS c "
        "WHERE t.type = 'table'"
    ):
        found.setdefault(table, set()).add(column)
    return {table: frozenset(columns) for table, columns in found.items()}


def missing(there: Mapping[str, frozenset[str]]) -> Sequence[str]:
    """Return the tables and columns that are not *there*.

    >>> missing({**COLUMNS, "sent": frozenset({"data"}), "news": frozenset()})
    ['sent.attempt_id', 'news']
    """
    return [
        name
        for table, columns in COLUMNS.items()
        for name in (
            sorted(f"{table}.{column}" for column in columns - there[table]) if there.get(table) else [table]
        )
    ]
