"""`work`: a worker of a fleet, on a ledger in Postgres."""

from __future__ import annotations

import asyncio
import signal
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import click

from pika_async import ConfigError
from pika_async.cli._command import command
from pika_async.cli._connection import WIDTH
from pika_async.cli._ledger import PLACE, VARIABLE, Place, max_cost_option, max_submits_option
from pika_async.cli._terminal import run, say
from pika_async.provider import Secret

if TYPE_CHECKING:
    from pika_async.fleet import Work


@command(
    "work",
    "pika-async work acedata --ledger postgresql://shop@db/shop",
    "pika-async work acedata --ledger postgresql://shop@db/shop --out videos",
)
@click.argument(
    "providers",
    metavar="PROVIDER...",
    nargs=-1,
    required=True,
    type=click.Choice(sorted(entry_points(group="pika_async.providers").names)),
)
@click.option(
    "--ledger",
    type=PLACE,
    metavar="ADDRESS",
    required=True,
    envvar=VARIABLE,
    show_envvar=True,
    help="The database of the ledger: postgresql://user:password@host/database.",
)
@click.option("--out", metavar="DIR", help="Save finished videos here: a folder, or s3://bucket/prefix.")
@click.option("--hook", metavar="NAME", help="Call this for each video: module:function, or an entry point.")
@click.option(
    "--places",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Run so many tasks at once on this worker.",
)
@click.option(
    "--max-concurrency",
    type=click.IntRange(min=1),
    default=WIDTH,
    show_default=True,
    help="Have so many jobs under way on each account, over all workers; the smallest value counts.",
)
@max_submits_option
@max_cost_option
@click.option("--account", default="default", show_default=True, help="Keep jobs under this label.")
@click.option("--health", metavar="HOST:PORT", help="Answer /healthz and /readyz at this address.")
def work(  # noqa: PLR0917 - click hands everything over by name
    providers: tuple[str, ...],
    ledger: Place,
    out: str | None,
    hook: str | None,
    places: int,
    max_concurrency: int,
    max_submits: int | None,
    max_cost: str | None,
    account: str,
    health: str | None,
) -> None:
    """Send the orders that any process enqueued on the ledger. Runs until SIGTERM or Ctrl-C.

    Start it on as many machines as you like. Before it ends, it waits for its POSTs. Other workers
    send the rest.
    """
    if not isinstance(ledger, Secret):
        raise ConfigError("Workers share a ledger on Postgres: --ledger postgresql://user:password@host/name")
    try:
        from pika_async.fleet import Work
    except ImportError as error:
        raise ConfigError(
            f'Workers need more packages ({error.name} is missing): pip install "pika-async[distributed]"'
        ) from None
    task = Work(
        providers=providers,
        ledger=ledger,
        out=out,
        hook=hook,
        places=places,
        max_concurrency=max_concurrency,
        account=account,
        health=health,
        options={"max_submits": max_submits, "max_cost": max_cost},
    )
    run(_work(task))
    say("The worker has ended.")


async def _work(task: Work) -> None:
    from pika_async import fleet

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await fleet.work(task, stop, told=click.echo)
