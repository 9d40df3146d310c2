"""Forgetting what has long ended, a little in each transaction so that nobody waits for it."""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from attrs import evolve

from pika_async._ledger.codec import decode_outcome, encode_outcome, encode_plain, encode_request
from pika_async._ledger.forgetting import UPLOADS, forgotten, is_over
from pika_async._ledger.sqlite.batch import Batch
from pika_async._ledger.sqlite.schema import OPEN_STATES
from pika_async._ledger.standing import settled

_AT_ONCE = 500
_CALLBACKS_AT_ONCE = 5_000


def prune_jobs(batch: Batch, older_than: float, after: int) -> tuple[int, int | None]:
    """Forget some jobs behind *after* in the order of arrival.

    Of a job with a key, the key, the digest and the outcome stay. Returns how many went, and the place to go
    on from: None at the end.
    """
    batch.flush()
    connection = batch.connection
    seen = connection.execute("SELECT seq FROM jobs WHERE seq > ? ORDER BY seq LIMIT ?", (after, _AT_ONCE))
    seqs = [seq for (seq,) in seen]
    if not seqs:
        return 0, None
    rows = connection.execute(
        "SELECT seq, id, key IS NOT NULL AND (state != 'failed' OR EXISTS "
        "(SELECT 1 FROM job_attempts WHERE job = seq AND state != 'refused')) FROM jobs "
        "WHERE seq BETWEEN ? AND ? AND created_at < ? AND state != 'open' AND pruned = 0 "
        f"AND NOT EXISTS (SELECT 1 FROM job_attempts WHERE job = seq AND state IN ({OPEN_STATES}))",
        (seqs[0], seqs[-1], older_than),
    ).fetchall()
    every = [(seq,) for seq, _, _ in rows]
    uses = connection.execute(
        "SELECT DISTINCT sha256 FROM blob_uses WHERE job BETWEEN ? AND ?", (seqs[0], seqs[-1])
    ).fetchall()
    connection.executemany(
        "DELETE FROM inbox WHERE attempt_id IN (SELECT id FROM job_attempts WHERE job = ?)", every
    )
    for table in ("history", "blob_uses"):
        connection.executemany(f"DELETE FROM {table} WHERE job = ?", every)
    connection.executemany(
        "DELETE FROM blobs WHERE sha256 = ?1 AND NOT EXISTS (SELECT 1 FROM blob_uses WHERE sha256 = ?1)", uses
    )
    connection.executemany(
        "DELETE FROM learned WHERE account >= ? AND account < ?",
        [(f"copy:{job_id}:", f"copy:{job_id};") for _, job_id, _ in rows],
    )
    _leave_behind(connection, [seq for seq, _, keyed in rows if keyed])
    gone = [(seq,) for seq, _, keyed in rows if not keyed]
    for table, column in (("jobs", "seq"), ("job_attempts", "job")):
        connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", gone)
    batch.forget(job_id for _, job_id, _ in rows)
    return len(rows), seqs[-1]


def forget_job(batch: Batch, *, job_id: str, media_only: bool) -> bool:
    """Forget the prompt and media of one job that has ended; its rows stay."""
    batch.flush()
    job = batch.get(job_id)
    if job is None or not settled(job):
        return False
    connection = batch.connection
    left = forgotten(job, media_only=media_only)
    (seq,) = connection.execute("SELECT seq FROM jobs WHERE id = ?", (job_id,)).fetchone()
    request, _ = encode_request(left.request)
    files = None if left.files is None else encode_plain(left.files)
    extras = encode_plain([encode_outcome(extra) for extra in left.extras]) if left.extras else None
    connection.execute(
        "UPDATE jobs SET request = ?, files = ?, extras = ? WHERE seq = ?", (request, files, extras, seq)
    )
    for attempt in left.attempts:
        outcome = None if attempt.outcome is None else encode_outcome(attempt.outcome)
        connection.execute(
            "UPDATE job_attempts SET outcome = ? WHERE job = ? AND number = ?", (outcome, seq, attempt.number)
        )
    uses = connection.execute("SELECT sha256 FROM blob_uses WHERE job = ?", (seq,)).fetchall()
    connection.execute("DELETE FROM blob_uses WHERE job = ?", (seq,))
    connection.executemany(
        "DELETE FROM blobs WHERE sha256 = ?1 AND NOT EXISTS (SELECT 1 FROM blob_uses WHERE sha256 = ?1)", uses
    )
    batch.forget([job_id])
    return True


def prune_links(batch: Batch) -> None:
    """Forget links of uploads that are good no longer."""
    learned = batch.connection.execute(
        "SELECT account, state FROM learned WHERE account >= ? AND account < ?",
        (UPLOADS, UPLOADS + "\U0010ffff"),
    )
    over = [(name,) for name, state in learned.fetchall() if is_over(name, state, batch.now())]
    batch.connection.executemany("DELETE FROM learned WHERE account = ?", over)


def prune_orphans(batch: Batch, older_than: float, after: int) -> int | None:
    """Forget some old callbacks about attempts that are not here; returns where to go on, None at the end."""
    connection = batch.connection
    query = "SELECT id FROM inbox WHERE id > ? ORDER BY id LIMIT ?"
    ids = [id_ for (id_,) in connection.execute(query, (after, _CALLBACKS_AT_ONCE))]
    if not ids:
        return None
    connection.execute(
        "DELETE FROM inbox WHERE id BETWEEN ? AND ? AND received_at < ? "
        "AND NOT EXISTS (SELECT 1 FROM job_attempts WHERE job_attempts.id = attempt_id)",
        (ids[0], ids[-1], older_than),
    )
    return int(ids[-1])


def _leave_behind(connection: sqlite3.Connection, seqs: Iterable[int]) -> None:
    for seq in seqs:
        connection.execute("UPDATE jobs SET request = NULL, files = NULL, pruned = 1 WHERE seq = ?", (seq,))
        query = "SELECT number, outcome FROM job_attempts WHERE job = ? AND outcome IS NOT NULL"
        for number, outcome in connection.execute(query, (seq,)).fetchall():
            connection.execute(
                "UPDATE job_attempts SET outcome = ? WHERE job = ? AND number = ?",
                (_without_raw(outcome), seq, number),
            )


def _without_raw(text: str) -> str:
    try:
        outcome = decode_outcome(text)
        return encode_outcome(evolve(outcome, raw=None)) if hasattr(outcome, "raw") else text
    except Exception:  # noqa: BLE001 - what cannot be read stays as it is
        return text
