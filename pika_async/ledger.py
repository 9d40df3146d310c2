"""Read a ledger: what each job is, what it cost, and what may be done next.

    async with open_ledger("jobs.db") as ledger:
        for job in await ledger.jobs("unresolved"):
            print(job.id, job.charged, job.token)

Reading sends no request and needs no key.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from attrs import frozen

from pika_async._crossing import Value
from pika_async._history import HistoryLine
from pika_async._job_view import (
    STATES,
    AttemptView,
    ExtraTask,
    JobState,
    JobView,
)
from pika_async._ledger.database import Database
from pika_async._ledger_view import LedgerView
from pika_async._money import Money
from pika_async._opening import is_dsn, ledger_at
from pika_async._secret import Secret
from pika_async._spent import Spent
from pika_async._token import JobToken, is_token
from pika_async.errors import ConfigError

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


@frozen(kw_only=True)
class Token(Value):
    """What a job's token says: its id, its provider, the label of its account, and its task if known."""

    job_id: str
    provider: str
    account: str
    task: str | None


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
