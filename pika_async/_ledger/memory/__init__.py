"""A ledger that lives as long as the process: the library's default."""

from pika_async._ledger.memory.ledger import MemoryLedger

__all__ = ["MemoryLedger"]
