"""What a failover, a restored backup or a cloned database may have lost: orders that were sent since.

After a failover every process that was there says what it knew: it puts its last ten minutes back. When all
have, what is still queued was never sent. Only a process that does not come back leaves doubt, and so does
whatever is older than ten minutes: a backup.
"""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from typing import Final

import psycopg

from pika_async._ledger.events import Restored
from pika_async._ledger.postgres.batch import Batch
from pika_async._ledger.postgres.connecting import CLOCK, one
from pika_async._ledger.postgres.jobs import load, read_jobs, read_query
from pika_async._ledger.postgres.known import Known
from pika_async._ledger.postgres.link import answers
from pika_async._ledger.postgres.listing import open_jobs
from pika_async._ledger.postgres.rows import JOBS, Row
from pika_async._ledger.postgres.schema import LOCK, Connection, put_meta, read_meta
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.postgres.writes import statements
from pika_async._ledger.records import JobRecord
from pika_async._ledger.standing import UNSENT

log = logging.getLogger("pika_async")

REMEMBERED: Final = 600.0
"""Seconds for which a process remembers what it changed."""
PATIENCE: Final = 30.0
"""Seconds for which a process is waited for that was there before a failover."""
_PAGE: Final = 500
_WERE_THERE: Final = "SELECT count(*) FILTER (WHERE seen > now() - interval '10 minutes') FROM pika.processes"
_ABSENT: Final = (
    "SELECT count(*) FROM pika.processes WHERE cluster <> $1 AND seen > "
    "(SELECT max(seen) FILTER (WHERE cluster <> $1) FROM pika.processes) - interval '10 minutes'"
)


class Recent:
    """The jobs that this process changed in the last ten minutes, as each was when that was durable."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, tuple[float, JobRecord]] = OrderedDict()

    def keep(self, job: JobRecord) -> None:
        """Remember *job*; what is older than ten minutes is forgotten."""
        now = time.monotonic()
        self._jobs[job.id] = now, job
        self._jobs.move_to_end(job.id)
        while self._jobs and next(iter(self._jobs.values()))[0] < now - REMEMBERED:
            self._jobs.popitem(last=False)

    def jobs(self) -> list[JobRecord]:
        """Return what is remembered, the oldest first."""
        return [job for _, job in self._jobs.values()]


async def settle_restored(connection: Connection, cluster: str, now: float, *, lossless: bool) -> None:
    """Note that this is another database than the one last written, and begin to settle what that lost."""
    async with connection.transaction():
        await connection.execute(b"SELECT pg_advisory_xact_lock($1)", (LOCK,))
        meta = await read_meta(connection) or {}
        was = meta.get("cluster", b"").decode()
        if was == cluster:
            return
        await put_meta(connection, cluster=cluster.encode())
        if not was or lossless:
            return
        (there,) = await one(connection, _WERE_THERE)
        if there and was.partition(":")[0] == cluster.partition(":")[0]:
            (began,) = await one(connection, f"SELECT {CLOCK}")
            await put_meta(connection, roll_call=repr(began).encode())
            log.warning(
                "the ledger on Postgres: the database failed over; nothing is sent before every process that "
                "was there has said what it sent, or %d s are over",
                PATIENCE,
            )
            return
        doubtful = await _doubt(connection, now)
    log.warning(_DOUBTFUL, doubtful)


_DOUBTFUL: Final = (
    "the ledger on Postgres: the database was restored, copied or failed over; %d attempts that it calls "
    "unsent may have been sent since, and wait for your word"
)


async def called(connection: Connection) -> bool:
    """Return whether the processes that were there before a failover are waited for."""
    (open_,) = await one(connection, "SELECT EXISTS (SELECT FROM pika.meta WHERE name = 'roll_call')")
    return bool(open_)


async def call_the_roll(connection: Connection, cluster: str, now: float, patience: float) -> bool:
    """Return whether some process is waited for still; those that did not come in time leave doubt."""
    async with connection.transaction():
        await connection.execute(b"SELECT pg_advisory_xact_lock($1)", (LOCK,))
        began = (await read_meta(connection) or {}).get("roll_call")
        if began is None:
            return False
        (absent,) = await one(connection, _ABSENT, cluster)
        (clock,) = await one(connection, f"SELECT {CLOCK}")
        if absent and clock < float(began) + patience:
            return True
        doubtful = await _doubt(connection, now, float(began)) if absent else 0
        await connection.execute(b"DELETE FROM pika.meta WHERE name = 'roll_call'")
    if doubtful:
        log.warning(_DOUBTFUL, doubtful)
    else:
        log.info("the ledger on Postgres: every process that was there has said what it sent")
    return False


async def put_back(connection: Connection, recent: Recent, now: float) -> int:
    """Write what this process knew where the database knows less, and return of how many jobs."""
    jobs, count = recent.jobs(), 0
    for start in range(0, len(jobs), _PAGE):
        some = jobs[start : start + _PAGE]
        try:
            count += await _put_back(connection, some, now)
        except psycopg.IntegrityError:
            for job in some:
                try:
                    count += await _put_back(connection, [job], now)
                except psycopg.IntegrityError as error:
                    log.error("job %s: what was known of it cannot be put back: %s", job.id, error)  # noqa: TRY400
    if count:
        log.warning("the ledger on Postgres: %d jobs were put back that the failover had lost", count)
    return count


async def _put_back(connection: Connection, jobs: Sequence[JobRecord], now: float) -> int:
    known = Known.nothing()

    async def ask(some: Sequence[Statement]) -> list[list[Row]]:
        return await answers(connection, some)

    async with connection.transaction():
        await connection.execute(b"SELECT pg_advisory_xact_lock($1)", (LOCK,))
        accounts = sorted({a.account for job in jobs for a in job.attempts})
        made = b"INSERT INTO pika.accounts (account) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
        await ask([Statement(made, (accounts,))])
        ids = [job.id for job in jobs]
        await ask([Statement(b"SELECT 1 FROM pika.jobs WHERE id = ANY($1) ORDER BY id FOR UPDATE", (ids,))])
        await read_jobs(ask, known, ids)
        await load(ask, known, (), accounts=True)
        batch = Batch(known, now, frozenset(ids), read_accounts=True)
        for job in jobs:
            batch.put_back(job)
        if batch.before:
            await ask(statements(batch))
    return len(batch.before)


async def _doubt(connection: Connection, now: float, until: float | None = None) -> int:
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
            for attempt in job.attempts if until is None or job.created_at <= until else ():
                if attempt.state in UNSENT:
                    batch.apply(job.id, Restored(attempt=attempt.id))
                    doubtful += 1
        if batch.before:
            await answers(connection, statements(batch))
    return doubtful
