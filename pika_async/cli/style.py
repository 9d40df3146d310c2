"""The command `style`: an effect on words, an image or a video."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pika_async import Style
from pika_async.cli._command import command as make_command
from pika_async.cli._connection import Connection, connection_options
from pika_async.cli._delivery import Delivery, delivery_options
from pika_async.cli._fields import request_options
from pika_async.cli._ledger import idempotency_option


@make_command(
    "style",
    'pika-async style Inflate "A rubber duck" -o duck.mp4',
    'pika-async style Melt "It melts" --image duck.png --provider duomi',
)
@click.argument("style")
@click.argument("prompt")
@request_options(Style)
@delivery_options
@idempotency_option
@connection_options
def command(
    style: str,
    prompt: str,
    *,
    fields: Mapping[str, Any],
    idempotency_key: str | None,
    connection: Connection,
    delivery: Delivery,
) -> None:
    """Buy a video of PROMPT with an effect. `pika-async providers` lists what STYLE may be."""
    from pika_async.cli._order import buy

    buy(Style(style, prompt, **fields), connection, delivery, idempotency_key)
