"""The command `batch`: a list of prompts becomes a folder of videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from attrs import evolve

from pika_async.cli._batch_run import BatchRun
from pika_async.cli._command import command as make_command
from pika_async.cli._command import json_option
from pika_async.cli._connection import TIMEOUT, WIDTH, Connection, batch_options
from pika_async.cli._ledger import PLACE
from pika_async.cli.jobs import Span


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
    "out",
    required=True,
    type=click.Path(file_okay=False),
    metavar="DIR",
    help="Videos, gallery, manifest and ledger go here; the folder is made. s3://BUCKET/NAME keeps the "
    "videos there, and the rest in the folder NAME.",
)
@click.option(
    "--ledger",
    type=PLACE,
    metavar="FILE",
    help="Keep the record of jobs here, as when DIR is on a network disk.  [default: DIR/jobs.db]",
)
@click.option("--dry-run", is_flag=True, help="Show what would be sent, without secrets; buy nothing.")
@click.option(
    "--retry-failed", is_flag=True, help="Order the rows again whose jobs failed; that may cost again."
)
@click.option(
    "--adopt", is_flag=True, help="Take over jobs that the manifest names and the ledger does not know."
)
@click.option(
    "--reuse",
    type=Span(),
    metavar="SPAN",
    help="Take the video of an equal order of the ledger that is no older than 30d, say, and buy none.",
)
@click.option("--ignore-extra-columns", is_flag=True, help="Leave out columns that no request has.")
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
@json_option("Print the result as a JSON object.")
@batch_options
def command(prompts: str, *, dry_run: bool, as_json: bool, connection: Connection, **given: Any) -> None:
    """Save a video of each row of PROMPTS in DIR. Run it again, and it continues.

    PROMPTS is text with one prompt a line, CSV or JSON lines with any field of a request, or - for
    stdin. All rows are checked before the first is bought. The same command again buys nothing twice
    and fetches what is missing. DIR/index.html shows the videos.
    """
    out = given.pop("out")
    store = out.rstrip("/") if "://" in out else None
    folder = Path(out if store is None else store.rpartition("/")[2])
    run = BatchRun(
        prompts=prompts,
        folder=folder,
        store=store,
        connection=evolve(connection, ledger=given.pop("ledger")),
        **given,
    )
    if dry_run:
        run.preview()
    elif not run.carry_out(as_json=as_json):
        click.get_current_context().exit(1)
