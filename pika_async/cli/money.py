"""The commands about money: `quote` before an order, and `spend` after it."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from attrs import Factory, asdict, define

from pika_async import Generate
from pika_async.cli._command import command, json_option
from pika_async.cli._connection import Connection, connection_options
from pika_async.cli._fields import request_options
from pika_async.cli._ledger import ledger_option, opened
from pika_async.cli._terminal import printable, run, say
from pika_async.cli.jobs import Span

if TYPE_CHECKING:
    from pika_async.types import Quote


@command(
    "quote",
    'pika-async quote "A cat surfing at sunset"',
    'pika-async quote "A storm" --duration 10 --resolution 1080p',
)
@click.argument("prompt", required=False)
@request_options(Generate)
@json_option()
@connection_options
def quote(prompt: str | None, *, fields: Mapping[str, Any], as_json: bool, connection: Connection) -> None:
    """Say what a video of PROMPT would cost, by provider. Buys nothing.

    Prices of your own come from the file that PIKA_ASYNC_PRICES names.
    """
    quotes = run(_quotes(Generate(prompt, **fields), connection))
    if as_json:
        click.echo(json.dumps({"quotes": [asdict(one) for one in quotes]}, indent=2))
        return
    for one in quotes:
        click.echo(f"{printable(one.provider)}: {_in_words(one)}")


async def _quotes(request: Generate, connection: Connection) -> list[Quote]:
    async with connection.open(ledger=None) as pika:
        return await pika.quote(request)


def _in_words(quote: Quote) -> str:
    match quote.estimate:
        case None if quote.unsupported is not None:
            return f"cannot do this: {printable(quote.unsupported)}"
        case None:
            return "no price is published"
        case estimate:
            read = f", read on {estimate.date}" if estimate.date else ""
            return f"{estimate.amount:g} {printable(estimate.unit)} ({printable(estimate.source)}{read})"


@define
class _Spent:
    """What the jobs at one provider came to; *cost* is in the provider's own unit."""

    charged: Counter[str] = Factory(Counter)
    cost: float = 0.0
    told: int = 0


@command("spend", "pika-async spend", "pika-async spend --since 30d --json")
@click.option("--since", type=Span(), metavar="SPAN", help="Only jobs ordered in the last 30d, say.")
@json_option()
@ledger_option
def spend(since: float | None, *, as_json: bool, ledger: Path | None) -> None:
    """Say what was spent, by provider, as far as it is known.

    Asks no provider. A job whose provider tells no cost is counted, and adds nothing to the sum.
    """
    found = asyncio.run(_spent(ledger, None if since is None else time.time() - since))
    if as_json:
        told = {
            name: {"charged": dict(one.charged), "cost": one.cost, "costs_told": one.told}
            for name, one in found.items()
        }
        click.echo(json.dumps({"providers": told}, indent=2))
        return
    if not found:
        say("There are no jobs yet.")
    for name, one in found.items():
        charged = one.charged
        cost = f"{one.cost:g} in its own unit, told for {one.told}" if one.told else "it tells no cost"
        click.echo(
            f"{printable(name)}: {charged['yes']} charged, {charged['no']} not charged, "
            f"{charged['unknown']} unknown; {cost}"
        )


async def _spent(file: Path | None, since: float | None) -> dict[str, _Spent]:
    found: dict[str, _Spent] = {}
    async with opened(file) as ledger:
        before: str | None = None
        while page := await ledger.jobs(limit=500, before=before):
            for job in page:
                if since is not None and job.created_at < since:
                    return found
                one = found.setdefault(job.provider, _Spent())
                one.charged[job.charged] += 1
                if job.cost is not None:
                    one.cost, one.told = one.cost + job.cost, one.told + 1
            before = page[-1].id
    return found
