"""The commands about money: `quote` before an order, `spend` after it, and `balance`."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pika_async import Generate, asdict
from pika_async.cli._command import command, json_option
from pika_async.cli._connection import Connection, choice_options, connection_options
from pika_async.cli._fields import request_options
from pika_async.cli._ledger import ledger_option, opened
from pika_async.cli._terminal import printable, run, say
from pika_async.cli.jobs import Span
from pika_async.installed import providers

if TYPE_CHECKING:
    from pika_async.ledger import Money, Spent
    from pika_async.types import AccountBalance, Quote


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


@command("balance", "pika-async balance", "pika-async balance --provider duomi --json")
@json_option()
@choice_options
def balance(*, as_json: bool, connection: Connection) -> None:
    """Show the balance at the provider, if it reports one. Costs nothing."""
    found = run(_balances(connection))
    if as_json:
        click.echo(json.dumps({"balances": [asdict(one) for one in found]}, indent=2))
        return
    for one in found:
        left = "it tells no balance" if one.balance is None else f"{one.balance.amount:g} {one.balance.unit}"
        click.echo(f"{printable(one.provider)}: {printable(one.problem or left)}")


async def _balances(connection: Connection) -> list[AccountBalance]:
    async with connection.open(ledger=None) as pika:
        return await pika.balances()


@command("spend", "pika-async spend", "pika-async spend --since 30d --json")
@click.option("--since", type=Span(), metavar="SPAN", help="Only jobs ordered in the last 30d, say.")
@json_option()
@ledger_option
def spend(since: float | None, *, as_json: bool, ledger: Path | None) -> None:
    """Say what was spent, by provider, as far as it is known.

    Asks no provider. Estimates by price and costs that providers reported are shown separately.
    """
    found, counted = asyncio.run(_spent(ledger, None if since is None else time.time() - since))
    if as_json:
        told = {name: {**asdict(one), "cost_unit": _unit(name)} for name, one in found.items()}
        sums = {money.unit: float(money.amount) for money in counted}
        click.echo(json.dumps({"providers": told, "counted": sums}, indent=2))
        return
    if not found:
        say("There are no jobs yet.")
    for name, one in found.items():
        charged = one.charged
        click.echo(
            f"{printable(name)}: {charged['yes']} charged, {charged['no']} not charged, "
            f"{charged['unknown']} unknown"
        )
        for line in _sums(name, one):
            click.echo(f"  {printable(line)}")
    if counted:
        click.echo(f"The ledger counts {printable(' and '.join(map(str, counted)))} towards --max-cost.")


def _sums(provider: str, spent: Spent) -> Iterator[str]:
    """Say each sum that is not nothing; money that came back, or may go, is apart from what went."""
    if spent.estimated:
        yield f"by prices: {_amounts(spent.estimated)}"
    if spent.may_be_charged:
        yield f"may be charged: {_amounts(spent.may_be_charged)}"
    if spent.refunds:
        worth = f", {_amounts(spent.refunded)} by prices" if spent.refunded else ""
        yield f"not charged after a failure: {_orders(spent.refunds)}{worth}"
    if spent.unpriced:
        yield f"without a price: {_orders(spent.unpriced)}"
    unit = _unit(provider) or "in its own unit"
    if spent.costs_told:
        yield f"as the provider tells: {spent.cost:g} {unit}, for {_orders(spent.costs_told)}"
    else:
        yield "the provider tells no cost"


def _orders(count: int) -> str:
    return "1 order" if count == 1 else f"{count} orders"


def _amounts(sums: Mapping[str, float]) -> str:
    return " and ".join(f"{amount:g} {unit}" for unit, amount in sorted(sums.items()))


def _unit(provider: str) -> str | None:
    """Return the unit in which *provider* tells costs, where it is installed and says so."""
    found = providers().get(provider)
    return None if found is None or found.capabilities is None else found.capabilities.cost_unit


async def _spent(file: Path | None, since: float | None) -> tuple[Mapping[str, Spent], Sequence[Money]]:
    async with opened(file) as ledger:
        return await ledger.spent(since=since), await ledger.counted()
