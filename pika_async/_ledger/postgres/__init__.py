"""A ledger in a Postgres database: shared by all processes that can reach it, on any number of machines."""

from pika_async._ledger.postgres.ledger import PostgresLedger

__all__ = ["PostgresLedger"]
