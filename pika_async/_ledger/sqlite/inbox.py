"""The callbacks that a ledger has received and nobody has dealt with yet."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from typing import Any

from pika_async._ledger.records import CALLBACKS_PER_ATTEMPT, Received

ORPHANS_KEPT = 256
"""Callbacks about attempts that are not in the ledger: the newest of them."""


def put(
    connection: sqlite3.Connection, attempt_id: str, body: bytes, headers: Mapping[str, str], now: float
) -> bool:
    """Keep a callback; False for a repeat, or when the attempt has had too many."""
    known = connection.execute("SELECT 1 FROM job_attempts WHERE id = ?", (attempt_id,)).fetchone()
    cursor = connection.execute(
        "INSERT INTO inbox (attempt_id, body_sha256, received_at, headers, body, done, orphan) "
        "SELECT ?1, ?2, ?3, ?4, ?5, 0, ?7 "
        "WHERE (SELECT count(*) FROM inbox WHERE attempt_id = ?1) < ?6 "
        "AND NOT EXISTS (SELECT 1 FROM inbox WHERE attempt_id = ?1 AND body_sha256 = ?2)",
        (
            attempt_id,
            hashlib.sha256(body).digest(),
            now,
            json.dumps(dict(headers)),
            body,
            CALLBACKS_PER_ATTEMPT,
            int(known is None),
        ),
    )
    if known is None:
        connection.execute(
            "DELETE FROM inbox WHERE orphan = 1 AND id <= "
            "(SELECT id FROM inbox WHERE orphan = 1 ORDER BY id DESC LIMIT 1 OFFSET ?)",
            (ORPHANS_KEPT,),
        )
    return cursor.rowcount == 1


def pending(connection: sqlite3.Connection, limit: int, after: int) -> list[Received]:
    """Read the callbacks nobody has dealt with, oldest first."""
    rows = connection.execute(
        "SELECT id, attempt_id, received_at, headers, body FROM inbox "
        "WHERE done = 0 AND id > ? ORDER BY id LIMIT ?",
        (after, limit),
    )
    return [
        Received(id=id_, attempt_id=attempt, received_at=at, headers=_headers(headers), body=body)
        for id_, attempt, at, headers, body in rows
    ]


def done(connection: sqlite3.Connection, received_id: int) -> None:
    """Mark a callback as dealt with and drop its body; its hash stays, to know a repeat."""
    connection.execute("UPDATE inbox SET done = 1, body = NULL WHERE id = ?", (received_id,))


def _headers(text: str) -> dict[str, Any]:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        # One damaged row must not hide the callbacks behind it.
        return {}
