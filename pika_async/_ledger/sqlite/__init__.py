"""A ledger in one SQLite file: survives the process, and may be shared by several on one machine."""

from pika_async._ledger.sqlite.ledger import SqliteLedger
from pika_async._ledger.sqlite.writer import commit

__all__ = ["SqliteLedger", "commit"]
