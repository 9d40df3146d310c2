"""Connections to the database: where it is, what every connection asks for, and what must be true of it."""

from __future__ import annotations

import asyncio
import re
import sys
from typing import Any, Final

import psycopg
from attrs import frozen
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pika_async._ledger.postgres.faults import from_postgres, is_lost, unreachable, unusable
from pika_async._ledger.postgres.schema import Connection
from pika_async._secret import Secret
from pika_async.errors import ConfigError

_OURS: Final = "pika_lossless"
_LOSSLESS: Final = rf"[?&]{_OURS}=(1|true|yes|on)\b"
_DEFAULTS: Final = {
    "client_encoding": "utf8",
    "application_name": "pika_async",
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "2",
    "tcp_user_timeout": "10000",
    "target_session_attrs": "read-write",
}
CLUSTER: Final = (
    "(SELECT system_identifier FROM pg_control_system()) || ':' "
    "|| left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)"
)
"""The database as it is now. Another value means a restored backup, a clone or a failover."""
CLOCK: Final = "extract(epoch FROM clock_timestamp())::float8"


@frozen
class Address:
    """Where the database is, as a DSN; it holds a password, so it is a secret.

    *lossless* says that a failover loses no commit (`pika_lossless=1` in the DSN): synchronous replication.
    """

    dsn: Secret
    lossless: bool = False

    @classmethod
    def of(cls, dsn: str | Secret) -> Address:
        """Read a DSN; raises `ConfigError`, which quotes nothing of it."""
        dsn = Secret(dsn)
        if (conninfo := _conninfo(dsn)) is None:
            raise ConfigError(
                "ledger must be an address such as postgresql://user:password@host:5432/database; this one "
                "cannot be read. Check that special characters in the password are percent-encoded."
            )
        return cls(conninfo, lossless=re.search(_LOSSLESS, dsn.reveal()) is not None)


def _conninfo(dsn: Secret) -> Secret | None:
    """Return the DSN as the driver reads it; it is no error's business to show it."""
    text = re.sub(r"\?$", "", re.sub(rf"(?<=[?&]){_OURS}=\w*&?", "", dsn.reveal()).rstrip("&"))
    try:
        told = conninfo_to_dict(text)
    except psycopg.Error:
        return None
    missing = {name: value for name, value in _DEFAULTS.items() if name not in told}
    return Secret(make_conninfo(text, **missing))


async def connect(address: Address) -> Connection:
    """Open a connection to the primary; raises `LedgerError`."""
    _check_loop()
    try:
        return await psycopg.AsyncConnection.connect(
            address.dsn.reveal(),
            autocommit=True,
            # A pool such as pgbouncer may run the next statement elsewhere.
            prepare_threshold=None,
            cursor_factory=psycopg.AsyncRawCursor,
        )
    except psycopg.Error as error:
        # Its frames hold the address, so it is not kept as the cause.
        said = _in_words(error, address)
    raise said


def _in_words(error: psycopg.Error, address: Address) -> Exception:
    text = address.dsn.hidden_in(str(error))
    if error.sqlstate is None and "FATAL" in text:
        told = text.rpartition("FATAL:")[2].strip().splitlines()[0].rstrip(".")
        if re.search("authentication|role|pg_hba|permission", told):
            return unusable("the database refuses this user. Check the user and the password in the address")
        if "does not exist" in told:
            return unusable(f"the database says {told}. Check the address")
        # It starts, stops or has no connection left, in the words of the server or of a pool.
        return unreachable(f" ({told})")
    if error.sqlstate is None and "read-only" in text:
        return unusable("this is a standby or read-only. Name the primary in the address")
    return unreachable() if is_lost(error) else from_postgres(error)


def _check_loop() -> None:
    if sys.platform == "win32" and isinstance(  # pragma: no cover - only Windows has it
        asyncio.get_running_loop(), asyncio.ProactorEventLoop
    ):
        raise unusable(
            "psycopg needs another event loop on Windows. Start the program with "
            "asyncio.run(main(), loop_factory=asyncio.SelectorEventLoop)"
        )


async def check_primary(connection: Connection) -> None:
    """Raise `LedgerError` for a standby: what it says is late, so the fence would read what was."""
    row = await one(connection, "SELECT pg_is_in_recovery(), current_setting('server_version_num')::int")
    if row[0]:
        raise unusable("this is a standby. Name the primary in the address")
    if row[1] < 130000:
        raise unusable("it needs Postgres 13 or newer. Upgrade the database")


async def one(connection: Connection, statement: str, *values: Any) -> tuple[Any, ...]:
    """Run a statement that answers with one row."""
    cursor = await connection.execute(statement.encode(), values)
    row = await cursor.fetchone()
    if row is None:
        raise psycopg.DataError("no row where there must be one")
    return row
