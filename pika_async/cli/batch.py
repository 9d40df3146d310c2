"""The command `batch`: a list of prompts becomes a folder of videos."""

from __future__ import annotations

from pathlib import Path

import click

from pika_async.cli._command import command as make_command
from pika_async.cli._connection import TIMEOUT, WIDTH, Connection, batch_options


@make_command(
    "batch",
    "pika-async batch prompts.txt --out videos --sandbox",
    "pika-async batch prompts.csv --out videos --dry-run",
    "pika-async batch prompts.jsonl --out videos --max-submits 50",
    "pika-async batch - --out videos < prompts.txt",
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
@click.option(
    "--retry-failed", is_flag=True, help="Order rows anew that failed for good; that may cost again."
)
@click.option(
    "--max-concurrency",
    "width",
    type=click.IntRange(min=1),
    default=WIDTH,
    show_default=True,
    metavar="N",
    help="Render this many at a time.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=TIMEOUT,
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
    """Bring a video of each row of PROMPTS to DIR. Asked again, it goes on where it stopped.

    PROMPTS is text with one prompt a line, CSV or JSON lines with any field of a request, or - for
    stdin. All rows are checked before the first is bought. The same command again buys nothing twice
    and fetches what is missing. DIR/index.html shows the videos.
    """
    from pika_async.cli._batch import Batch
    from pika_async.cli._batch_folder import BatchFolder

    batch = Batch(prompts, BatchFolder(folder), connection, retry_failed, width, timeout)
    if dry_run:
        batch.show()
    elif not batch.carry_out(as_json=as_json):
        click.get_current_context().exit(1)
