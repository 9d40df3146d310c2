"""What a failover, a restored backup or a cloned database may have lost: orders that were sent since."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from pika_async._ledger.events import Restored
from pika_async._ledger.postgres.batch import Batch
from pika_async._ledger.postgres.jobs import load, read_query
from pika_async._ledger.postgres.known import Known
from pika_async._ledger.postgres.link import answers
from pika_async._ledger.postgres.listing import open_jobs
from pika_async._ledger.postgres.rows import JOBS, Row
from pika_async._ledger.postgres.schema import LOCK, Connection, put_meta, read_meta
from pika_async._ledger.postgres.statements import Statement, statements
from pika_async._ledger.standing import UNSENT

log = logging.getLogger("pika_async")

_PAGE: Final = 500


async def settle_restored(connection: Connection, cluster: str, now: float, *, lossless: bool) -> int:
    """Call ambiguous what is unsent, if this is not the database that was last written; return how many."""
    async with connection.transaction():
        await connection.execute(b"SELECT pg_advisory_xact_lock($1)", (LOCK,))
        meta = await read_meta(connection) or {}
        if meta.get("cluster") == cluster.encode():
            return 0
        doubtful = 0 if lossless or "cluster" not in meta else await _doubt(connection, now)
        await put_meta(connection, cluster=cluster.encode())
    if "cluster" in meta:
        log.warning(
            "the ledger on Postgres: the database was restored, copied or failed over; %d attempts that "
            "it calls unsent may have been sent since, and wait for your word",
            doubtful,
        )
    return doubtful


async def _doubt(connection: Connection, now: float) -> int:
    known = Known.nothing()

    async def ask(some: Sequence[Statement]) -> list[list[Row]]:
        return await answers(connection, some)

    doubtful, last = 0, None
    query = JOBS + open_jobs(UNSENT, None)
    await load(ask, known, (), accounts=True)
    while found := await read_query(ask, known, query, last, _PAGE):
        last = found[-1].id
        batch = Batch(known, now, frozenset(job.id for job in found), read_accounts=True)
        for job in found:
            for attempt in job.attempts:
                if attempt.state in UNSENT:
                    batch.apply(job.id, Restored(attempt=attempt.id))
                    doubtful += 1
        await answers(connection, statements(batch))
    return doubtful
