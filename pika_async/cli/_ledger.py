"""Where the command line keeps its jobs, and how one is found there by id or token."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pika_async import ConfigError, LedgerError

if TYPE_CHECKING:
    from pika_async._ledger import Ledger
    from pika_async._ledger.records import JobRecord

VARIABLE: Final = "PIKA_ASYNC_LEDGER"
_TOKEN: Final = "pika1."  # noqa: S105 - how every job token begins

ledger_option = click.option(
    "--ledger",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"The record of jobs.  [env var: {VARIABLE}; default: your own]",
)

max_submits_option = click.option(
    "--max-submits",
    type=click.IntRange(min=0),
    metavar="N",
    help="Never buy more than this many with this ledger, in all.",
)

idempotency_option = click.option(
    "--idempotency-key",
    metavar="TEXT",
    help="Asked again with the same text, the ledger gives the same job and buys nothing.",
)


def place(given: Path | None) -> Path:
    """Return the ledger's file: the one named, that of the environment, or the user's own."""
    named = given or os.environ.get(VARIABLE)
    if named:
        return Path(named)
    from platformdirs import user_state_path

    return user_state_path("pika-async", appauthor=False) / "jobs.db"


def ready(given: Path | None) -> Path:
    """Return the ledger's file for writing; a folder is made, but not for a name that may be a slip."""
    file = place(given)
    if given is None:
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(
                f"The folder {file.parent} cannot be made ({error.strerror}); set {VARIABLE} to another file."
            ) from None
    return file


@asynccontextmanager
async def opened(given: Path | None) -> AsyncIterator[Ledger]:
    """Open the ledger to look at it: that makes no file, asks no network and needs no key."""
    file = place(given)
    if given is not None and not file.exists():
        raise ConfigError(f"There is no ledger at {file}; check --ledger.")
    ledger = _present(file)
    await ledger.open()
    try:
        yield ledger
    finally:
        await ledger.aclose()


def _present(file: Path) -> Ledger:
    from pika_async._ledger.memory import MemoryLedger
    from pika_async._ledger.sqlite import SqliteLedger

    return SqliteLedger(file) if file.exists() else MemoryLedger()


def is_token(text: str) -> bool:
    """Tell a token from an id."""
    return text.strip().startswith(_TOKEN)


async def find(ledger: Ledger, text: str) -> JobRecord | None:
    """Read the job that *text* names: an id, the start of one, or a token."""
    from pika_async._token import JobToken

    text = text.strip()
    return await (ledger.get(JobToken.decode(text).job_id) if is_token(text) else ledger.find(text))


async def known(text: str, given: Path | None) -> JobRecord:
    """Read the job that *text* names; raises `ConfigError` when the ledger has none, or several."""
    async with opened(given) as ledger:
        record = await find(ledger, text)
    if record is None:
        raise unknown(text, given)
    return record


def unknown(text: str, given: Path | None) -> ConfigError:
    """Make the error for an id or token that names no job of the ledger."""
    what = "this token" if is_token(text) else f"the id {text!r}, or several begin with it"
    return ConfigError(f"No job in {place(given)} has {what}; `pika-async jobs` lists them.")
