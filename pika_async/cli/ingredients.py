"""The command `ingredients`: a video in which the things on several images appear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pika_async import Ingredients
from pika_async.cli._command import command as make_command
from pika_async.cli._connection import Connection, connection_options
from pika_async.cli._delivery import Delivery, delivery_options
from pika_async.cli._fields import media, request_options
from pika_async.cli._ledger import idempotency_option
from pika_async.requests import Media


@make_command(
    "ingredients",
    'pika-async ingredients "They dance" cat.png dog.png -o dance.mp4',
    'pika-async ingredients "They dance" a.png b.png --mode precise --json',
)
@click.argument("prompt")
@click.argument("images", metavar="IMAGE...", nargs=-1, required=True, type=media)
@request_options(Ingredients)
@delivery_options
@idempotency_option
@connection_options
def command(
    prompt: str,
    images: tuple[Media, ...],
    *,
    fields: Mapping[str, Any],
    idempotency_key: str | None,
    connection: Connection,
    delivery: Delivery,
) -> None:
    """Buy a video of what the IMAGEs show. Each is a link or a file, and all appear together."""
    from pika_async.cli._order import buy

    buy(Ingredients(prompt, images, **fields), connection, delivery, idempotency_key)
