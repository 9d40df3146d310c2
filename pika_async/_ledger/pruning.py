"""Forgetting jobs that have long ended, a few in each transaction so that nobody waits for it."""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

from pika_async._ledger.batch import Batch
from pika_async._ledger.schema import OPEN_STATES

_AT_ONCE = 500


def prune(batch: Batch, older_than: float, after: int) -> tuple[int, int | None]:
    """Forget some jobs behind *after* in the order of arrival.

    Gives how many went, and the place to go on from: None at the end.
    """
    batch.flush()
    connection = batch.connection
    seen = connection.execute("SELECT seq FROM jobs WHERE seq > ? ORDER BY seq LIMIT ?", (after, _AT_ONCE))
    seqs = [seq for (seq,) in seen]
    if not seqs:
        return 0, None
    rows = connection.execute(
        "SELECT seq, id FROM jobs WHERE seq BETWEEN ? AND ? AND created_at < ? AND state != 'open' "
        f"AND NOT EXISTS (SELECT 1 FROM attempts WHERE job = seq AND state IN ({OPEN_STATES}))",
        (seqs[0], seqs[-1], older_than),
    ).fetchall()
    ended = [(seq,) for seq, _ in rows]
    connection.executemany(
        "DELETE FROM inbox WHERE attempt_id IN (SELECT id FROM attempts WHERE job = ?)", ended
    )
    uses = connection.execute(
        "SELECT DISTINCT sha256 FROM blob_uses WHERE job BETWEEN ? AND ?", (seqs[0], seqs[-1])
    ).fetchall()
    for table, column in (("jobs", "seq"), ("attempts", "job"), ("history", "job"), ("blob_uses", "job")):
        connection.executemany(f"DELETE FROM {table} WHERE {column} = ?", ended)
    connection.executemany(
        "DELETE FROM blobs WHERE sha256 = ?1 AND NOT EXISTS (SELECT 1 FROM blob_uses WHERE sha256 = ?1)", uses
    )
    batch.forget(job_id for _, job_id in rows)
    return len(rows), seqs[-1]
