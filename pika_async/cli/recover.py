"""The command `recover`: goes on with what dead processes left in the ledger."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import evolve

from pika_async import Job, JobUnresolved, PikaError
from pika_async.cli._command import command as make_command
from pika_async.cli._connection import Connection, buying_options
from pika_async.cli._interrupt import run
from pika_async.cli._ledger import opened
from pika_async.cli._words import printable, say

if TYPE_CHECKING:
    from pika_async._ledger.records import JobRecord

SECOND_LOOK = 3.0
"""Seconds in which a job that nobody could settle before is looked for once more."""


@make_command("recover", "pika-async recover", "pika-async recover --queued --max-submits 100")
@click.option("--queued", is_flag=True, help="Also buy what was ordered and never sent.")
@click.option(
    "--account", default="default", show_default=True, metavar="LABEL", help="Those bought with this account."
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=900,
    metavar="SECONDS",
    show_default=True,
    help="Stop waiting for a job after this long; it goes on.",
)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object a line.")
@buying_options
def command(queued: bool, account: str, timeout: float, as_json: bool, connection: Connection) -> None:
    """Take over what dead processes left, and wait for all of it.

    What may have been paid is looked for, at no cost. Prints a line for each job as it ends. Exits with 1
    when some did not end.
    """
    left = [job for job in asyncio.run(_left(connection.ledger)) if _is_ours(job, account, queued)]
    if not left:
        say("There is nothing to recover.")
        return
    providers = _with_keys(left)
    at = evolve(connection, providers=providers, account=account)
    try:
        open_ids = run(_recover(left, at, queued, timeout, as_json))
    except KeyboardInterrupt as interrupt:
        interrupt.add_note("The jobs go on; `pika-async recover` takes them up again.")
        raise
    if open_ids:
        say(f"{len(open_ids)} of {len(left)} jobs did not end; `pika-async job ID` says what to do.")
        click.get_current_context().exit(1)


async def _left(file: Path | None) -> Sequence[JobRecord]:
    async with opened(file) as ledger:
        return await ledger.unfinished()


def _is_ours(job: JobRecord, account: str, queued: bool) -> bool:
    from pika_async.cli._record import label, standing

    unwanted = {"succeeded", "failed", "cancelled", "abandoned"} | (set() if queued else {"queued"})
    return label(job) == account and standing(job) not in unwanted


def _with_keys(jobs: Sequence[JobRecord]) -> tuple[str, ...]:
    """Name the providers of *jobs* whose key is at hand; with no key at all the client says what to set."""
    from pika_async import _registry
    from pika_async.cli._record import providers

    wanted = tuple(dict.fromkeys(name for job in jobs for name in providers(job)))
    keyed = _registry.with_keys()
    return tuple(name for name in wanted if name in keyed) or wanted


async def _recover(
    left: Sequence[JobRecord], connection: Connection, queued: bool, patience: float, as_json: bool
) -> set[str]:
    """Wait for all of *left*, and tell of each; gives the ids of those that did not end."""
    still_open = {job.id for job in left}
    async with connection.open() as pika:
        waits = [
            asyncio.create_task(_ended(job, patience))
            async for job in pika.recover(queued=queued)
            if job.id in still_open
        ]
        if missed := len(left) - len(waits):
            say(f"{missed} of {len(left)} jobs are left alone: the key of their provider is not set.")
        for waiting in asyncio.as_completed(waits):
            end = await waiting
            if end["state"] in {"succeeded", "failed"}:
                still_open.discard(end["id"])
            click.echo(json.dumps(end) if as_json else _line(end))
    return still_open


async def _ended(job: Job, patience: float) -> Mapping[str, Any]:
    video = error = None
    try:
        try:
            video = await job.wait(patience)
        except JobUnresolved:
            await asyncio.sleep(SECOND_LOOK)
            video = await job.wait(patience)
    except PikaError as failure:
        error = failure
    return {
        "id": job.id,
        "state": "unresolved" if isinstance(error, JobUnresolved) else job.state.value,
        "provider": job.provider,
        "token": job.token,
        "video_url": video.video_url if video else None,
        "error": error.message if error else None,
    }


def _line(end: Mapping[str, Any]) -> str:
    from pika_async.cli._record import SHORT

    return f"{end['id'][:SHORT]}  {end['state']:<10}  {printable(end['video_url'] or end['error'] or '')}"
