"""One connection that mends itself: whoever asks gets an answer, or is told that the database is away."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from functools import cache
from typing import Any, Final

import psycopg
from psycopg.adapt import Transformer

from pika_async._ledger.postgres.connecting import Address, check_primary, connect
from pika_async._ledger.postgres.faults import from_postgres, is_lost, unreachable
from pika_async._ledger.postgres.rows import Row
from pika_async._ledger.postgres.schema import Connection
from pika_async._ledger.postgres.statements import Statement
from pika_async.errors import LedgerError

_PAUSES: Final = (0.0, 0.05, 0.2, 0.5, 1.0)


class Link:
    """A connection to the primary, opened when it is first used and again when it broke.

    *ready* is called with each new connection before anybody else uses it.
    """

    def __init__(
        self,
        address: Address,
        patience: float,
        ready: Callable[[Connection], Awaitable[None]] | None = None,
    ) -> None:
        self._address = address
        self._patience = patience
        self._ready = ready
        self._connection: Connection | None = None
        self._was_open = False
        self._lock = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        """Whether there is a connection."""
        return self._connection is not None

    async def use(self) -> Connection:
        """Return the connection; raises `LedgerError` when none can be had within the patience."""
        give_up = asyncio.get_running_loop().time() + self._patience
        pauses = iter(_PAUSES)
        while self._connection is None:
            try:
                async with asyncio.timeout_at(give_up):
                    self._connection = await self._opened()
            except (LedgerError, psycopg.Error, TimeoutError) as error:
                said = _said(error)
                if not self._may_pass(error) or asyncio.get_running_loop().time() >= give_up:
                    raise said from None
                await asyncio.sleep(next(pauses, _PAUSES[-1]))
        return self._connection

    def _may_pass(self, error: BaseException) -> bool:
        """Return whether the database may be back soon; a standby may become the primary where one was."""
        said = str(_said(error))
        return "does not answer" in said or (self._was_open and "this is a standby" in said)

    async def _opened(self) -> Connection:
        connection = await connect(self._address)
        try:
            await check_primary(connection)
            if self._ready is not None:
                await self._ready(connection)
        except BaseException:
            await _closed(connection)
            raise
        self._was_open = True
        return connection

    async def ask(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """Run statements that change nothing, in one trip; they are run again after a break."""
        async with self._lock:
            for _ in range(2):
                connection = await self.use()
                try:
                    async with asyncio.timeout(self._patience):
                        return await answers(connection, statements)
                except (psycopg.Error, TimeoutError) as error:
                    await self.drop()
                    if isinstance(error, psycopg.Error) and not is_lost(error):
                        raise from_postgres(error) from error
            raise unreachable()

    async def drop(self) -> None:
        """Let the connection go; the next use opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            await _closed(connection)

    async def close(self) -> None:
        """Close it, once it is not used any more."""
        async with self._lock:
            await self.drop()


async def answers(connection: Connection, statements: Sequence[Statement]) -> list[list[Row]]:
    """Run statements in one trip, and return the rows of each.

    They go as one text with their values in it: the driver waits for each statement that has values of its
    own, which costs more than what it does.
    """
    literal = Transformer(connection).as_literal
    cursor = await connection.execute(b";\n".join(_text(each, literal) for each in statements))
    rows: list[list[Row]] = []
    while True:
        rows.append(await cursor.fetchall() if cursor.description else [])
        if not cursor.nextset():
            return rows


def _text(statement: Statement, literal: Callable[[Any], bytes]) -> bytes:
    parts = _parts(statement.sql)
    values = [literal(value) for value in statement.values]
    return b"".join(values[int(part) - 1] if place % 2 else part for place, part in enumerate(parts))


@cache
def _parts(sql: bytes) -> list[bytes]:
    return re.split(rb"\$(\d+)", sql)


async def _closed(connection: Connection) -> None:
    with suppress(psycopg.Error, OSError):
        await connection.close()


def _said(error: BaseException) -> LedgerError:
    match error:
        case LedgerError():
            return error
        case psycopg.Error():
            return from_postgres(error)
        case _:
            return unreachable()
