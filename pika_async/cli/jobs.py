"""The command `jobs`: what the ledger holds, newest first, and how it is made shorter."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, cast

import click

from pika_async import ConfigError
from pika_async.cli._command import command, group, json_option
from pika_async.cli._ledger import Place, known, ledger_option, opened
from pika_async.cli._terminal import age, printable, run, say
from pika_async.ledger import STATES, JobState, JobView

if TYPE_CHECKING:
    from rich.table import Table

SHORT: Final = 10
"""So much of an id is shown; the start of one names its job everywhere."""

_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_STYLES: Final = {
    "succeeded": "green",
    "running": "cyan",
    "submitting": "cyan",
    "sending": "cyan",
    "failed": "red",
    "ambiguous": "yellow",
    "unresolved": "bold yellow",
}


def moment(at: float) -> str:
    """Write a time for machines.

    >>> moment(0.0)
    '1970-01-01T00:00:00+00:00'
    """
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds")


def summary(job: JobView) -> Mapping[str, Any]:
    """Return the job as one JSON object of `pika-async jobs --json`; its keys stay."""
    names = ("id", "state", "provider", "account", "kind", "prompt", "created_at", "charged", "token")
    return {name: getattr(job, name) for name in names} | {"created_at": moment(job.created_at)}


class Span(click.ParamType[float]):
    """A time such as 30d, as an option."""

    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a time such as 30d, in seconds."""
        match = re.fullmatch(r"(\d{1,6})([smhdw])", str(value))
        if match is None:
            self.fail(f"{value!r} is not like 30d; the units are s, m, h, d and w.", param, ctx)
        return int(match[1]) * float(_SECONDS[match[2]])


@group(
    "jobs",
    "pika-async jobs",
    "pika-async jobs --state unresolved",
    "pika-async jobs --limit 1000 --json",
    "pika-async jobs --watch",
    "pika-async jobs prune --older-than 30d",
)
@click.option("--state", type=click.Choice(STATES), metavar="STATE", help=f"Only those: {', '.join(STATES)}.")
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    metavar="N",
    help="Only the newest of them.",
)
@json_option()
@click.option(
    "--watch", "watching", is_flag=True, help="Show them and the fleet, and refresh every two seconds."
)
@ledger_option
@click.pass_context
def jobs(
    ctx: click.Context,
    *,
    state: str | None,
    limit: int,
    as_json: bool,
    watching: bool,
    ledger: Place | None,
) -> None:
    """List jobs, newest first. Asks no provider and needs no key."""
    if ctx.invoked_subcommand is not None:
        ctx.obj = ledger
        return
    if watching:
        _watch(ledger, cast("JobState | None", state), limit)
        return
    found = asyncio.run(_newest(ledger, cast("JobState | None", state), limit))
    if as_json:
        click.echo(json.dumps({"jobs": [summary(job) for job in found]}, indent=2))
        return
    if not found:
        say("There are no such jobs." if state else "There are no jobs yet.")
        return
    _show(found, time.time())
    if any(job.needs_person for job in found):
        say("Unresolved jobs wait for you; `pika-async job ID` says what to do.")


def _watch(ledger: Place | None, state: JobState | None, limit: int) -> None:
    from rich.console import Console

    from pika_async.cli._watch import watch

    async def shown() -> Table:
        return _table(await _newest(ledger, state, limit), time.time(), Console().encoding)

    with suppress(KeyboardInterrupt):
        run(watch(ledger, shown))


async def _newest(file: Place | None, state: JobState | None, limit: int) -> Sequence[JobView]:
    async with opened(file) as ledger:
        return await ledger.jobs(state, limit=limit)


def _show(found: Sequence[JobView], now: float) -> None:
    """Print a table of one line a job, however narrow the terminal is; *now* is wall-clock seconds."""
    from rich.console import Console

    console = Console()
    console.print(_table(found, now, console.encoding))


def _table(found: Sequence[JobView], now: float, encoding: str) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), expand=True)
    table.add_column("id", no_wrap=True, min_width=SHORT)
    for name in ("state", "provider", "kind"):
        table.add_column(name, no_wrap=True)
    table.add_column(
        "prompt",
        no_wrap=True,
        overflow="ellipsis" if encoding.startswith("utf") else "crop",
        ratio=1,
    )
    table.add_column("age", no_wrap=True, justify="right")
    table.add_column("paid", no_wrap=True)
    for job in found:
        table.add_row(
            job.id[:SHORT],
            Text(job.state, style=_STYLES.get(job.state, "")),
            Text(printable(job.provider)),
            job.kind or "-",
            Text(printable(job.prompt or "-")),
            age(now - job.created_at),
            job.charged,
        )
    return table


@command("prune", "pika-async jobs prune --older-than 30d --dry-run")
@click.option(
    "--older-than",
    type=Span(),
    required=True,
    metavar="SPAN",
    help="Such as 30d; the units are s, m, h, d and w.",
)
@click.option("--dry-run", is_flag=True, help="Only say how many would go.")
@ledger_option
@click.pass_obj
def prune(outer: Place | None, older_than: float, dry_run: bool, ledger: Place | None) -> None:
    """Forget jobs that have ended long ago.

    What may still cost money, or has cost it unseen, stays. A forgotten job's idempotency key buys again.
    """
    count = asyncio.run(_prune(ledger or outer, time.time() - older_than, dry_run))
    click.echo(
        f"{count} {'job' if count == 1 else 'jobs'} {'would be' if dry_run else 'are'} forgotten."
        if count
        else "No job is old enough."
    )


async def _prune(file: Place | None, before: float, dry_run: bool) -> int:
    async with opened(file) as ledger:
        return await ledger.prune(before, dry_run=dry_run)


@command(
    "forget",
    "pika-async jobs forget k3jq7xvm",
    "pika-async jobs forget --older-than 30d --media",
)
@click.argument("job_id", metavar="[ID|TOKEN]", required=False)
@click.option("--older-than", type=Span(), metavar="SPAN", help="All that were ordered before, such as 30d.")
@click.option("--media", is_flag=True, help="Only their pictures and the like; prompts stay.")
@ledger_option
@click.pass_obj
def forget(
    outer: Place | None, job_id: str | None, older_than: float | None, media: bool, ledger: Place | None
) -> None:
    """Forget what was asked for in jobs that have ended: prompts, media and raw answers.

    What keeps a job from being bought again stays, and so does its video's address.
    """
    if (job_id is None) is (older_than is None):
        raise click.UsageError("Name one job, or say --older-than.")
    at = ledger or outer
    if older_than is not None:
        count = asyncio.run(_forget_old(at, time.time() - older_than, media))
        say(f"{count} {'job is' if count == 1 else 'jobs are'} forgotten.")
        return
    found = asyncio.run(known(job_id or "", at))
    if not asyncio.run(_forget(at, found.id, media)):
        raise ConfigError(f"Job {found.id} is {found.state}; only what has ended can be forgotten.")
    say(f"What was asked for in job {found.id} is forgotten.")


async def _forget(at: Place | None, job_id: str, media_only: bool) -> bool:
    async with opened(at) as ledger:
        return await ledger.forget(job_id, media_only=media_only)


async def _forget_old(at: Place | None, before: float, media_only: bool) -> int:
    async with opened(at) as ledger:
        return await ledger.forget_old(before, media_only=media_only)


jobs.add_command(prune)
jobs.add_command(forget)
