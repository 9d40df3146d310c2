"""The engine: makes its parts and wires them, starts and stops them. It decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pika_async._engine import farewell
from pika_async._engine.account import Account
from pika_async._engine.addresses import Addresses
from pika_async._engine.attendance import Attendance
from pika_async._engine.building import Building
from pika_async._engine.claims import Claims
from pika_async._engine.clock import Clock
from pika_async._engine.desk import Desk
from pika_async._engine.dispatch import Dispatch
from pika_async._engine.flight import Flight
from pika_async._engine.ids import random_id
from pika_async._engine.inherited import Inherited
from pika_async._engine.lines import Lines
from pika_async._engine.looks.leader import Leader
from pika_async._engine.looks.looks import Looks
from pika_async._engine.looks.watched import Watched, look_up_tasks
from pika_async._engine.news import News
from pika_async._engine.orders import Orders
from pika_async._engine.posts import Posts
from pika_async._engine.preparing import Preparing
from pika_async._engine.retention import drop_media
from pika_async._engine.schedule.schedule import Schedule
from pika_async._engine.searching import Searching
from pika_async._engine.settings import Settings
from pika_async._engine.stats import AccountStats, stats
from pika_async._engine.sweeper import Sweeper
from pika_async._engine.unheard import Unheard
from pika_async._engine.unsent import Unsent
from pika_async._engine.unsent_errors import left_unsent
from pika_async._engine.uploads import Uploads
from pika_async._ledger import Ledger
from pika_async._ledger.standing import unsent
from pika_async._registry import Loaded
from pika_async._sender import Sender
from pika_async.errors import JobHandle

if TYPE_CHECKING:
    from pika_async._download.media import MediaSession
    from pika_async._engine.pushes.inbox import EngineInbox
    from pika_async.callbacks.ledger_inbox import LedgerInbox


class Engine:
    """All waiting of one client, in one event loop."""

    def __init__(
        self,
        settings: Settings,
        *,
        ledger: Ledger,
        transport: Sender,
        clock: Clock,
        handle: Callable[[Flight], JobHandle],
        media: Callable[[], MediaSession],
    ) -> None:
        self._transport = transport
        self._reread: set[str] = set()
        accounts = [_account(loaded, settings, transport, clock) for loaded in settings.loaded]
        self.addresses = Addresses(
            secrets=settings.secrets, receiver=settings.callback_url, mounted=settings.mounted
        )
        self.desk = Desk({a.key: a for a in accounts}, ledger, clock, random_id(), handle)
        if not settings.keep_media and ledger.remembers:
            drop_media(self.desk)
        watched = {a.key: Watched(a, clock, self.addresses, self.desk.owner) for a in accounts}
        look_up_tasks(self.desk, watched)
        working = settings.work
        self.looks = {
            a.key: Looks(self.desk, watched[a.key], clock, self.addresses, working=working) for a in accounts
        }
        self._leader = Leader(self.desk, self.looks if working else {}, clock)
        self._lines = Lines(self.desk)
        building = Building(self.addresses, clock)
        uploads = Uploads(ledger, transport, clock, media)
        unsent = Unsent(self.desk, clock)
        preparing = Preparing(self.desk, uploads, unsent)
        claims = Claims(
            self.desk,
            transport.timeouts,
            price=settings.price,
            max_submits=settings.max_submits,
            max_cost=settings.max_cost,
        )
        posts = Posts(self.desk, transport, clock, building, claims=claims, uploads=uploads, unsent=unsent)
        self._dispatch = Dispatch(
            self.desk,
            self._lines,
            clock,
            preparing=preparing,
            posts=posts,
            unsent=unsent,
            working=working,
        )
        self.attendance = Attendance(
            self.desk, self._lines, clock, self._lag, self._dispatch.pump, working=working
        )
        if working and ledger.shared:
            self._dispatch.on_wait(self.attendance.noticed)
        inherited = Inherited(self.desk, transport, clock)
        unheard = Unheard(self.desk)
        searching = Searching(self.desk, self.addresses, unheard)
        self._sweeper: Sweeper | None = None
        if working:
            self._sweeper = Sweeper(
                self.desk, self.looks, clock, searching=searching, inherited=inherited, unheard=unheard
            )
        self._news = News(self.desk, self._leader, clock, self._dispatch.reread)
        self.orders = Orders(self.desk, building, self._dispatch, self.looks, clock, rule=settings.rule)
        self.inbox: EngineInbox | LedgerInbox | None = None
        if settings.mounted is not None and working:
            from pika_async._engine.pushes.inbox import EngineInbox

            self.inbox = EngineInbox(self.desk, self.looks, clock, self.addresses, searching.search)
        elif settings.mounted is not None:
            from pika_async.callbacks.ledger_inbox import LedgerInbox

            self.inbox = LedgerInbox(ledger)

    async def open(self) -> None:
        """Begin to work; raises `LedgerError`."""
        await self.attendance.open()
        await self._dispatch.reread()
        await self._news.open()
        await self._leader.open()
        if self._sweeper is not None:
            self._sweeper.open()
        else:
            for account in self.desk.accounts.values():
                account.stop()

    async def drain(self) -> None:
        """Send nothing more, and bring POSTs to their end; look-ups go on."""
        await self._dispatch.drain(lambda: left_unsent("The process is about to end"))

    async def aclose(self, patience: float = 30.0) -> None:
        """Bring POSTs to their end, then stop; jobs that are not over are found by their token."""
        desk = self.desk
        desk.closing = True
        if self._sweeper is not None:
            self._sweeper.stop()
        self.attendance.stop()
        self._news.stop()
        if self.inbox is not None:
            self.inbox.stop()
        try:
            await self._finish(patience)
        except asyncio.CancelledError:
            await self._finish(0.0)
            raise
        finally:
            await self._let_go()

    async def _finish(self, patience: float) -> None:
        """Wait for what is under way; with no *patience*, cut it short."""
        desk = self.desk
        for account in desk.accounts.values():
            account.stop()
        for flight in self._dispatch.stop():
            await (
                desk.record(flight) if desk.ledger.remembers else self.orders.decisions.cancel_unsent(flight)
            )
        await self._dispatch.aclose(patience)
        await desk.aclose(patience)
        await self._leader.aclose()
        await self.attendance.aclose()
        if desk.ledger.shared:
            # Another process may have sent what this one did not: nobody is told that it is free. It is read
            # last, because whatever is waited for afterwards lets others send.
            for flight in [one for one in desk.flights.values() if unsent(one.record)]:
                if await desk.reread(flight):
                    self._reread.add(flight.id)

    async def _let_go(self) -> None:
        desk = self.desk
        flights = tuple(desk.flights.values())
        everything = (*flights, *desk.flights.ended.values())
        # Before anything is awaited: closing may be cancelled again and again.
        farewell.say(everything, remembers=desk.ledger.remembers)
        for flight in flights:
            unread = desk.ledger.shared and unsent(flight.record) and flight.id not in self._reread
            error = farewell.error_of(flight, remembers=desk.ledger.remembers, unread=unread)
            flight.trouble(desk.explain(flight, error))
        for looks in self.looks.values():
            await looks.aclose()
        desk.flights.clear()
        try:
            await self._transport.aclose()
        finally:
            await desk.ledger.aclose()

    def _lag(self, key: str) -> float | None:
        looks = self.looks[key]
        return looks.lag if looks.leading else None

    def stats(self) -> Mapping[str, AccountStats]:
        """Return what each account is doing now."""
        return stats(self.desk, self._lines, self.looks, self.attendance.crews)


def _account(loaded: Loaded, settings: Settings, transport: Sender, clock: Clock) -> Account:
    schedule = Schedule(
        batch=min(settings.poll_batch, loaded.capabilities.poll_batch),
        rate=(loaded.capabilities.poll_rate or 1.0) if settings.declared_rates else settings.poll_rate,
        interval=settings.poll_interval,
        render_time=loaded.capabilities.render_time,
        free_results=loaded.capabilities.free_results,
    )
    return Account(
        loaded,
        settings.label,
        settings.max_concurrency,
        transport=transport,
        clock=clock,
        schedule=schedule,
        unpublished_replay=settings.unpublished_replay,
    )
