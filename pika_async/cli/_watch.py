"""`jobs --watch`: the newest jobs and the fleet that works on them, shown again until Ctrl-C."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

from pika_async.cli._ledger import Place
from pika_async.cli._terminal import age, printable
from pika_async.provider import Secret

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pika_async.fleet import FleetStatus

_EVERY: Final = 2.0


async def watch(place: Place | None, jobs: Callable[[], Awaitable[RenderableType]]) -> None:
    """Show what *jobs* returns, and the fleet where the ledger has one, every two seconds."""
    from rich.console import Group
    from rich.live import Live

    with Live(auto_refresh=False, transient=False) as live:
        while True:
            shown = [await jobs()]
            if isinstance(place, Secret) and (seen := await _fleet(place)) is not None:
                shown = [*tables(seen), "", *shown]
            live.update(Group(*shown), refresh=True)
            await asyncio.sleep(_EVERY)


async def _fleet(place: Secret) -> FleetStatus | None:
    try:
        from pika_async.fleet import status
    except ImportError:
        return None  # without the extra for workers there is no fleet to show
    return await status(place)


def tables(seen: FleetStatus) -> list[RenderableType]:
    """Return the workers, and the accounts that they work on, as tables."""
    from rich.table import Table

    workers = Table("worker", "places", "accounts", "version", "heard", box=None, pad_edge=False)
    for one in seen.workers:
        places = f"{one.busy} of {one.places}"
        served = printable(", ".join(one.accounts))
        workers.add_row(printable(one.label), places, served, one.version, f"{age(one.silent)} ago")
    if not seen.workers:
        workers.add_row("no worker lives", "-", "-", "-", "-")
    accounts = Table(
        "account", "queued", "oldest", "running", "polled by", "paused", box=None, pad_edge=False
    )
    for each in seen.accounts:
        accounts.add_row(
            printable(each.account),
            str(each.queued),
            "-" if each.oldest_queued is None else age(each.oldest_queued),
            str(each.running),
            printable(each.poller or "-"),
            printable(each.paused or "-"),
        )
    return [workers, "", accounts]
