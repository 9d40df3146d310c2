"""How a client opens and closes: its engine, the tasks of its orders, its receiver, its media connections."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

from pika_async._job import Job, Unset
from pika_async._opening import is_dsn, ledger_at
from pika_async._secret import Secret
from pika_async.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pika_async._download.media import MediaSession
    from pika_async._engine.clock import Clock
    from pika_async._engine.effects import Ended
    from pika_async._engine.engine import Engine
    from pika_async._engine.flight import Flight
    from pika_async._ledger import Ledger
    from pika_async._options import Downloads, Options
    from pika_async._tasks import Tasks
    from pika_async.callbacks import Receiver


class Lifecycle:
    """The parts of a client that are open, once, in the event loop that opened them."""

    def __init__(self, options: Options, downloads: Downloads) -> None:
        self.tasks: Tasks | None = None
        """What gives enqueued orders their tasks; None where no worker can share the ledger."""
        self._options = options
        self._downloads = downloads
        self._loop: asyncio.AbstractEventLoop | None = None
        self._engine: Engine | None = None
        self._media: MediaSession | None = None
        self._receiver: Receiver | None = None

    @property
    def is_open(self) -> bool:
        """Whether the client was opened, and was not closed since."""
        return self._engine is not None

    @property
    def engine(self) -> Engine:
        """The engine; raises `ConfigError` unless the client is open, and open in the running event loop."""
        if self._engine is None:
            state = "closed" if self._loop is not None else "not open yet"
            raise ConfigError(f"The client is {state}; use it inside `async with Pika(...) as pika:`.")
        try:
            running = asyncio.get_running_loop()
        except RuntimeError:
            raise ConfigError(
                "Use the client inside a coroutine, in the event loop that opened it."
            ) from None
        if running is not self._loop:
            raise ConfigError(
                "The client belongs to another event loop; open one client in each loop that needs one."
            )
        return self._engine

    @property
    def receiver(self) -> Receiver:
        """The receiver of callbacks, also before the client is open; raises `ConfigError` if it has none."""
        if self._receiver is None:
            if self._options.callbacks is None:
                raise ConfigError("The client has no receiver; make it with Pika(callbacks=Callbacks(...)).")
            from pika_async.callbacks import Receiver

            self._receiver = Receiver(self._options.callbacks)
        return self._receiver

    def media(self) -> MediaSession:
        """Return the connections to media hosts, which are made when they are first asked for."""
        if self._media is None:
            self._media = self._downloads.session(getattr(self._options.transport, "tape", None))
        return self._media

    async def open(self) -> None:
        """Open everything that a client needs at once; raises `ConfigError` the second time."""
        if self._loop is not None:
            raise ConfigError("This client was opened before; make a new one for each `async with`.")
        self._loop = asyncio.get_running_loop()
        self._engine = engine = await _opened(self._options, self.media)
        if self._options.reuse is not None:
            from pika_async._reuse import Reuse

            engine.orders.reuse = Reuse(self._options.reuse, engine.orders, self.media)
        self.tasks = _tasks(self._options)
        if engine.inbox is not None:
            self.receiver.open(engine.inbox, engine.addresses.secrets)

    async def close(self) -> None:
        """Close what is open, the engine last: it waits for the POSTs that are under way."""
        engine, self._engine = self._engine, None
        media, self._media = self._media, None
        if self._receiver is not None:
            self._receiver.close()
        # A cancelled scope of anyio would cut every step of this short, and a POST that is paid with it. Who
        # has such a scope has loaded anyio.
        anyio = sys.modules.get("anyio")
        with nullcontext() if anyio is None else anyio.CancelScope(shield=True):
            try:
                if media is not None:
                    await media.aclose()
            finally:
                try:
                    if self.tasks is not None:
                        await self.tasks.aclose()
                finally:
                    if engine is not None:
                        await engine.aclose()


async def _opened(options: Options, media: Callable[[], MediaSession]) -> Engine:
    """Open an engine inside the running event loop; raises `LedgerError`, and then nothing is left open."""
    from pika_async._engine.clock import SystemClock

    ledger = _ledger(options)
    if not (options.work or ledger.shared):
        raise ConfigError("work=False needs a ledger that other processes share; pass ledger= to Pika.")
    clock = options.clock or SystemClock()
    await ledger.open(clock.wall)
    engine = None
    try:
        engine = _engine(options, ledger, clock, await ledger.secret(), media)
        await engine.open()
    except BaseException:
        await (ledger.aclose() if engine is None else engine.aclose(0.0))
        raise
    return engine


def _engine(
    options: Options, ledger: Ledger, clock: Clock, secret: bytes, media: Callable[[], MediaSession]
) -> Engine:
    from pika_async._deferred import Deferred
    from pika_async._engine.engine import Engine
    from pika_async._engine.settings import Settings
    from pika_async._quotes import Asked, Cheapest

    prices, asks = options.own_prices, options.max_cost is not None
    knows = bool(asks or prices or any("estimates" in one.powers for one in options.loaded))
    settings = Settings(
        loaded=options.loaded,
        label=options.account,
        max_concurrency=options.max_concurrency,
        max_submits=options.max_submits,
        max_cost=options.max_cost,
        price=Asked(prices, clock, asks=asks) if knows else None,
        poll_rate=None if isinstance(options.poll_rate, Unset) else options.poll_rate,
        declared_rates=isinstance(options.poll_rate, Unset),
        poll_batch=options.poll_batch,
        poll_interval=options.poll_interval,
        callback_url=options.callback_url,
        secrets=(secret,) if options.callbacks is None else options.callbacks.keys(secret),
        mounted=None if options.callbacks is None else options.callbacks.address,
        work=options.work,
        keep_media=options.keep_media,
        unpublished_replay=options.replay_window,
        rule=None if options.prefer is None else Cheapest(prices, clock),
    )
    transport = options.transport or Deferred(trust_env=options.trust_env)
    engine: Engine

    def handle(flight: Flight) -> Job:
        return Job(engine.orders, flight)

    engine = Engine(settings, ledger=ledger, transport=transport, clock=clock, handle=handle, media=media)
    _measure(engine)
    return engine


def _ledger(options: Options) -> Ledger:
    from pika_async._ledger.memory import MemoryLedger

    match options.ledger:
        case None:
            return MemoryLedger()
        case str() | os.PathLike() | Secret() as place:
            return ledger_at(place)
        case ledger:
            return ledger


def _tasks(options: Options) -> Tasks | None:
    if not (isinstance(options.ledger, str | Secret) and is_dsn(options.ledger)):
        return None
    from pika_async._ledger.postgres.connecting import Address
    from pika_async._tasks import Tasks

    return Tasks(Address.of(options.ledger).dsn)


def _measure(engine: Engine) -> None:
    """Count what ends, and let the numbers of accounts be read, where the application measures."""
    from pika_async import _telemetry
    from pika_async._engine.effects import Ended

    if not _telemetry.measured():
        return

    def count(flight: Flight, end: Ended) -> None:
        seconds = engine.desk.ledger.now() - flight.record.created_at
        cost = getattr(end.outcome, "cost", None)
        _telemetry.ended(flight.account.name, flight.state.value, seconds, cost)

    engine.desk.carries_out(Ended, count)
    _telemetry.watch(engine)
