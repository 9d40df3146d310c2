"""Which ledger a name means: a file, or the address of a database."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeGuard

from pika_async._secret import Secret
from pika_async.errors import ConfigError

if TYPE_CHECKING:
    from pika_async._ledger import Ledger


def is_dsn(place: object) -> TypeGuard[str | Secret]:
    """Return whether *place* is the address of a database, and not the name of a file.

    >>> is_dsn("postgresql://db.example.com/app"), is_dsn("jobs.db")
    (True, False)
    """
    text = place.reveal() if isinstance(place, Secret) else place
    return isinstance(text, str) and text.startswith(("postgresql://", "postgres://"))


def ledger_at(place: str | os.PathLike[str] | Secret, listen_dsn: str | Secret | None = None) -> Ledger:
    """Return the ledger at *place*, a file or the address of a database; it is not open yet.

    It goes to `Pika(ledger=...)`. *listen_dsn* is a way to the same database past a pool such as pgbouncer,
    through which nothing is heard of other processes. Raises `ConfigError` for what is no address.
    """
    if is_dsn(place):
        try:
            from pika_async._ledger.postgres import PostgresLedger
        except ImportError as error:
            if error.name is None or not error.name.startswith("psycopg"):
                raise
            raise ConfigError(
                "A ledger on Postgres needs psycopg. Install it: pip install 'pika-async[postgres]'"
            ) from error
        return PostgresLedger(place, listen_dsn=listen_dsn)
    if isinstance(place, Secret):
        raise ConfigError("ledger: a Secret must hold the address of a database (postgresql://...).")
    from pika_async._ledger.sqlite import SqliteLedger

    return SqliteLedger(place)
