"""An order written on the user's own connection, so that it is committed, or undone, with the user's rows."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg.pq import TransactionStatus

from pika_async._ledger.change import Change
from pika_async._ledger.postgres.batch import Batch
from pika_async._ledger.postgres.faults import from_postgres, unusable
from pika_async._ledger.postgres.jobs import look
from pika_async._ledger.postgres.known import Known
from pika_async._ledger.postgres.orders import Decision
from pika_async._ledger.postgres.rows import Row
from pika_async._ledger.postgres.schema import MIGRATIONS, OLDEST
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.postgres.writes import statements
from pika_async._ledger.records import JobRecord
from pika_async.errors import ConfigError

_TRIES: Final = 3
_LIMIT: Final = Statement(b"SELECT set_config('lock_timeout', '2s', true)", ())
_READ_OLDEST: Final = Statement(f"SELECT {OLDEST}".encode(), ())
_READ_LIMIT: Final = Statement(b"SELECT current_setting('lock_timeout')", ())


async def create_on(connection: object, job: JobRecord, now: float) -> Change:
    """Keep *job* in the transaction of *connection*, or return the one that holds its key.

    A key that another open transaction holds is waited for, two seconds at most. Raises `LedgerError`, which
    leaves the transaction as it was before.
    """
    if not isinstance(connection, psycopg.AsyncConnection):
        raise ConfigError(
            f"connection must be a psycopg.AsyncConnection, not a {type(connection).__name__}; the order is "
            "written in its transaction."
        )
    if not connection.autocommit and connection.info.transaction_status is TransactionStatus.IDLE:
        # Otherwise the block below would be the whole transaction, and commit it.
        await connection.execute("SELECT 1")
    for _ in range(_TRIES):
        try:
            async with connection.transaction():
                return await _created(connection, job, now)
        except (psycopg.errors.UniqueViolation, psycopg.errors.DivisionByZero):
            continue
        except psycopg.errors.LockNotAvailable as error:
            said = unusable(
                "another open transaction holds this idempotency key. Call again once it has ended"
            )
            said.retryable = True
            raise said from error
        except psycopg.Error as error:
            raise from_postgres(error) from error
    raise unusable("this transaction does not see who holds the idempotency key. Call again in a new one")


async def _created(connection: psycopg.AsyncConnection[Any], job: JobRecord, now: float) -> Change:
    async def ask(asked: Sequence[Statement]) -> list[list[Row]]:
        answers: list[list[Row]] = []
        async with psycopg.AsyncRawCursor(connection, row_factory=psycopg.rows.tuple_row) as cursor:
            for each in asked:
                await cursor.execute(each.sql, each.values)
                answers.append(await cursor.fetchall() if cursor.description else [])
        return answers

    known = Known.nothing()
    order = Decision(asyncio.get_running_loop().create_future(), job.id, None, job)
    found = await look(ask, known, order)
    (((oldest,),),) = await ask([_READ_OLDEST])
    batch = Batch(
        known,
        now,
        found.jobs,
        read_accounts=False,
        keys=found.keys,
        tasks=found.tasks,
        outdated=oldest > len(MIGRATIONS),
    )
    change = batch.create(job)
    if batch.before:
        ((before,),) = await ask([_READ_LIMIT])
        await ask([_LIMIT, *statements(batch)])
        await ask([Statement(b"SELECT set_config('lock_timeout', $1, true)", before)])
    return change
