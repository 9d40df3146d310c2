"""The tables that workers need beside the ledger's: Procrastinate's own, and who works with what."""

from __future__ import annotations

from typing import Final

import psycopg
from procrastinate import App
from procrastinate.exceptions import ConnectorException

from pika_async._secret import Secret
from pika_async.errors import LedgerError

_LOCK: Final = 0x50494B42
"""The advisory lock of whoever makes the tables: several workers start at once."""
# to_regclass would answer from what this connection knew before it waited for the lock.
_IS_THERE: Final = (
    "SELECT EXISTS (SELECT FROM pg_class WHERE relname = 'procrastinate_jobs' AND pg_table_is_visible(oid))"
)
_WORKERS: Final = """
CREATE TABLE IF NOT EXISTS pika.workers (
  worker bigint PRIMARY KEY,
  label text NOT NULL,
  version text NOT NULL,
  accounts text[] NOT NULL,
  places int NOT NULL,
  max_concurrency int NOT NULL
)
"""


async def make_tables(dsn: Secret, app: App) -> None:
    """Make what is missing, once for all; raises `LedgerError`."""
    try:
        async with (
            await psycopg.AsyncConnection.connect(dsn.reveal(), prepare_threshold=None) as connection,
            connection.transaction(),
        ):
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
            cursor = await connection.execute(_IS_THERE)
            row = await cursor.fetchone()
            if row is not None and not row[0]:
                await app.schema_manager.apply_schema_async()
            await connection.execute(_WORKERS)
    except (psycopg.Error, ConnectorException) as error:
        raise LedgerError(
            f"The tables of the workers cannot be made ({type(error).__name__}); check the database, and "
            "that this user may create tables in it."
        ) from None
