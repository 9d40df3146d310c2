"""A worker from its start to its end: opens what it needs, says so, and works until it is told to end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from pika_async import ConfigError, Pika
from pika_async._client import engine_of
from pika_async._tasks import connected
from pika_async.fleet.delivery import hook_of
from pika_async.fleet.health import answering
from pika_async.fleet.options import Work
from pika_async.fleet.shift import Shift
from pika_async.fleet.tables import make_tables


async def work(task: Work, stop: asyncio.Event, *, told: Callable[[str], object] = lambda _: None) -> None:
    """Work until *stop* is set, then bring POSTs to their end and leave the rest to others.

    *told* is called with lines for people. Raises `ConfigError` and `LedgerError` when it cannot begin.
    """
    from pika_async._ledger.postgres.connecting import Address

    if not task.providers:
        raise ConfigError("A worker needs at least one provider; name it.")
    hook = None if task.hook is None else hook_of(task.hook)
    dsn = Address.of(task.ledger).dsn
    app = connected(dsn, connections=4)
    pika = Pika(
        *task.providers,
        ledger=task.ledger.reveal(),
        account=task.account,
        max_concurrency=task.max_concurrency,
        **task.options,
    )
    async with pika, app.open_async():
        await make_tables(dsn, app)
        await engine_of(pika).attendance.works(task.places)
        shift = Shift(task, pika, app, hook)
        async with _health(task, shift) as address:
            if address is not None:
                told(f"Health is told at {address}/healthz and {address}/readyz.")
            told(f"Working on {', '.join(shift.accounts)} with {task.places} places.")
            await shift.run(stop)


@asynccontextmanager
async def _health(task: Work, shift: Shift) -> AsyncIterator[str | None]:
    if task.health is None:
        yield None
        return
    async with answering(task.health, shift.trouble) as address:
        yield address
