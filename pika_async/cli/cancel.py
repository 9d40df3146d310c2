"""The command `cancel`: gives up a job that was not sent, and asks the provider to stop one that was."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Final

import click
from attrs import evolve

from pika_async.cli._command import command, json_option
from pika_async.cli._connection import Connection, address_options
from pika_async.cli._ledger import job_argument, opened, unknown
from pika_async.cli._terminal import printable
from pika_async.results import Cancelled

_WORDS: Final[Mapping[Cancelled, str]] = {
    Cancelled.UNSENT: "The job was never sent; it is given up and costs nothing.",
    Cancelled.REQUESTED: "The provider was asked to stop the job; what it finishes all the same it may bill.",
    Cancelled.TOO_LATE: "It is too late: the job goes on, or has ended. `fetch` gets its video.",
    Cancelled.UNSUPPORTED: "The provider stops no jobs; this one goes on, and `fetch` gets its video.",
}


@command("cancel", "pika-async cancel k3jq7xvm", "pika-async cancel pika1.WyJqMSIs...2f8b4ecb --json")
@job_argument
@json_option()
@address_options
def cancel(job_id: str, as_json: bool, connection: Connection) -> None:
    """Give a job up, or ask its provider to stop it. A video that is finished all the same may be billed.

    Exit code 1 says that the job goes on.
    """
    told = asyncio.run(_cancelled(job_id, connection))
    if as_json:
        click.echo(json.dumps({"cancelled": told.value, "message": _WORDS[told]}))
    else:
        click.echo(printable(_WORDS[told]))
    if told not in {Cancelled.UNSENT, Cancelled.REQUESTED}:
        raise SystemExit(1)


async def _cancelled(text: str, connection: Connection) -> Cancelled:
    from pika_async.ledger import is_token, read_token

    async with opened(connection.ledger) as ledger:
        found = await ledger.job(text)
    if found is not None:
        at, token = evolve(connection, providers=found.providers, account=found.account), found.token
    elif is_token(text):
        told = read_token(text)
        at, token = evolve(connection, providers=(told.provider,), account=told.account), text
    else:
        raise unknown(text, connection.ledger)
    async with at.open() as pika:
        return await pika.job(token).cancel(remote=True)
