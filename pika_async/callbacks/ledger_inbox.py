"""Commits callbacks for other processes: those that work on the jobs process them."""

from __future__ import annotations

from attrs import frozen

from pika_async._ledger import Ledger
from pika_async.callbacks.handler import CallbackEvent


@frozen
class LedgerInbox:
    """An inbox of a process that sends and looks up nothing, and so needs no provider key."""

    ledger: Ledger

    async def receive(self, event: CallbackEvent) -> None:
        """Commit *event*; raises `LedgerError`."""
        await self.ledger.inbox_put(event.attempt_id, event.body, event.headers)

    def stop(self) -> None:
        """Stop nothing: it runs nothing."""
