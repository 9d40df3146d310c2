"""The points at which a process is killed or stopped, and how each is reached: from outside, by seams.

In the process, a ledger and a transport that stop at the point: they say so on a line to the test and block
until they are told to go on. Before the provider, a doorway that holds a POST, or its answer, back.
"""

from __future__ import annotations

import asyncio
import socket
import sqlite3
from contextlib import ExitStack, suppress
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from attrs import Factory, define

from pika_async._ledger.events import Claim, Evidence, Refused
from pika_async._ledger.sqlite import SqliteLedger
from pika_async._ledger.sqlite import commit as really_commit
from pika_async._transport import Transport
from pika_async.results import Pending
from tests.world_time import WorldTime


class Point(StrEnum):
    """Where to stop; the numbers are those of docs/pay-once.md."""

    BEFORE_INTENT = "1 before the intent"
    ACK_LOST = "2 COMMIT durable, acknowledgement lost"
    ACK_FAILED = "2 COMMIT durable, an error for its acknowledgement"
    BEFORE_CONNECT = "3 acknowledged, before connecting"
    AFTER_FENCE = "4 after the fence, before the first byte"
    UNREAD = "5 bytes in the kernel, unread"
    UNANSWERED = "6 accepted, answer unsent"
    ANSWER_IN_HAND = "7 answer in hand, uncommitted"
    OUTCOME_FAILED = "8 the outcome's COMMIT failed"
    CALLBACK_RECEIVED = "9 callback received, not in the inbox"
    CALLBACK_KEPT = "9 callback in the inbox, before 2xx"
    CALLBACK_ANSWERED = "9 callback answered, before the POST's answer"
    REFUSAL_IN_HAND = "10 refusal in hand, uncommitted"
    BEFORE_NEXT_CLAIM = "11, 14 a new row committed, before its claim"
    POLL_IN_HAND = "12 poll's answer in hand, uncommitted"


_AT_THE_DOOR = {
    Point.UNREAD: Point.UNREAD,
    Point.UNANSWERED: Point.UNANSWERED,
    Point.CALLBACK_ANSWERED: Point.UNANSWERED,
}
IN_PROCESS = frozenset(Point) - _AT_THE_DOOR.keys()


@define(eq=False)
class Stop:
    """Blocks the thread that comes to *point* for the *nth* time, until the test says go on."""

    point: Point | None
    nth: int
    line: Connection

    def at(self, *points: Point) -> None:
        """Stop here if this is the place."""
        if self.point not in points:
            return
        self.nth -= 1
        if self.nth == 0:
            self.line.send(("at", self.point))
            self.line.recv()


@define(eq=False)
class Busy:
    """Counts what is on its way and must not be overtaken by a leap of time."""

    count: int = 0

    def __enter__(self) -> None:
        self.count += 1

    def __exit__(self, *_: object) -> None:
        self.count -= 1

    def __bool__(self) -> bool:
        return self.count > 0


class StoppingLedger(SqliteLedger):
    """The real ledger, with stops before and after its commits, and a full disk where the point wants it."""

    def __init__(self, path: Path, stop: Stop, busy: Busy, world: WorldTime) -> None:
        super().__init__(path, wall=world.wall, commit=self._committing)
        self._stop = stop
        self._busy = busy
        self._once = self._writer.run
        self._writer.run = self._running  # type: ignore[method-assign]
        self._bound: int | None = None
        self.failed = False

    async def apply(self, job_id, event, now):
        match event:
            case Claim(attempt=attempt):
                first = attempt.split("-")[1] == "1"
                self._stop.at(Point.BEFORE_INTENT if first else Point.BEFORE_NEXT_CLAIM)
            case Evidence(source="answer", snapshot=Pending()):
                self._stop.at(Point.ANSWER_IN_HAND)
            case Evidence(source="answer"):
                self._stop.at(Point.POLL_IN_HAND)
            case Refused():
                self._stop.at(Point.REFUSAL_IN_HAND)
        return await super().apply(job_id, event, now)

    async def inbox_put(self, attempt_id, body, headers, now):
        self._stop.at(Point.CALLBACK_RECEIVED)
        kept = await super().inbox_put(attempt_id, body, headers, now)
        self._stop.at(Point.CALLBACK_KEPT)
        return kept

    async def _running(self, *args, **options):
        with self._busy:
            return await self._once(*args, **options)

    def _committing(self, connection: sqlite3.Connection) -> None:
        if self._stop.point is Point.OUTCOME_FAILED and self._disk_is_full(connection):
            raise _sqlite_error("SQLITE_FULL")
        really_commit(connection)
        claimed = "SELECT count(*) FROM attempts WHERE state = 'submitting'"
        match self._stop.point:
            case Point.ACK_LOST if connection.execute(claimed).fetchone()[0]:
                self._stop.at(Point.ACK_LOST)
            case Point.ACK_FAILED if not self.failed and connection.execute(claimed).fetchone()[0]:
                self.failed = True
                raise _sqlite_error("SQLITE_IOERR")

    def _disk_is_full(self, connection: sqlite3.Connection) -> bool:
        """Tell whether the last page went when the first outcome of this process was to be committed."""
        (bound,) = connection.execute("SELECT count(*) FROM attempts WHERE task_id IS NOT NULL").fetchone()
        if self._bound is None:
            self._bound = bound
        self.failed |= bound > self._bound
        return self.failed


def _sqlite_error(name: str) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(name)
    error.sqlite_errorname = name
    return error


class StoppingTransport(Transport):
    """The real transport, with stops around the fence."""

    def __init__(self, stop: Stop, busy: Busy, world: WorldTime, ledger: StoppingLedger) -> None:
        super().__init__(trust_env=False)
        self._stop = stop
        self._busy = busy
        self._world = world
        self._ledger = ledger
        self._stale = stop.point is Point.BEFORE_NEXT_CLAIM

    async def submit(self, request, fence=None):
        self._stop.at(Point.BEFORE_CONNECT)
        if self._stale:
            self._world.leap(10.0)
            self._stale = False

        async def fenced() -> None:
            await fence()
            self._stop.at(Point.AFTER_FENCE)

        with self._busy:
            return await super().submit(request, fenced)

    async def poll(self, request):
        if self._ledger.failed:
            self._stop.at(Point.OUTCOME_FAILED)
        with self._busy:
            return await super().poll(request)


_POSTS = (b"POST /pika/videos ", b"POST /api/video/pika/pro/generate ")


@define(eq=False)
class Doorway:
    """Relays between clients and the provider, and holds the *nth* POST, or its answer, at *point*."""

    target: str
    point: Point | None = None
    nth: int = 1
    url: str = ""
    _reached: asyncio.Event = Factory(asyncio.Event)
    _opened: asyncio.Event = Factory(asyncio.Event)
    _answered: asyncio.Event = Factory(asyncio.Event)
    _dropped: bool = False
    _tasks: set[asyncio.Task[None]] = Factory(set)
    _listener: socket.socket = Factory(lambda: socket.create_server(("127.0.0.1", 0), backlog=512))

    async def __aenter__(self) -> Self:
        self._listener.settimeout(0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._spawn(self._listen())
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listener.close()

    def close_at(self, point: Point, nth: int = 1) -> None:
        """Hold the *nth* POST from now on at *point*, if that is a point of the way."""
        self.point, self.nth, self._dropped = _AT_THE_DOOR.get(point), nth, False
        for event in (self._reached, self._opened, self._answered):
            event.clear()

    async def reached(self) -> None:
        """Wait until something is held."""
        await self._reached.wait()

    async def open(self) -> None:
        """Let it pass, and wait until the provider has answered it."""
        self._opened.set()
        await self._answered.wait()

    def drop(self) -> None:
        """Let it never arrive."""
        self._dropped = True
        self._opened.set()

    def _spawn(self, coroutine) -> None:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            client, _ = await loop.sock_accept(self._listener)
            self._spawn(self._relay(client))

    async def _relay(self, client: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with ExitStack() as stack, suppress(OSError):
            provider = socket.socket()
            for end in (client, provider):
                stack.enter_context(end)
                end.settimeout(0)
            await loop.sock_connect(provider, (urlsplit(self.target).hostname, urlsplit(self.target).port))
            line = _Line(client, provider)
            back = loop.create_task(self._answers(line))
            try:
                await self._requests(line)
                # A client that died has closed its side; what it sent before is on its way all the same.
                line.gone = True
                if line.posted:
                    await back
            finally:
                back.cancel()
                await asyncio.gather(back, return_exceptions=True)

    async def _requests(self, line: _Line) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await _readable(line.client)
            if line.client.recv(64, socket.MSG_PEEK).startswith(_POSTS):
                line.held = await self._hold(Point.UNREAD)
                if line.held and self._dropped:
                    return
                line.posted = True
            if not (data := await loop.sock_recv(line.client, 65536)):
                return
            await loop.sock_sendall(line.provider, data)

    async def _answers(self, line: _Line) -> None:
        loop = asyncio.get_running_loop()
        while data := await loop.sock_recv(line.provider, 65536):
            if line.posted:
                line.held |= await self._hold(Point.UNANSWERED)
                line.posted = False
                if line.held:
                    self._answered.set()
                if line.gone:
                    return
            await loop.sock_sendall(line.client, data)

    async def _hold(self, point: Point) -> bool:
        if self.point is not point:
            return False
        self.nth -= 1
        if self.nth != 0:
            return False
        self._reached.set()
        await self._opened.wait()
        return True


@define(eq=False)
class _Line:
    """Two connections, one to each side; whether a POST is unanswered, was held, or its client is gone."""

    client: socket.socket
    provider: socket.socket
    posted: bool = False
    held: bool = False
    gone: bool = False


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()
    loop.add_reader(sock, lambda: arrived.done() or arrived.set_result(None))
    try:
        await arrived
    finally:
        loop.remove_reader(sock)
