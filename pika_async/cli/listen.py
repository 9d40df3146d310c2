"""The command `listen`: receives callbacks into a ledger, for whichever process waits for them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from pika_async.cli._command import command as make_command
from pika_async.cli._interrupt import run, stop_signal
from pika_async.cli._ledger import ledger_option, ready
from pika_async.cli._words import say

if TYPE_CHECKING:
    from pika_async._ledger import Ledger

SECRETS_VARIABLE: Final = "PIKA_ASYNC_CALLBACK_SECRETS"


@make_command(
    "listen",
    "pika-async listen",
    "pika-async listen --ledger jobs.db --host 0.0.0.0 --port 8080",
)
@ledger_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Listen at this address.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8766,
    show_default=True,
    help="Listen here; 0 takes a free one.",
)
def command(ledger: Path | None, host: str, port: int) -> None:
    """Receive callbacks, for the processes that wait. Runs until Ctrl-C.

    Buys nothing and needs no key. Secrets other than the ledger's own are read from
    PIKA_ASYNC_CALLBACK_SECRETS: the newest first, then older ones, with spaces between.
    """
    from pika_async._ledger.sqlite import SqliteLedger

    with suppress(KeyboardInterrupt):
        run(_listen(SqliteLedger(ready(ledger)), host, port))
    say("No callbacks are received any more.")


async def _listen(ledger: Ledger, host: str, port: int) -> None:
    from pika_async.callbacks._standalone import receiving

    stop = stop_signal()
    secrets = os.environ.get(SECRETS_VARIABLE, "").split()
    async with receiving(ledger, secrets, host, port) as address:
        click.echo(
            f"Callbacks are received at {address} until Ctrl-C.\n"
            "Providers must reach it from outside. Wherever you submit, set\n"
            "Callbacks(public_url=...) to the address that they use."
        )
        await stop.wait()
