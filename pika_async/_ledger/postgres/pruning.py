"""Forgetting what has long ended, a little in each transaction so that nobody waits for it; as statements."""
# ruff: noqa: S608 - statements are made of our own words; values are bound

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from attrs import evolve

from pika_async._ledger.codec import decode_outcome, encode_outcome
from pika_async._ledger.postgres.rows import Row, job_values, order_values
from pika_async._ledger.postgres.schema import OPEN_STATES
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.records import JobRecord

AT_ONCE: Final = 500
SETTLED: Final = (
    "SELECT id, key IS NOT NULL AND (state <> 'failed' OR EXISTS "
    "(SELECT 1 FROM pika.attempts a WHERE a.job_id = id AND a.state <> 'refused')), revision, seq "
    "FROM pika.jobs j WHERE created_at < $1 AND state <> 'open' AND NOT pruned AND seq > $2 "
    f"AND NOT EXISTS (SELECT 1 FROM pika.attempts a WHERE a.job_id = id AND a.state IN {OPEN_STATES}) "
    "ORDER BY seq LIMIT $3"
).encode()
"""Jobs that may be forgotten, and whether a key keeps what is left of them."""
OUTCOMES: Final = (
    b"SELECT job_id, number, outcome FROM pika.attempts "
    b"WHERE job_id = ANY($1::text[]) AND outcome IS NOT NULL"
)
LINKS: Final = b"SELECT account, state FROM pika.learned WHERE account >= $1 AND account < $1 || chr(1114111)"
FORGET_LINKS: Final = b"DELETE FROM pika.learned WHERE account = ANY($1::text[])"
ORPHANS: Final = (
    b"DELETE FROM pika.inbox WHERE id IN (SELECT id FROM pika.inbox i WHERE received_at < $1 "
    b"AND NOT EXISTS (SELECT 1 FROM pika.attempts a WHERE a.id = i.attempt_id) LIMIT 5000) RETURNING 1"
)
# Only what is as it was read: a job that evidence reached meanwhile stays.
_LOCK: Final = (
    b"WITH l AS MATERIALIZED (SELECT j.id FROM pika.jobs j "
    b"JOIN unnest($1::text[], $2::bigint[]) AS n (id, old) ON j.id = n.id AND j.revision = n.old "
    b"ORDER BY j.id FOR NO KEY UPDATE OF j), "
    b"w AS (UPDATE pika.jobs j SET revision = j.revision + 1 FROM l WHERE j.id = l.id RETURNING 1) "
    b"SELECT 1 / (count(*) = cardinality($1::text[]))::int FROM w"
)
_INBOX: Final = (
    b"DELETE FROM pika.inbox WHERE attempt_id IN "
    b"(SELECT id FROM pika.attempts WHERE job_id = ANY($1::text[]))"
)
_COPIES: Final = (
    b"DELETE FROM pika.learned l USING unnest($1::text[]) AS n (id) "
    b"WHERE l.account >= 'copy:' || n.id || ':' AND l.account < 'copy:' || n.id || ';'"
)
_BLOBS: Final = (
    b"WITH gone AS (DELETE FROM pika.blob_uses WHERE job_id = ANY($1::text[]) RETURNING sha256) "
    b"DELETE FROM pika.blobs b WHERE b.sha256 IN (SELECT sha256 FROM gone) AND NOT EXISTS "
    b"(SELECT 1 FROM pika.blob_uses u WHERE u.sha256 = b.sha256 AND u.job_id <> ALL($1::text[]))"
)
_BARE: Final = b"UPDATE pika.jobs SET pruned = true WHERE id = ANY($1::text[])"
_UNASKED: Final = b"UPDATE pika.orders SET request = NULL, files = NULL WHERE job_id = ANY($1::text[])"
_OUTCOME: Final = (
    b"UPDATE pika.attempts a SET outcome = n.outcome FROM unnest($1::text[], $2::int[], $3::text[]) "
    b"AS n (job_id, number, outcome) WHERE a.job_id = n.job_id AND a.number = n.number"
)


def forget(settled: Sequence[Row], outcomes: Sequence[Row]) -> list[Statement]:
    """Forget the jobs of *settled*; of those with a key, the key, the digest and the outcome stay."""
    settled = sorted(settled)
    every = [job_id for job_id, *_ in settled]
    keyed = [job_id for job_id, is_keyed, *_ in settled if is_keyed]
    gone = [job_id for job_id, is_keyed, *_ in settled if not is_keyed]
    left = [(job_id, number, _without_raw(text)) for job_id, number, text in outcomes if job_id in set(keyed)]
    found = [
        Statement(_LOCK, (every, [revision for _, _, revision, _ in settled])),
        Statement(_INBOX, (every,)),
        Statement(_COPIES, (every,)),
        Statement(b"DELETE FROM pika.history WHERE job_id = ANY($1::text[])", (every,)),
        Statement(_BLOBS, (every,)),
        Statement(_BARE, (keyed,)),
        Statement(_UNASKED, (keyed,)),
        *(
            Statement(f"DELETE FROM pika.{table} WHERE {column} = ANY($1::text[])".encode(), (gone,))
            for table, column in (("attempts", "job_id"), ("orders", "job_id"), ("jobs", "id"))
        ),
    ]
    if left:
        found.append(Statement(_OUTCOME, tuple(map(list, zip(*left, strict=True)))))
    return found


def forget_one(left: JobRecord, revision: int) -> list[Statement]:
    """Write what is *left* of a job whose prompt and media are forgotten; its rows stay."""
    (job_id, request, files, *_), _ = order_values(left)
    *_, extras = job_values(left)
    outcomes = [
        (job_id, a.number, None if a.outcome is None else encode_outcome(a.outcome)) for a in left.attempts
    ]
    return [
        Statement(_LOCK, ([job_id], [revision])),
        Statement(_BLOBS, ([job_id],)),
        Statement(b"UPDATE pika.jobs SET extras = $2 WHERE id = $1", (job_id, extras)),
        Statement(
            b"UPDATE pika.orders SET request = $2, files = $3 WHERE job_id = $1", (job_id, request, files)
        ),
        Statement(_OUTCOME, tuple(map(list, zip(*outcomes, strict=True)))),
    ]


def _without_raw(text: str) -> str:
    try:
        outcome = decode_outcome(text)
        return encode_outcome(evolve(outcome, raw=None)) if hasattr(outcome, "raw") else text
    except Exception:  # noqa: BLE001 - what cannot be read stays as it is
        return text
