"""Where the command line keeps its jobs, and how one is found there by id or token."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import click
from click.shell_completion import CompletionItem

from pika_async import ConfigError, LedgerError, PikaError
from pika_async.cli._terminal import clipped, printable
from pika_async.provider import Secret

if TYPE_CHECKING:
    from pika_async.ledger import JobView, LedgerView

VARIABLE: Final = "PIKA_ASYNC_LEDGER"
_COMPLETED: Final = 200

Place: TypeAlias = Path | Secret
"""A ledger's file, or the address of its database, which is shown nowhere."""


class _Place(click.Path):
    name = "file or address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a file's path, or the address of a database as a secret."""
        from pika_async.ledger import is_dsn

        if isinstance(value, Secret) or (isinstance(value, str) and is_dsn(value)):
            return Secret(value)
        return super().convert(value, param, ctx)


PLACE: Final = _Place(dir_okay=False, path_type=Path)

ledger_option = click.option(
    "--ledger",
    type=PLACE,
    metavar="FILE|ADDRESS",
    help=f"The record of jobs: a file, or postgresql://...  [env var: {VARIABLE}; default: your own]",
)

max_submits_option = click.option(
    "--max-submits",
    type=click.IntRange(min=0),
    metavar="N",
    help="Never buy more than this many with this ledger, in all.",
)

max_cost_option = click.option(
    "--max-cost",
    metavar="AMOUNT",
    help="Never spend more than this with this ledger, by prices: 20 US dollars, or '500 credits'.",
)

idempotency_option = click.option(
    "--idempotency-key",
    metavar="TEXT",
    help="The same text returns the same job of the ledger, and buys nothing.",
)


def place(given: Place | None) -> Place:
    """Return where the ledger is: the place named, that of the environment, or the user's own file."""
    from pika_async.ledger import is_dsn

    named = given or os.environ.get(VARIABLE)
    if isinstance(named, Secret) or (isinstance(named, str) and is_dsn(named)):
        return Secret(named)
    if named:
        return Path(named)
    from platformdirs import user_state_path

    return user_state_path("pika-async", appauthor=False) / "jobs.db"


def shown(at: Place) -> str:
    """Return the name of a ledger for people: a file's, and no address of a database."""
    return "the database" if isinstance(at, Secret) else str(at)


def arguments(given: Place | None) -> list[str]:
    """Return the options with which another command reaches the same ledger."""
    if isinstance(given, Secret):
        return ["--ledger", "postgresql://..."]
    return ["--ledger", str(given)] if given else []


def ready(given: Place | None) -> Place:
    """Return the ledger's place for writing; a folder is made, but not for a name that may be a slip."""
    file = place(given)
    if given is None and isinstance(file, Path):
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise LedgerError(
                f"The folder {file.parent} cannot be made ({error.strerror}); set {VARIABLE} to another file."
            ) from None
    return file


@asynccontextmanager
async def opened(given: Place | None) -> AsyncIterator[LedgerView]:
    """Open the ledger to look at it; only a ledger that was named must be there."""
    from pika_async.ledger import open_ledger

    file = place(given)
    if given is not None and isinstance(file, Path) and not file.exists():
        raise ConfigError(f"There is no ledger at {file}; check --ledger.")
    async with open_ledger(file, missing_ok=True) as ledger:
        yield ledger


async def known(text: str, given: Place | None) -> JobView:
    """Read the job that *text* names; raises `ConfigError` when the ledger has none, or several."""
    async with opened(given) as ledger:
        job = await ledger.job(text)
    if job is None:
        raise unknown(text, given)
    return job


def unknown(text: str, given: Place | None) -> ConfigError:
    """Make the error for an id or token that names no job of the ledger."""
    from pika_async.ledger import is_token

    what = "this token" if is_token(text) else f"the id {clipped(text)!r}, or several begin with it"
    return ConfigError(f"No job in {shown(place(given))} has {what}; `pika-async jobs` lists them.")


def _complete(ctx: click.Context, _: click.Parameter, start: str) -> list[CompletionItem]:
    """Return the newest jobs whose ids begin with *start*; a ledger that cannot be read has none."""

    async def newest() -> Sequence[JobView]:
        async with opened(ctx.params.get("ledger")) as ledger:
            return await ledger.jobs(limit=_COMPLETED)

    try:
        jobs = asyncio.run(newest())
    except (PikaError, OSError):
        return []
    return [
        CompletionItem(job.id, help=f"{job.state} {printable(job.prompt or '')[:40]}")
        for job in jobs
        if job.id.startswith(start)
    ]


job_argument = click.argument("job_id", metavar="ID|TOKEN", shell_complete=_complete)
