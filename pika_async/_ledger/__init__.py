"""The record of jobs and attempts: one pure machine, and stores that keep what it decides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pika_async._ledger.machine import Event, JobRecord, Usage


class Ledger(Protocol):
    """Keeps jobs. Every method that changes one is a single transaction, durable when it returns.

    All raise `LedgerError`. *now* is wall-clock seconds, handed in.
    """

    async def open(self) -> None:
        """Get ready; called once, inside the client's event loop."""

    async def aclose(self) -> None:
        """Let go; no other call follows."""

    async def create(self, job: JobRecord) -> JobRecord:
        """Keep a new job, or give the one that already holds its idempotency key.

        A holder whose attempts were all refused gives the key up, in the same transaction.
        """

    async def get(self, job_id: str) -> JobRecord | None:
        """Read one job."""

    async def apply(self, job_id: str, event: Event, now: float) -> JobRecord:
        """Let the machine decide on *event*, keep the outcome and give it."""

    async def usage(self, account: str) -> Usage:
        """Count the slots that *account* holds, and all submits ever claimed here."""

    async def unfinished(self) -> Sequence[JobRecord]:
        """Read every job that has an attempt still open."""
