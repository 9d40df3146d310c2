"""Starts the POSTs of every account, each in a task of its own, as soon as its line allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from attrs import frozen

from pika_async._engine.clock import Clock, Timer
from pika_async._engine.desk import Desk
from pika_async._engine.flight import Flight
from pika_async._engine.line import Line
from pika_async._engine.lines import Lines
from pika_async._engine.posts import Posts
from pika_async._engine.preparing import Preparing
from pika_async._engine.unsent import Unsent
from pika_async._engine.uploads import AT_ONCE
from pika_async.errors import PikaError

_PREPARED_AHEAD = 2 * AT_ONCE
"""Jobs whose media are fetched or uploaded, or wait for that, beside those in the lines."""
_ASK_AGAIN = 5.0
"""Seconds after which a slot that another process may have freed is asked for."""


@frozen
class _Wait:
    at: float
    timer: Timer


class Dispatch:
    """Takes jobs out of their lines; one timer an account waits for what keeps its line waiting."""

    def __init__(
        self,
        desk: Desk,
        lines: Lines,
        clock: Clock,
        *,
        preparing: Preparing,
        posts: Posts,
        unsent: Unsent,
        working: bool = True,
    ) -> None:
        self._desk = desk
        self._lines = lines
        self._preparing = preparing
        self._posts = posts
        self._unsent = unsent
        self._clock = clock
        self.working = working
        self._waits: dict[str, _Wait] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._aside: dict[asyncio.Task[None], Flight] = {}
        self._noticed: Callable[[Line], None] | None = None
        lines.on_change(self.pump)

    def on_wait(self, noticed: Callable[[Line], None]) -> None:
        """Have *noticed* called soon after a line may have begun, or ceased, to wait for a slot."""
        self._noticed = noticed

    async def reread(self) -> None:
        """Read what all processes use of each account, and send what that allows; raises `LedgerError`."""
        for key, line in self._lines.items():
            usage = await self._desk.ledger.usage(key)
            line.learn(usage, self._desk.ledger.now(), self._clock.now())
            self.pump(line)

    def add(self, flight: Flight) -> bool:
        """Have the newest attempt of *flight* sent when its account allows; return whether that is now.

        A process that is not *working*, or that does not have the attempt's account, leaves it to others.
        """
        account = self._desk.accounts.get(flight.record.newest.account)
        if not self.working or account is None:
            return True
        flight.account = account  # another process may have moved the order to a fallback
        line = self._lines[account.key]
        line.add(flight)
        self.pump(line)
        return not len(line)

    def send_now(self, key: str) -> None:
        """Send what waits for the account *key* and may go, before the client can be closed."""
        self.pump(self._lines[key])

    def pump(self, line: Line) -> None:
        """Start as many POSTs as the account allows now."""
        self._start(line)
        if self._noticed is not None:
            asyncio.get_running_loop().call_soon(self._noticed, line)

    def _start(self, line: Line) -> None:
        while self.working and not self._desk.closing and (first := line.first()) is not None:
            if first.is_unprepared(self._desk.ledger.now()):
                if len(self._aside) >= _PREPARED_AHEAD:
                    return  # whichever is ready next wakes the line
                task = asyncio.get_running_loop().create_task(self._prepare(line, line.set_aside()))
                self._aside[task] = first
                continue
            if not line.may_start(self._clock.now()):
                self._pump_later(line)
                return
            task = asyncio.get_running_loop().create_task(self._post(line, line.take()))
            self._tasks.add(task)

    async def _prepare(self, line: Line, flight: Flight) -> None:
        """Have the media of a job fetched and uploaded, and let it wait for its slot then."""
        task = asyncio.current_task()
        try:
            if await self._preparing.prepared(line, flight) and self.working:
                line.add(flight)
        finally:
            if task is not None:
                self._aside.pop(task, None)
            for other in self._lines.values():
                self.pump(other)

    async def _post(self, line: Line, flight: Flight) -> None:
        try:
            await self._posts.post(line, flight)
        finally:
            line.on_the_wire -= 1
            if (task := asyncio.current_task()) is not None:
                self._tasks.discard(task)
            self.pump(line)

    def _pump_later(self, line: Line) -> None:
        now, key = self._clock.now(), line.account.key
        ask = line.opens_at <= now
        if ask and not (self._desk.ledger.shared and line.is_full()):
            return  # what holds the line back wakes it
        at = now + _ASK_AGAIN if ask else line.opens_at
        if (wait := self._waits.get(key)) is not None:
            if wait.at <= at:
                return
            wait.timer.cancel()
        self._waits[key] = _Wait(at, self._clock.call_at(at, lambda: self._due(line, ask=ask)))

    def _due(self, line: Line, *, ask: bool) -> None:
        del self._waits[line.account.key]
        if ask and line.is_full() and line.first() is not None:
            line.slots -= 1  # the ledger knows better, and says so when it refuses
        self.pump(line)

    async def drain(self, error: Callable[[], PikaError]) -> None:
        """Send nothing more, leave what waits to other processes with *error*, and end what is under way."""
        self.working = False
        await asyncio.gather(*(self._unsent.leave_unread(flight, error()) for flight in self.stop()))
        if self._tasks:
            await asyncio.wait(self._tasks)

    def stop(self) -> list[Flight]:
        """Start nothing more, and return the jobs that were not sent."""
        for wait in self._waits.values():
            wait.timer.cancel()
        aside = [*self._aside.values()]
        for task in self._aside:
            task.cancel()
        self._tasks.update(self._aside)
        self._aside.clear()
        return [*(flight for line in self._lines.values() for flight in line.clear()), *aside]

    async def aclose(self, patience: float) -> None:
        """Let POSTs that are under way come to their end, for *patience* seconds at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
