"""The callbacks that a ledger has received and nobody has dealt with yet."""

from __future__ import annotations

import hashlib
import sqlite3

from pika_async._ledger.records import CALLBACKS_PER_ATTEMPT, Received


def put(connection: sqlite3.Connection, attempt_id: str, body: bytes, content_type: str, now: float) -> bool:
    """Keep a callback; False for a repeat, or when the attempt has had too many."""
    cursor = connection.execute(
        "INSERT INTO inbox (attempt_id, body_sha256, received_at, content_type, body, done) "
        "SELECT ?1, ?2, ?3, ?4, ?5, 0 "
        "WHERE (SELECT count(*) FROM inbox WHERE attempt_id = ?1) < ?6 "
        "AND NOT EXISTS (SELECT 1 FROM inbox WHERE attempt_id = ?1 AND body_sha256 = ?2)",
        (attempt_id, hashlib.sha256(body).digest(), now, content_type, body, CALLBACKS_PER_ATTEMPT),
    )
    return cursor.rowcount == 1


def pending(connection: sqlite3.Connection, limit: int) -> list[Received]:
    """Read the callbacks nobody has dealt with, oldest first."""
    rows = connection.execute(
        "SELECT id, attempt_id, received_at, content_type, body FROM inbox "
        "WHERE done = 0 ORDER BY id LIMIT ?",
        (limit,),
    )
    return [
        Received(id=id_, attempt_id=attempt, received_at=at, content_type=kind, body=body)
        for id_, attempt, at, kind, body in rows
    ]


def done(connection: sqlite3.Connection, received_id: int) -> None:
    """Mark a callback as dealt with and drop its body; its hash stays, to know a repeat."""
    connection.execute("UPDATE inbox SET done = 1, body = NULL WHERE id = ?", (received_id,))
