"""The command `batch`: a list of prompts becomes a folder of videos."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
from attrs import evolve, field, frozen

from pika_async.cli._command import command as make_command
from pika_async.cli._connection import SANDBOX_KEY, Connection, batch_options
from pika_async.cli._interrupt import run
from pika_async.cli._words import say

if TYPE_CHECKING:
    from pika_async.cli._batch_folder import BatchFolder
    from pika_async.cli._batch_plan import Plan
    from pika_async.cli._rows import Listed

_WIDTH: Final = 32
_TIMEOUT: Final = 900.0
_USUAL: Final = 90.0


@make_command(
    "batch",
    "pika-async batch prompts.txt --out videos --sandbox",
    "pika-async batch prompts.csv --out videos --dry-run",
    "pika-async batch prompts.jsonl --out videos --max-submits 50",
    "generate-prompts | pika-async batch - --out videos",
)
@click.argument("prompts", metavar="PROMPTS", type=click.Path(dir_okay=False, allow_dash=True))
@click.option(
    "--out",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Videos, gallery, manifest and ledger go here; the folder is made.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be sent, without secrets; buy nothing.")
@click.option("--retry-failed", is_flag=True, help="Order rows anew that failed for good: it costs again.")
@click.option(
    "--max-concurrency",
    "width",
    type=click.IntRange(min=1),
    default=_WIDTH,
    show_default=True,
    metavar="N",
    help="Render this many at a time.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=_TIMEOUT,
    show_default=True,
    metavar="SECONDS",
    help="Wait this long for one render; its job goes on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the result as a JSON object.")
@batch_options
def command(
    prompts: str,
    *,
    folder: Path,
    dry_run: bool,
    retry_failed: bool,
    width: int,
    timeout: float,
    as_json: bool,
    connection: Connection,
) -> None:
    """Bring a video of each row of PROMPTS to DIR; asked again, go on where it stopped.

    PROMPTS is text with one prompt a line, CSV or JSON lines with any field of a request, or - for
    stdin. All rows are checked before the first is bought. The same command continues: it buys nothing
    twice and fetches what is missing. DIR/index.html shows the videos.
    """
    from pika_async.cli._batch_folder import BatchFolder

    batch = _Batch(
        prompts=prompts,
        folder=BatchFolder(folder),
        connection=connection,
        retry_failed=retry_failed,
        width=width,
        timeout=timeout,
        as_json=as_json,
    )
    listed = batch.checked(dry_run=dry_run)
    if dry_run:
        asyncio.run(batch.show(listed))
        return
    if not batch.carry_out(listed):
        click.get_current_context().exit(1)


@frozen(kw_only=True)
class _Batch:
    """One run of the command."""

    prompts: str
    folder: BatchFolder
    connection: Connection
    retry_failed: bool
    width: int
    timeout: float
    as_json: bool
    _plans: list[Plan] = field(factory=list, init=False)

    def checked(self, *, dry_run: bool) -> list[Listed]:
        """Read the list; raises `ConfigError` if any row of it is wrong."""
        from pika_async.cli._adapters import able, check
        from pika_async.cli._rows import read_requests
        from pika_async.cli._source import Source

        key = SANDBOX_KEY if self.connection.sandbox else "unset" if dry_run else None
        adapters = able(self.connection.names, key=key, base_url=self.connection.base_url)
        return read_requests(Source.read(self.prompts), lambda request: check(request, adapters))
