"""The callbacks that a ledger has received and nobody has dealt with yet, as statements."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Final

from pika_async._ledger.postgres.rows import Row
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.records import CALLBACKS_PER_ATTEMPT, Received

ORPHANS_KEPT: Final = 256
"""Callbacks about attempts that are not in the ledger: the newest of them."""
PENDING: Final = (
    b"SELECT id, attempt_id, received_at, headers, body FROM pika.inbox WHERE NOT done AND id > $1 "
    b"ORDER BY id LIMIT $2"
)
_PUT: Final = (
    b"INSERT INTO pika.inbox (attempt_id, body_sha256, received_at, headers, body, orphan) "
    b"SELECT $1::text, $2, $3, $4, $5, NOT EXISTS (SELECT 1 FROM pika.attempts WHERE id = $1) "
    b"WHERE (SELECT count(*) FROM pika.inbox WHERE attempt_id = $1) < $6 ON CONFLICT DO NOTHING RETURNING id"
)
_TRIM: Final = (
    b"DELETE FROM pika.inbox WHERE orphan AND id <= "
    b"(SELECT id FROM pika.inbox WHERE orphan ORDER BY id DESC LIMIT 1 OFFSET $1)"
)


def put(attempt_id: str, body: bytes, headers: Mapping[str, str], now: float) -> list[Statement]:
    """Keep a callback; the first statement answers with a row unless it is a repeat or one too many."""
    digest = hashlib.sha256(body).digest()
    values = (attempt_id, digest, now, json.dumps(dict(headers)), body, CALLBACKS_PER_ATTEMPT)
    return [Statement(_PUT, values), Statement(_TRIM, (ORPHANS_KEPT,))]


def done(received_id: int) -> list[Statement]:
    """Mark a callback as dealt with and drop its body; its hash stays, to know a repeat."""
    return [Statement(b"UPDATE pika.inbox SET done = true, body = NULL WHERE id = $1", (received_id,))]


def received(rows: Sequence[Row]) -> list[Received]:
    """Return the callbacks that the rows of `PENDING` stand for."""
    return [
        Received(
            id=id_, attempt_id=attempt, received_at=at, headers=_headers(headers), body=bytes(body or b"")
        )
        for id_, attempt, at, headers, body in rows
    ]


def _headers(text: str) -> dict[str, str]:
    try:
        return dict(json.loads(text))
    except (ValueError, TypeError):
        # One damaged row must not hide the callbacks behind it.
        return {}
