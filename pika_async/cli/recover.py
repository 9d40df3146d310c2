"""The commands `recover` and `resolve`: jobs that dead processes left, and jobs that need a person's word."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import click
from attrs import evolve

from pika_async import ConfigError, Job, JobUnresolved, PikaError, installed
from pika_async.cli import _order
from pika_async.cli._command import command, json_option
from pika_async.cli._connection import Connection, buying_options
from pika_async.cli._delivery import Delivery, delivery_options
from pika_async.cli._ledger import Place, job_argument, known, opened
from pika_async.cli._terminal import printable, run, say
from pika_async.cli.jobs import SHORT, summary

if TYPE_CHECKING:
    from pika_async.ledger import JobView

SECOND_LOOK = 3.0
"""Seconds in which a job that nobody could settle before is looked for once more."""

_ENDED: Final = frozenset({"succeeded", "failed", "cancelled", "abandoned"})


@command("recover", "pika-async recover", "pika-async recover --queued --max-submits 100")
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
@json_option("Print a JSON object a line.")
@buying_options
def recover(queued: bool, account: str, timeout: float, as_json: bool, connection: Connection) -> None:
    """Take over the jobs of processes that ended, and wait for them.

    Jobs that may have been paid are looked up, at no cost. Prints a line for each job as it ends. Exits with
    1 when some did not end.
    """
    unwanted = _ENDED | (set() if queued else {"queued"})
    left = asyncio.run(_left(connection.ledger, account, unwanted))
    if not left:
        say("There is nothing to recover.")
        return
    at = evolve(connection, providers=_with_keys(left), account=account)
    try:
        open_ids = run(_recovered(left, at, queued, timeout, as_json))
    except KeyboardInterrupt as interrupt:
        again = shlex.join(["pika-async", "recover", *connection.arguments])
        interrupt.add_note(f"The jobs go on; `{again}` takes them up again.")
        raise
    if open_ids:
        say(f"{len(open_ids)} of {len(left)} jobs did not end; `pika-async job ID` says what to do.")
        click.get_current_context().exit(1)


async def _left(file: Place | None, account: str, unwanted: frozenset[str]) -> Sequence[JobView]:
    async with opened(file) as ledger:
        return [
            job async for job in ledger.unfinished() if job.account == account and job.state not in unwanted
        ]


def _with_keys(jobs: Sequence[JobView]) -> tuple[str, ...]:
    """Name the providers of *jobs* whose key is at hand; with no key at all the client says what to set."""
    wanted = tuple(dict.fromkeys(name for job in jobs for name in job.providers))
    found = installed.providers()
    return tuple(name for name in wanted if name in found and found[name].key_variable) or wanted


async def _recovered(
    left: Sequence[JobView], connection: Connection, queued: bool, patience: float, as_json: bool
) -> set[str]:
    """Wait for all of *left*, and tell of each; return the ids of those that did not end."""
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
    return f"{end['id'][:SHORT]}  {end['state']:<10}  {printable(end['video_url'] or end['error'] or '')}"


@command(
    "resolve",
    "pika-async resolve k3jq7xvm --resubmit -o cat.mp4",
    "pika-async resolve k3jq7xvm --abandon",
)
@job_argument
@click.option("--resubmit", is_flag=True, help="Order it again: a second video may be paid.")
@click.option("--abandon", is_flag=True, help="Give it up: nothing is sent; a late video is kept.")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@click.option("--no-wait", is_flag=True, help="Once it is accepted again, do not wait for the video.")
@delivery_options
@buying_options
def resolve(
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
    if not job.needs_person:
        raise _changed(job)
    if abandon:
        _abandon(job, connection.ledger, yes, delivery.as_json)
    else:
        _resubmit(job, connection, delivery, yes, no_wait)


def _abandon(job: JobView, file: Place | None, yes: bool, as_json: bool) -> None:
    if not yes:
        click.confirm(f"Give up {_named(job)}?", abort=True, err=True)
    after = asyncio.run(_given_up(job.id, file))
    if after.needs_person:
        raise _changed(after)
    if as_json:
        click.echo(json.dumps(summary(after)))
    else:
        say(f"Job {after.id} is {after.state}. If its video turns up all the same, it is kept.")


async def _given_up(job_id: str, file: Place | None) -> JobView:
    async with opened(file) as ledger:
        return await ledger.abandon(job_id)


def _resubmit(job: JobView, connection: Connection, delivery: Delivery, yes: bool, no_wait: bool) -> None:
    if job.kind is None:
        raise ConfigError(
            f"The ledger holds no request for job {job.id}, which came by its token; order a new video."
        )
    if not job.may_resubmit:
        raise ConfigError(f"Job {job.id} was ordered again before; it can only be given up, with --abandon.")
    if not yes:
        click.confirm(
            f"Order {_named(job)} again? If it was accepted after all, two videos are paid.",
            abort=True,
            err=True,
        )
    at = evolve(connection, providers=job.providers, account=job.account)
    if not no_wait:
        _order.resubmit(job.token, at, delivery)
        return
    try:
        run(_sent(job.token, at))
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(f"The provider may have taken job {job.id} again. Its token: {job.token}")
        raise
    after = asyncio.run(known(job.id, connection.ledger))
    if after.error is not None:
        raise after.error
    if delivery.as_json:
        click.echo(json.dumps(summary(after)))
    else:
        say(f"Job {after.id} is {after.state}; `pika-async job {after.id}` says what to do next.")


async def _sent(token: str, connection: Connection) -> None:
    """Order a job again; closing the client waits until the provider has answered."""
    async with connection.open() as pika:
        await pika.job(token).resubmit()


def _changed(job: JobView) -> ConfigError:
    return ConfigError(
        f"Job {job.id} is {job.state}, not unresolved; `pika-async job {job.id}` says what to do."
    )


def _named(job: JobView) -> str:
    what = job.prompt
    named = f" ({what[:40]}{'...' if len(what) > 40 else ''})" if what else ""
    return f"{job.id[:SHORT]}{named} on {job.provider}"
