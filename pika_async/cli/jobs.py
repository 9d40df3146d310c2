"""The command `jobs`: what the ledger holds, newest first, and how it is made shorter."""

from __future__ import annotations

import asyncio
import json
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pika_async.cli._command import command as make_command
from pika_async.cli._command import group as make_group
from pika_async.cli._ledger import ledger_option, opened
from pika_async.cli._words import say

if TYPE_CHECKING:
    from pika_async._ledger.records import JobRecord

STATES: Final = (
    "queued",
    "submitting",
    "ambiguous",
    "unresolved",
    "running",
    "succeeded",
    "failed",
    "cancelled",
    "abandoned",
)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_PAGE: Final = 500


class _Span(click.ParamType[float]):
    name = "span"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a time such as 30d, in seconds."""
        match = re.fullmatch(r"(\d{1,6})([smhdw])", str(value))
        if match is None:
            self.fail(f"{value!r} is not like 30d; the units are s, m, h, d and w.", param, ctx)
        return int(match[1]) * float(_SECONDS[match[2]])


@make_group(
    "jobs",
    "pika-async jobs",
    "pika-async jobs --state unresolved",
    "pika-async jobs --limit 1000 --json",
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
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@ledger_option
@click.pass_context
def command(ctx: click.Context, state: str | None, limit: int, as_json: bool, ledger: Path | None) -> None:
    """List jobs, newest first. Asks no provider and needs no key."""
    if ctx.invoked_subcommand is not None:
        ctx.obj = ledger
        return
    from pika_async.cli._record import standing, summary

    found = asyncio.run(_newest(ledger, state, limit))
    if as_json:
        click.echo(json.dumps({"jobs": [summary(job) for job in found]}, indent=2))
        return
    if not found:
        say("There are no such jobs." if state else "There are no jobs yet.")
        return
    from pika_async.cli._jobs_table import show

    show(found, time.time())
    if any(standing(job) == "unresolved" for job in found):
        say("Unresolved jobs wait for you; `pika-async job ID` says what to do.")


async def _newest(file: Path | None, state: str | None, limit: int) -> list[JobRecord]:
    """Read the *limit* newest jobs that stand at *state*, page by page."""
    from pika_async.cli._record import standing

    found: list[JobRecord] = []
    # A job stands at one state, and may have attempts in several.
    asked = "unresolved" if state == "abandoned" else state
    async with opened(file) as ledger:
        last: str | None = None
        while len(found) < limit:
            page = await ledger.jobs(asked, min(_PAGE, limit) if state is None else _PAGE, last)
            found += (job for job in page if state is None or standing(job) == state)
            if not page:
                break
            last = page[-1].id
    return found[:limit]


@make_command("prune", "pika-async jobs prune --older-than 30d --dry-run")
@click.option(
    "--older-than",
    type=_Span(),
    required=True,
    metavar="SPAN",
    help="Such as 30d; the units are s, m, h, d and w.",
)
@click.option("--dry-run", is_flag=True, help="Only say how many would go.")
@ledger_option
@click.pass_obj
def prune(outer: Path | None, older_than: float, dry_run: bool, ledger: Path | None) -> None:
    """Forget jobs that have ended long ago.

    What may still cost money, or has cost it unseen, stays. A forgotten job's idempotency key buys anew.
    """
    count = asyncio.run(_prune(ledger or outer, time.time() - older_than, dry_run))
    click.echo(
        f"{count} {'job' if count == 1 else 'jobs'} {'would be' if dry_run else 'are'} forgotten."
        if count
        else "No job is old enough."
    )


async def _prune(file: Path | None, before: float, dry_run: bool) -> int:
    async with opened(file) as ledger:
        if not dry_run:
            return await ledger.prune(before)
        count = 0
        last: str | None = None
        while page := await ledger.jobs(None, _PAGE, last):
            count += sum(job.settled and job.created_at < before for job in page)
            last = page[-1].id
        return count


command.add_command(prune)
