"""The command `fetch`: the video of a job that was bought before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click
from attrs import evolve

from pika_async import ConfigError
from pika_async.cli._command import command as make_command
from pika_async.cli._connection import Connection, address_options
from pika_async.cli._delivery import Delivery, delivery_options
from pika_async.cli._ledger import find, is_token, opened, unknown

if TYPE_CHECKING:
    from pika_async._ledger.records import JobRecord


@make_command(
    "fetch",
    "pika-async fetch k3jq7xvm -o cat.mp4",
    "pika-async fetch pika1.WyJqMSIs...2f8b4ecb -o cat.mp4",
    "pika-async fetch pika1.WyJqMSIs...2f8b4ecb --json",
)
@click.argument("job_id", metavar="ID|TOKEN")
@delivery_options
@address_options
def command(job_id: str, connection: Connection, delivery: Delivery) -> None:
    """Get the video of a job bought before. Buys nothing.

    `pika-async jobs` lists ids, of which the start is enough. A token needs no ledger.
    """
    from pika_async._token import JobToken
    from pika_async.cli import _record
    from pika_async.cli._order import resume

    record = asyncio.run(_found(job_id, connection))
    if record is None:
        token = JobToken.decode(job_id)
        resume(job_id, evolve(connection, providers=(token.provider,), account=token.label), delivery)
        return
    if _record.standing(record) == "queued":
        raise ConfigError(
            f"Job {record.id} was not sent yet; `pika-async job {record.id}` says what to do about it."
        )
    at = evolve(connection, providers=_record.providers(record), account=_record.label(record))
    resume(_record.token(record), at, delivery)


async def _found(text: str, connection: Connection) -> JobRecord | None:
    async with opened(connection.ledger) as ledger:
        record = await find(ledger, text)
    if record is None and not is_token(text):
        raise unknown(text, connection.ledger)
    return record
