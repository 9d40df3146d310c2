"""The commands `ledger migrate`, `ledger check` and `ledger move`: the place of the jobs itself."""

from __future__ import annotations

import asyncio

import click

from pika_async import ConfigError
from pika_async.cli._command import command, group
from pika_async.cli._ledger import PLACE, Place, ledger_option, opened, place, shown
from pika_async.cli._terminal import say
from pika_async.provider import Secret


@group(
    "ledger",
    "pika-async ledger migrate --ledger postgresql://db/app",
    "pika-async ledger check",
    "pika-async ledger move --ledger jobs.db --to postgresql://db/app",
)
@click.pass_context
def ledger(ctx: click.Context) -> None:
    """Create, check or move a ledger."""
    if ctx.invoked_subcommand is None:
        raise click.UsageError("Say migrate, check or move.")


@command("migrate", "pika-async ledger migrate --ledger postgresql://db/app")
@ledger_option
def migrate(ledger: Place | None) -> None:
    """Make the tables, or bring them to the newest version. Old and new processes may go on meanwhile."""
    asyncio.run(_migrated(ledger))
    say(f"The ledger in {shown(place(ledger))} is of the newest version.")


async def _migrated(given: Place | None) -> None:
    from pika_async.ledger import ledger_at

    ledger = ledger_at(place(given))
    await ledger.open()
    await ledger.aclose()


@command("check", "pika-async ledger check --ledger jobs.db")
@ledger_option
def check(ledger: Place | None) -> None:
    """Read every job, and print what is inconsistent. Exits with 1 for any; changes nothing."""
    wrong = asyncio.run(_checked(ledger))
    for sentence in wrong:
        click.echo(sentence)
    if wrong:
        click.get_current_context().exit(1)
    say(f"The ledger in {shown(place(ledger))} is sound.")


async def _checked(given: Place | None) -> list[str]:
    async with opened(given) as view:
        return list(await view.check())


@command("move", "pika-async ledger move --ledger jobs.db --to postgresql://db/app")
@ledger_option
@click.option("--to", type=PLACE, required=True, metavar="ADDRESS", help="The database, without jobs yet.")
def move(ledger: Place | None, to: Place) -> None:
    """Move a file's jobs into a database. Ends the use of the file: end what has it open first."""
    from pika_async.ledger import move_ledger

    file = place(ledger)
    if isinstance(file, Secret) or not isinstance(to, Secret):
        raise ConfigError("Only a file can be moved, and only into a database: --to postgresql://...")
    count = asyncio.run(move_ledger(file, to))
    say(f"{count} jobs are in the database now. Use its address in place of {file}.")


for one in (migrate, check, move):
    ledger.add_command(one)
