"""The command `resolve`: a person's word on a job that nobody else can settle."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from attrs import evolve

from pika_async import ConfigError
from pika_async.cli._command import command as make_command
from pika_async.cli._connection import Connection, buying_options
from pika_async.cli._delivery import Delivery, delivery_options
from pika_async.cli._interrupt import run
from pika_async.cli._ledger import known, opened
from pika_async.cli._words import say

if TYPE_CHECKING:
    from pika_async._ledger.records import JobRecord


@make_command(
    "resolve",
    "pika-async resolve k3jq7xvm --resubmit -o cat.mp4",
    "pika-async resolve k3jq7xvm --abandon",
)
@click.argument("job_id", metavar="ID|TOKEN")
@click.option("--resubmit", is_flag=True, help="Order it again: a second video may be paid.")
@click.option("--abandon", is_flag=True, help="Give it up: nothing is sent; a late video is kept.")
@click.option("--yes", is_flag=True, help="Do not ask back.")
@click.option("--no-wait", is_flag=True, help="Once it is accepted again, do not wait for the video.")
@delivery_options
@buying_options
def command(
    job_id: str,
    *,
    resubmit: bool,
    abandon: bool,
    yes: bool,
    no_wait: bool,
    connection: Connection,
    delivery: Delivery,
) -> None:
    """Settle an unresolved job. Look at the provider's console first; `pika-async job ID` says for what."""
    if resubmit is abandon:
        raise click.UsageError("Say either --resubmit or --abandon.")
    job = asyncio.run(known(job_id, connection.ledger))
    if abandon:
        _abandon(job, connection.ledger, yes, delivery.as_json)
    else:
        _resubmit(job, connection, delivery, yes, no_wait)


def _abandon(job: JobRecord, file: Path | None, yes: bool, as_json: bool) -> None:
    from pika_async.cli._record import decisive, standing, summary

    _refuse_settled(job)
    if not yes:
        click.confirm(f"Give up {_named(job)}?", abort=True, err=True)
    after = asyncio.run(_given_up(job, decisive(job).id, file))
    if standing(after) == "unresolved":
        raise _changed(after)
    if as_json:
        click.echo(json.dumps(summary(after)))
    else:
        say(f"Job {after.id} is {standing(after)}. If its video turns up all the same, it is kept.")


async def _given_up(job: JobRecord, attempt: str, file: Path | None) -> JobRecord:
    from pika_async._ledger.events import Abandon

    async with opened(file) as ledger:
        return await ledger.apply(job.id, Abandon(attempt=attempt), time.time())


def _resubmit(job: JobRecord, connection: Connection, delivery: Delivery, yes: bool, no_wait: bool) -> None:
    from pika_async.cli import _order, _record

    _refuse_settled(job)
    if not _record.may_resubmit(job):
        raise ConfigError(f"Job {job.id} was ordered again before; it can only be given up, with --abandon.")
    if job.request is None:
        raise ConfigError(
            f"The ledger holds no request for job {job.id}, which came by its token; order a new video."
        )
    if not yes:
        click.confirm(
            f"Order {_named(job)} again? If it was accepted after all, two videos are paid.",
            abort=True,
            err=True,
        )
    at = evolve(connection, providers=_record.providers(job), account=_record.label(job))
    token = _record.token(job)
    if not no_wait:
        _order.resubmit(token, at, delivery)
        return
    run(_sent(token, at))
    _tell(asyncio.run(known(job.id, connection.ledger)), delivery.as_json)


async def _sent(token: str, connection: Connection) -> None:
    """Order a job again; closing the client waits until the provider has answered."""
    async with connection.open() as pika:
        await pika.job(token).resubmit()


def _tell(job: JobRecord, as_json: bool) -> None:
    from pika_async.cli._record import error, standing, summary

    failure = error(job)
    if failure is not None:
        raise failure
    if as_json:
        click.echo(json.dumps(summary(job)))
    else:
        say(f"Job {job.id} is {standing(job)}; `pika-async job {job.id}` says what to do next.")


def _refuse_settled(job: JobRecord) -> None:
    from pika_async.cli._record import standing

    if standing(job) != "unresolved":
        raise _changed(job)


def _changed(job: JobRecord) -> ConfigError:
    from pika_async.cli._record import standing

    return ConfigError(
        f"Job {job.id} is {standing(job)}, not unresolved; `pika-async job {job.id}` says what to do."
    )


def _named(job: JobRecord) -> str:
    from pika_async.cli._record import SHORT, decisive, prompt

    what = prompt(job)
    named = f" ({what[:40]}{'...' if len(what) > 40 else ''})" if what else ""
    return f"{job.id[:SHORT]}{named} on {decisive(job).account.partition(':')[0]}"
