"""The command `fetch`: the video of a job that was bought before."""

from __future__ import annotations

import click
from attrs import evolve

from pika_async.cli._command import command as make_command
from pika_async.cli._connection import Connection, address_options
from pika_async.cli._delivery import Delivery, delivery_options


@make_command(
    "fetch",
    "pika-async fetch pika1.WyJqMSIs...2f8b4ecb -o cat.mp4",
    "pika-async fetch pika1.WyJqMSIs...2f8b4ecb --json",
)
@click.argument("token")
@delivery_options
@address_options
def command(token: str, connection: Connection, delivery: Delivery) -> None:
    """Get the video of a job bought before. Buys nothing; TOKEN is what the job was printed with."""
    from pika_async._token import JobToken
    from pika_async.cli._order import resume

    provider = JobToken.decode(token).provider
    resume(token, evolve(connection, providers=(provider,)), delivery)
