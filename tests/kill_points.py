"""The points at which a process is killed or stopped, and how each is reached: from outside, by seams.

A ledger and a transport stop at the point: they say so on a line to the test and block until they are told
to go on. What is reached on the way to the provider is the doorway's.
"""

from __future__ import annotations

import sqlite3
from enum import StrEnum
from multiprocessing.connection import Connection
from pathlib import Path

from attrs import define

from pika_async._ledger.events import Claim, Evidence, Refused
from pika_async._ledger.sqlite import SqliteLedger
from pika_async._ledger.sqlite import commit as really_commit
from pika_async._transport import Transport
from pika_async.results import Pending, Succeeded
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


IN_PROCESS = frozenset(Point) - {Point.UNREAD, Point.UNANSWERED, Point.CALLBACK_ANSWERED}


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
        super().__init__(path, commit=self._committing)
        self._stop = stop
        self._busy = busy
        self._once = self._writer._order
        self._writer._order = self._running  # type: ignore[method-assign]
        self._bound: int | None = None
        self.failed = False

    async def create(self, job, first=None):
        self._stop_before(first)
        return await super().create(job, first)

    async def apply(self, job_id, event):
        self._stop_before(event)
        return await super().apply(job_id, event)

    def _stop_before(self, event):
        match event:
            case Claim(attempt=attempt):
                first = attempt.split("-")[1] == "1"
                self._stop.at(Point.BEFORE_INTENT if first else Point.BEFORE_NEXT_CLAIM)
            case Evidence(source="answer", snapshot=Pending()):
                self._stop.at(Point.ANSWER_IN_HAND)
            case Evidence(snapshot=Succeeded()):
                self._stop.at(Point.POLL_IN_HAND)
            case Refused():
                self._stop.at(Point.REFUSAL_IN_HAND)

    async def inbox_put(self, attempt_id, body, headers):
        self._stop.at(Point.CALLBACK_RECEIVED)
        kept = await super().inbox_put(attempt_id, body, headers)
        self._stop.at(Point.CALLBACK_KEPT)
        return kept

    def _running(self, *args, **options):
        answer = self._once(*args, **options)
        self._busy.__enter__()
        answer.add_done_callback(self._busy.__exit__)
        return answer

    def _committing(self, connection: sqlite3.Connection) -> None:
        if self._stop.point is Point.OUTCOME_FAILED and self._disk_is_full(connection):
            raise _sqlite_error("SQLITE_FULL")
        really_commit(connection)
        claimed = "SELECT count(*) FROM job_attempts WHERE state = 'submitting'"
        match self._stop.point:
            case Point.ACK_LOST if connection.execute(claimed).fetchone()[0]:
                self._stop.at(Point.ACK_LOST)
            case Point.ACK_FAILED if not self.failed and connection.execute(claimed).fetchone()[0]:
                self.failed = True
                raise _sqlite_error("SQLITE_IOERR")

    def _disk_is_full(self, connection: sqlite3.Connection) -> bool:
        """Return whether the last page went when the first outcome of this process was to be committed."""
        (bound,) = connection.execute(
            "SELECT count(*) FROM job_attempts WHERE task_id IS NOT NULL"
        ).fetchone()
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

    async def submit(self, request, fence=None, *, fresh_connection=False):
        self._stop.at(Point.BEFORE_CONNECT)
        if self._stale:
            self._world.leap(10.0)
            self._stale = False

        async def fenced() -> None:
            await fence()
            self._stop.at(Point.AFTER_FENCE)

        with self._busy:
            return await super().submit(request, fenced, fresh_connection=fresh_connection)

    async def poll(self, request):
        if self._ledger.failed:
            self._stop.at(Point.OUTCOME_FAILED)
        with self._busy:
            return await super().poll(request)
