"""The command `generate`: a video from words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from pika_async import Generate
from pika_async.cli._command import command as make_command
from pika_async.cli._connection import Connection, connection_options
from pika_async.cli._delivery import Delivery, delivery_options
from pika_async.cli._fields import request_options
from pika_async.cli._ledger import idempotency_option


@make_command(
    "generate",
    'pika-async generate "A cat surfing at sunset" --sandbox -o cat.mp4',
    'pika-async generate "It waves" --image cat.png --provider acedata',
    'pika-async generate "A storm" --camera pan=left,zoom=in --json',
    'pika-async generate "A cat" --idempotency-key order-17 --max-submits 50',
)
@click.argument("prompt")
@request_options(Generate)
@delivery_options
@idempotency_option
@connection_options
def command(
    prompt: str,
    fields: Mapping[str, Any],
    idempotency_key: str | None,
    connection: Connection,
    delivery: Delivery,
) -> None:
    """Buy a video of PROMPT. Waits for it, then saves it or prints its link."""
    from pika_async.cli._order import buy

    buy(Generate(prompt, **fields), connection, delivery, idempotency_key)
