"""The one connection of a process that changes the database, and what makes each transaction safe.

The process has a row of its own, which counts its transactions. A transaction whose COMMIT got no answer is
settled by it: the next connection sees whether it was counted, and a late one can be counted no more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

import psycopg

from pika_async._ledger.postgres.clock import DatabaseClock
from pika_async._ledger.postgres.connecting import CLOCK, CLUSTER, Address, one
from pika_async._ledger.postgres.faults import (
    ConflictError,
    DuplicateError,
    HeldError,
    UnfitError,
    from_postgres,
    is_lost,
    unreachable,
)
from pika_async._ledger.postgres.link import Link, answers
from pika_async._ledger.postgres.restoring import PATIENCE, call_the_roll, called
from pika_async._ledger.postgres.rows import Row
from pika_async._ledger.postgres.schema import MIGRATIONS, OLDEST, Connection
from pika_async._ledger.postgres.statements import Statement
from pika_async._ledger.process import described
from pika_async.errors import LedgerError

_CALL_AGAIN: Final = 0.5
COMMIT: Final = (b"COMMIT",)
_LEAP: Final = 2.0
"""Seconds by which the database's clock may differ from what this process takes it for."""
_BEGIN: Final = (
    Statement(b"BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE", ()),
    # Here and not when connecting: a pool drops what a connection asks for.
    Statement(
        b"SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') "
        b"WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true), "
        b"set_config('lock_timeout', '2s', true), set_config('statement_timeout', '5s', true), "
        b"set_config('idle_in_transaction_session_timeout', '5s', true)",
        (),
    ),
)
_GUARD: Final = (
    b"WITH g AS (UPDATE pika.processes SET written = $2::bigint, seen = now() WHERE owner = $1 "
    b"AND written = $2::bigint - 1 AND cluster = "
    + CLUSTER.encode()
    + b" AND abs("
    + CLOCK.encode()
    + b" - $3::float8) < $4::float8 AND "
    + OLDEST.encode()
    + b" <= $5::int RETURNING 1) SELECT 1 / count(*) FROM g"
)
_ANY: Final = 2**31 - 1
_REGISTER: Final = (
    "INSERT INTO pika.processes (owner, label, version, cluster) VALUES ($1, $2, $3, $4) "
    "ON CONFLICT (owner) DO UPDATE SET cluster = excluded.cluster, seen = now() RETURNING written"
)
_CLEAR_AWAY: Final = b"DELETE FROM pika.processes WHERE seen < now() - interval '7 days'"
_LEAVE: Final = b"DELETE FROM pika.processes WHERE owner = $1"
_FENCE: Final = (
    "WITH o AS (SELECT written FROM pika.processes WHERE owner = $1 FOR UPDATE) "
    "UPDATE pika.processes p SET written = $2::bigint FROM o WHERE p.owner = $1 RETURNING o.written"
)


class Session:
    """Runs transactions for *owner*.

    *prepare* is called with the first connection, to make the tables; *restored* with the first one to
    another database than before, to settle what it may have lost.

    *commit* are the statements that end a transaction, replaceable by tests whose connections break there.
    """

    def __init__(
        self,
        address: Address,
        owner: str,
        clock: DatabaseClock,
        *,
        patience: float,
        prepare: Callable[[Connection], Awaitable[None]],
        restored: Callable[[Connection, str], Awaitable[None]],
        commit: Callable[[], Sequence[bytes]] = lambda: COMMIT,
        roll_call: float = PATIENCE,
    ) -> None:
        self.link = Link(address, patience, self._settle_in)
        self.outdated = False
        """Whether newer releases alone may begin something: this one brings what it has begun to its end."""
        self._owner = owner
        self._clock = clock
        self._patience = patience
        self._prepare = prepare
        self._restored = restored
        self._commit = commit
        self._roll_call = roll_call
        self._calling = False
        self._call_at = 0.0
        self._cluster = ""
        self._written = 0
        self._doubt: int | None = None
        """The number of a transaction of which nobody knows whether it is counted."""
        self._was_counted = False

    async def close(self) -> None:
        """Take the own row away, and let the connection go."""
        with suppress(LedgerError, psycopg.Error, TimeoutError):
            if self._doubt is None and self.link.is_open:
                await self.link.ask([Statement(_LEAVE, (self._owner,))])
        await self.link.close()

    async def held_until(self) -> float:
        """Return until when no claim may be granted, in the ledger's time; 0 for now.

        After a failover the processes that were there are waited for, and after a leap the clock.
        """
        if self._calling and time.monotonic() >= self._call_at:
            connection = await self.link.use()
            self._call_at = time.monotonic() + _CALL_AGAIN
            try:
                self._calling = await call_the_roll(
                    connection, self._cluster, self._clock.now(), self._roll_call
                )
            except psycopg.Error as error:
                await self.link.drop()
                raise from_postgres(error) from error
        calling = self._clock.now() + _CALL_AGAIN if self._calling else 0.0
        return max(calling, self._clock.unsteady_until)

    async def ask(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Run statements that change nothing."""
        return await self.link.ask(statements)

    async def refresh(self) -> None:
        """Read again what every transaction rests on: the clock, the database's identity, the own row."""
        for _ in range(2):
            connection = await self.link.use()
            try:
                return await self._settle_in(connection)
            except psycopg.Error as error:
                await self.link.drop()
                if not is_lost(error):
                    raise from_postgres(error) from error
        raise unreachable()

    async def transact(self, statements: Sequence[Statement]) -> list[list[Row]] | None:
        """Run *statements* in one transaction and one trip, and return their rows once they are durable.

        None stands for rows that were lost on the way: all is durable. Raises `ConflictError`,
        `DuplicateError`, `UnfitError`, or `LedgerError`, whose *recorded* says what is known.
        """
        connection = await self.link.use()
        number = self._written + 1
        newest = _ANY if self.outdated else len(MIGRATIONS)
        guard = Statement(_GUARD, (self._owner, number, self._clock.database(), _LEAP, newest))
        ends = [Statement(end, ()) for end in self._commit()]
        before = [*_BEGIN, guard]
        try:
            async with asyncio.timeout(self._patience):
                rows = await answers(connection, [*before, *statements, *ends])
        except (psycopg.Error, TimeoutError) as error:
            if isinstance(error, psycopg.Error) and not is_lost(error):
                await self._roll_back(connection)
                raise _refusal(error) from error
            self._doubt = number
            await self.link.drop()
        except BaseException:
            # What the driver cannot send was not sent.
            await self._roll_back(connection)
            raise
        else:
            self._written = number
            return rows[len(before) : len(before) + len(statements)]
        return await self._settled()

    async def _settled(self) -> list[list[Row]] | None:
        try:
            await self.link.use()
        except LedgerError as error:
            error.recorded = None
            raise
        if self._was_counted:
            return None
        raise ConflictError("the connection broke before the commit")

    async def _roll_back(self, connection: Connection) -> None:
        try:
            await connection.execute(b"ROLLBACK")
        except psycopg.Error:
            await self.link.drop()

    async def _settle_in(self, connection: Connection) -> None:
        """Find or make the own row; on another database than before, settle first what it may have lost."""
        if not self._cluster:
            await self._prepare(connection)
            await connection.execute(_CLEAR_AWAY)
        clock, cluster, oldest = await one(connection, f"SELECT {CLOCK}, {CLUSTER}, {OLDEST}")
        self._clock.told(clock)
        self.outdated = oldest > len(MIGRATIONS)
        if cluster != self._cluster:
            await self._restored(connection, cluster)
        (counted,) = await one(connection, _REGISTER, self._owner, *described(), cluster)
        if self._doubt is not None:
            async with connection.transaction():
                # Longer than a transaction that lost its client can go on.
                await connection.execute(b"SET LOCAL lock_timeout = '6s'")
                (counted,) = await one(connection, _FENCE, self._owner, self._doubt + 1)
            self._was_counted = counted == self._doubt
            counted, self._doubt = self._doubt + 1, None
        self._written, self._cluster = counted, cluster
        self._calling, self._call_at = await called(connection), 0.0


def _refusal(error: psycopg.Error) -> Exception:
    match error:
        case psycopg.errors.DivisionByZero() | psycopg.errors.SerializationFailure():
            return ConflictError()
        case psycopg.errors.DeadlockDetected():
            return ConflictError()
        case psycopg.errors.LockNotAvailable():
            return HeldError()
        case psycopg.errors.UniqueViolation():
            return DuplicateError()
        case psycopg.DataError() | psycopg.IntegrityError():
            return UnfitError(str(error))
        case _:
            return from_postgres(error)
