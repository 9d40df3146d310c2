"""The record of jobs and attempts: one pure machine, and stores that keep what it decides."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from pika_async._ledger.change import Change
from pika_async._ledger.events import Event
from pika_async._ledger.records import AttemptState, JobRecord, Member, Move, Received, Usage
from pika_async._ledger.standing import OPEN


class Jobs(Protocol):
    """The jobs themselves. Every change is one transaction, durable when the method returns.

    All raise `LedgerError`; from one that changes something this says nothing about whether it is recorded,
    so nothing may be sent on the strength of it. The ledger stamps the time of each change itself. Calls take
    effect in the order in which they are made.
    """

    async def create(self, job: JobRecord, first: Event | None = None) -> Change:
        """Keep a new job and decide on its *first* event, in one transaction.

        A job that already has its id, or holds its idempotency key, is returned as it is: `after.id` tells
        which. A holder whose attempts were all refused gives the key up, in the same transaction. Of a holder
        that was pruned, what is left is returned: its id, key, digest, state and outcome, without a request.
        """

    async def get(self, job_id: str) -> JobRecord | None:
        """Read one job."""

    def known(self, job_id: str) -> JobRecord | None:
        """Read one job without waiting, as far as that is possible; None says nothing about the job."""

    async def apply(self, job_id: str, event: Event) -> Change:
        """Let the machine decide on *event*, and keep the outcome."""

    async def sent(self, attempt_id: str) -> bytes | None:
        """Read the bytes that were kept as an attempt passed the fence; None once they are forgotten."""

    async def open_jobs(
        self,
        states: Collection[AttemptState] = OPEN,
        *,
        account: str | None = None,
        after: str | None = None,
        limit: int = 500,
    ) -> Sequence[JobRecord]:
        """Read a page of the jobs that have an attempt in one of *states*, all of them open ones.

        The order is that of arrival. *after* is the id of the last job of the page before; a page that is not
        full is the last. With *account*, only attempts on it count.
        """


class Accounts(Protocol):
    """What all processes of a ledger share of an account: its slots, its pace, its poller."""

    async def usage(self, account: str) -> Usage:
        """Read what *account* uses, and all submits ever claimed here."""

    async def present(self, account: str, member: Member, seconds: float) -> Usage:
        """Say that a process sends for *account*, for *seconds* from now on; 0 takes it back.

        Returns what the account uses, by all who are there.
        """

    async def members(self, account: str) -> Sequence[Member]:
        """Read the processes that send for *account* and are alive."""

    async def lease(self, name: str, owner: str, seconds: float) -> bool:
        """Take or keep the lease *name* for *owner*; False while another owner holds it.

        A lease is over *seconds* after it was last kept. *seconds* of 0 gives it back.
        """

    async def learned(self, account: str, state: str | None = None) -> str | None:
        """Read what was learned of *account*, as text; with *state*, keep that first.

        Pollers learn render times; other names than those of accounts are for links and copies of media.
        """


class Inbox(Protocol):
    """Callbacks that arrived, until they were handled."""

    async def inbox_put(self, attempt_id: str, body: bytes, headers: Mapping[str, str]) -> bool:
        """Keep a callback; False for a repeat, or when the attempt has had too many."""

    async def inbox_pending(self, limit: int = 100, after: int = 0) -> Sequence[Received]:
        """Read the callbacks nobody has dealt with, oldest first, from the one *after* that id."""

    async def inbox_done(self, received_id: int) -> None:
        """Mark a callback as dealt with; a repeat of it stays known."""


class Archive(Protocol):
    """For people who look: what was, and what may be forgotten."""

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

    async def forget(self, job_id: str, *, media_only: bool = False) -> bool:
        """Forget what was asked for in a job that has ended: its prompt, media and raw answers.

        With *media_only*, only its media. Whatever keeps it from being bought again stays. False for a job
        that may still change, or that is not here.
        """

    async def prune(self, older_than: float) -> int:
        """Forget settled jobs made before *older_than* (wall-clock seconds) and return how many.

        Whatever may still cost or have cost money unseen stays, and so does the count of all submits. Of a
        job with an idempotency key, the key, its digest and the outcome stay, so that it is not bought again.
        """


class Ledger(Jobs, Accounts, Inbox, Archive, Protocol):
    """Keeps jobs, accounts and callbacks."""

    @property
    def id(self) -> str:
        """The ledger's name, random and made once; known after `open`."""

    @property
    def shared(self) -> bool:
        """Whether other processes may change what is in here; `news` tells of that."""

    @property
    def remembers(self) -> bool:
        """Whether jobs outlive the process, and ended ones stay."""

    async def open(self, wall: Callable[[], float] = time.time) -> None:
        """Get ready; called once, inside the client's event loop. *wall* stamps what is recorded."""

    async def aclose(self) -> None:
        """Close the ledger; no other call follows."""

    def now(self) -> float:
        """Return the time by which the ledger stamps, in wall-clock seconds."""

    async def news(self) -> Collection[str] | None:
        """Return the ids of jobs that other processes changed since the last call.

        None says that it is not known which: read again what matters. The first call returns nothing.
        """

    def tells(self, call: Callable[[], None]) -> None:
        """Have *call* called, in the event loop, when there is news. Not every ledger can."""

    async def secret(self) -> bytes:
        """Return the secret that signs callback tokens, made once."""
