"""What a person wants to know of the database: its promises, and what slows it down."""

from __future__ import annotations

import time
from typing import Final

from pika_async._ledger.database import Database
from pika_async._ledger.postgres.connecting import CLOCK, Address, connect, one
from pika_async._secret import Secret

_QUERY: Final = (
    "SELECT current_setting('server_version'), "
    "convert_from((SELECT value FROM pika.meta WHERE name = 'schema'), 'UTF8')::int, "
    "current_setting('synchronous_standby_names') <> '', (SELECT count(*) FROM pg_stat_replication), "
    "coalesce((SELECT max(extract(epoch FROM now() - xact_start)) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()), 0)::float8, pg_backend_pid(), "
    "(SELECT count(*) FROM pika.processes WHERE seen > now() - interval '1 minute')"
)


async def examine(dsn: str | Secret) -> Database:
    """Ask the database; raises `LedgerError`."""
    async with await connect(Address.of(dsn)) as connection:
        version, schema, synchronous, standbys, oldest, backend, processes = await one(connection, _QUERY)
        sent = time.time()
        (clock,) = await one(connection, f"SELECT {CLOCK}")
        return Database(
            version=version,
            schema=schema,
            ahead=clock - (sent + time.time()) / 2,
            synchronous=synchronous,
            standbys=standbys,
            oldest_transaction=oldest,
            pooled=backend != connection.info.backend_pid,
            processes=processes,
        )
