"""The record of jobs and attempts: one pure machine, and stores that keep what it decides."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from pika_async._ledger.events import Event
from pika_async._ledger.records import OPEN, AttemptState, JobRecord, Move, Received, Usage


class Ledger(Protocol):
    """Keeps jobs. Every method that changes one is a single transaction, durable when it returns.

    All raise `LedgerError`; from one that changes something this says nothing about whether it is recorded,
    so nothing may be sent on the strength of it. *now* is wall-clock seconds, handed in.
    """

    @property
    def durable(self) -> bool:
        """Return whether jobs outlive the process."""

    @property
    def id(self) -> str:
        """Return the ledger's name, random and made once; known after `open`."""

    async def open(self) -> None:
        """Get ready; called once, inside the client's event loop."""

    async def aclose(self) -> None:
        """Let go; no other call follows."""

    async def create(self, job: JobRecord) -> JobRecord:
        """Keep a new job, or give the one that already has its id or holds its idempotency key.

        A holder whose attempts were all refused gives the key up, in the same transaction.
        """

    async def get(self, job_id: str) -> JobRecord | None:
        """Read one job."""

    async def apply(self, job_id: str, event: Event, now: float) -> JobRecord:
        """Let the machine decide on *event*, keep the outcome and give it."""

    async def usage(self, account: str) -> Usage:
        """Count the slots that *account* holds, and all submits ever claimed here."""

    async def unfinished(self, states: Collection[AttemptState] = OPEN) -> Sequence[JobRecord]:
        """Read every job that has an attempt in one of *states*, which are among `OPEN`."""

    async def version(self) -> int:
        """Return a number that changes whenever another process has changed something."""

    async def find(self, text: str) -> JobRecord | None:
        """Read the job whose id, or an attempt's, is *text*, or whose id alone starts with it."""

    async def jobs(
        self, state: str | None = None, limit: int = 100, before: str | None = None
    ) -> Sequence[JobRecord]:
        """Read jobs, newest first, from the one after job *before*.

        *state* is one of a job, or an open one of an attempt (`unresolved`, say).
        """

    async def history(self, job_id: str) -> Sequence[Move]:
        """Read what happened to a job, oldest first; memory keeps none."""

    async def prune(self, older_than: float) -> int:
        """Forget settled jobs made before *older_than* (wall-clock seconds), with their keys; count them.

        Whatever may still cost or have cost money unseen stays, and so does the count of all submits.
        """

    async def secret(self) -> bytes:
        """Return the secret that signs callback tokens, made once."""

    async def inbox_put(self, attempt_id: str, body: bytes, headers: Mapping[str, str], now: float) -> bool:
        """Keep a callback; False for a repeat, or when the attempt has had too many."""

    async def inbox_pending(self, limit: int = 100, after: int = 0) -> Sequence[Received]:
        """Read the callbacks nobody has dealt with, oldest first, from the one *after* that id."""

    async def inbox_done(self, received_id: int) -> None:
        """Mark a callback as dealt with; a repeat of it stays known."""
