"""Read a ledger: what each job is, what it cost, and what may be done next.

    async with open_ledger("jobs.db") as ledger:
        for job in await ledger.jobs("unresolved"):
            print(job.id, job.charged, job.token)

Reading sends no request and needs no key.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import frozen

from pika_async._crossing import Value, process_bound
from pika_async._history import HistoryLine, line_of
from pika_async._job_view import (
    STATES,
    AttemptView,
    ExtraTask,
    JobState,
    JobView,
    view_of,
)
from pika_async._ledger.audit import Audit
from pika_async._ledger.database import Database
from pika_async._ledger.events import Abandon
from pika_async._ledger.standing import settled
from pika_async._money import Money
from pika_async._opening import is_dsn, ledger_at
from pika_async._secret import Secret
from pika_async._spent import Spending, Spent
from pika_async._token import JobToken
from pika_async.errors import ConfigError

if TYPE_CHECKING:
    from pika_async._ledger import Ledger

__all__ = [
    "STATES",
    "AttemptView",
    "Database",
    "ExtraTask",
    "HistoryLine",
    "JobState",
    "JobView",
    "LedgerView",
    "Money",
    "Spent",
    "Token",
    "check_ledger",
    "examine",
    "is_dsn",
    "is_token",
    "ledger_at",
    "move_ledger",
    "open_ledger",
    "read_token",
]

_PAGE: Final = 500
_TOKEN: Final = "pika1."  # noqa: S105 - how every job token begins


@frozen(kw_only=True)
class Token(Value):
    """What a job's token says: its id, its provider, the label of its account, and its task if known."""

    job_id: str
    provider: str
    account: str
    task: str | None


def is_token(text: str) -> bool:
    """Return whether *text* looks like a token, and not like an id."""
    return text.strip().startswith(_TOKEN)


def read_token(text: str) -> Token:
    """Read a token; raises `ConfigError` for one that was not copied whole."""
    token = JobToken.decode(text)
    return Token(
        job_id=token.job_id,
        provider=token.provider,
        account=token.label,
        task=None if token.task is None else token.task.id,
    )


@asynccontextmanager
async def open_ledger(
    path: str | os.PathLike[str] | Secret, *, missing_ok: bool = False
) -> AsyncIterator[LedgerView]:
    """Open the ledger in the file *path* for reading; other processes may use it at the same time.

    *path* may also be the address of a database, `postgresql://user:password@host/database`.

    Raises `ConfigError` when there is no such file, and `LedgerError` when it is no ledger. With *missing_ok*
    a file that is not there reads as a ledger without jobs. No file is made.
    """
    if isinstance(path, Secret) or is_dsn(path) or await _exists(path):
        ledger = ledger_at(path)
    elif missing_ok:
        from pika_async._ledger.memory import MemoryLedger

        ledger = MemoryLedger()
    else:
        raise ConfigError(f"There is no ledger at {os.fspath(path)}; check the name.")
    await ledger.open()
    try:
        yield LedgerView(ledger)
    finally:
        await ledger.aclose()


async def _exists(path: str | os.PathLike[str]) -> bool:
    import anyio

    return await anyio.Path(path).exists()


async def examine(dsn: str | Secret) -> Database:
    """Return what is true now of the database with a ledger at *dsn*; raises `LedgerError`."""
    from pika_async._ledger.postgres.examining import examine as examined

    return await examined(dsn)


async def move_ledger(file: str | os.PathLike[str], dsn: str | Secret) -> int:
    """Move the ledger in *file* into the database at *dsn*, with all that it knows; return how many jobs.

    No other process may have the file open, and the database must be without jobs. Callback and job tokens
    stay valid. Opening the file afterwards raises an error that says that it was moved. Raises `ConfigError`
    where there is no file, and `LedgerError`.
    """
    from pika_async._ledger.postgres.moving import move

    if not await _exists(file):
        raise ConfigError(f"There is no ledger at {os.fspath(file)}; check the name.")
    return await move(Path(file), dsn)


async def check_ledger(place: str | os.PathLike[str] | Secret) -> Sequence[str]:
    """Read every job at *place*, and return what does not agree, a sentence each; nothing is changed.

    Raises `ConfigError` where there is no ledger, and `LedgerError` where it cannot be read at all.
    """
    async with open_ledger(place) as view:
        return await view.check()


@process_bound("call open_ledger(path) in the other process")
class LedgerView:
    """An open ledger, for reading; `open_ledger` makes it. Every method raises `LedgerError`."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def jobs(
        self, state: JobState | None = None, *, limit: int = 100, before: str | None = None
    ) -> Sequence[JobView]:
        """Return at most *limit* jobs, newest first, of those ordered before the job with the id *before*.

        With *state*, only the jobs in that state.
        """
        found: list[JobView] = []
        while len(found) < limit:
            page = await self._ledger.jobs(_asked(state), limit if state is None else _PAGE, before)
            found += (job for job in map(view_of, page) if state in {None, job.state})
            if not page:
                break
            before = page[-1].id
        return found[:limit]

    async def spent(self, *, since: float | None = None) -> Mapping[str, Spent]:
        """Return what the jobs cost, by provider. What was pruned is not in it.

        With *since*, only jobs that were ordered after that time (seconds since 1970).
        """
        spending = Spending()
        async for job in self._ordered(since):
            spending.add(job)
        return spending.told()

    async def counted(self) -> Sequence[Money]:
        """Return what counts towards `Pika(max_cost=)`, one sum for each unit; what was pruned is in it."""
        sums = (await self._ledger.usage("")).spent
        return [Money(micros, unit) for unit, micros in sorted(sums.items())]

    async def _ordered(self, since: float | None) -> AsyncIterator[JobView]:
        before: str | None = None
        while page := await self._ledger.jobs(None, _PAGE, before):
            for record in page:
                if since is not None and record.created_at < since:
                    return
                yield view_of(record)
            before = page[-1].id

    async def unfinished(self) -> AsyncIterator[JobView]:
        """Yield every job that has not ended, newest first."""
        before: str | None = None
        while page := await self._ledger.jobs("open", _PAGE, before):
            for record in page:
                yield view_of(record)
            before = page[-1].id

    async def job(self, text: str) -> JobView | None:
        """Return the job that *text* names: a token, an id, or the start of one id only. None for no job.

        Raises `ConfigError` for a token that was not copied whole.
        """
        text = text.strip()
        named = read_token(text).job_id if is_token(text) else None
        record = await (self._ledger.find(text) if named is None else self._ledger.get(named))
        return None if record is None else view_of(record)

    async def history(self, job_id: str) -> Sequence[HistoryLine]:
        """Return what happened to a job, oldest first."""
        record = await self._ledger.get(job_id)
        if record is None:
            return ()
        return [line_of(record, move) for move in await self._ledger.history(job_id)]

    async def abandon(self, job_id: str) -> JobView:
        """Give up an unresolved job, on a person's word. Sends nothing; a video that comes late is kept."""
        record = await self._ledger.get(job_id)
        if record is None:
            raise ConfigError(f"No job in the ledger has the id {job_id!r}.")
        decisive = view_of(record).attempt
        return view_of((await self._ledger.apply(job_id, Abandon(attempt=decisive.id))).after)

    async def check(self) -> Sequence[str]:
        """Read every job, and return what does not agree, a sentence each; nothing is changed."""
        audit = Audit()
        before: str | None = None
        while page := await self._ledger.jobs(None, _PAGE, before):
            for job in page:
                audit.add(job)
            before = page[-1].id
        slots = {account: (await self._ledger.usage(account)).slots for account in audit.slots}
        return audit.told(slots, (await self._ledger.usage("")).spent)

    async def forget(self, job_id: str, *, media_only: bool = False) -> bool:
        """Forget the prompt, the media and the raw answers of a job that has ended; or its media alone.

        What keeps it from being bought again stays: key, tasks, states and videos. False for a job that may
        still change, or that is not here.
        """
        return await self._ledger.forget(job_id, media_only=media_only)

    async def forget_old(self, ordered_before: float, *, media_only: bool = False) -> int:
        """Forget the same of all ended jobs ordered before that time (seconds since 1970)."""
        count = 0
        before: str | None = None
        while page := await self._ledger.jobs(None, _PAGE, before):
            for job in page:
                if job.created_at < ordered_before and job.request is not None:
                    count += await self._ledger.forget(job.id, media_only=media_only)
            before = page[-1].id
        return count

    async def prune(self, ordered_before: float, *, dry_run: bool = False) -> int:
        """Forget ended jobs that were ordered before that time (seconds since 1970); return their number.

        Jobs that may still cost money, or may have cost money without a known result, stay. With *dry_run*
        nothing is forgotten.
        """
        if not dry_run:
            return await self._ledger.prune(ordered_before)
        count = 0
        before: str | None = None
        while page := await self._ledger.jobs(None, _PAGE, before):
            count += sum(settled(job) and job.created_at < ordered_before for job in page)
            before = page[-1].id
        return count


def _asked(state: JobState | None) -> str | None:
    # To the store an abandoned job is an unresolved one.
    return "unresolved" if state == "abandoned" else state
