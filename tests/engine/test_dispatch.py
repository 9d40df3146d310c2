"""POSTs are started as soon as their line allows, each in a task of its own; one timer waits for the rest."""

from __future__ import annotations

import asyncio

import pytest

from pika_async._engine.dispatch import Dispatch
from pika_async._engine.line import POSTS_AT_ONCE
from pika_async._engine.lines import Lines
from pika_async._ledger.records import Usage
from pika_async.errors import PikaError
from pika_async.testing import FakeClock, settle
from tests.ledger.records import ACCOUNT, job

pytestmark = pytest.mark.anyio

KEY = ACCOUNT


class Account:
    """As much of an account as dispatch and its line look at."""

    def __init__(self, max_concurrency):
        self.key, self.max_concurrency = KEY, max_concurrency


class Flight:
    """As much of a flight as dispatch and its line look at."""

    def __init__(self, account):
        self.account, self.record, self.cancelled, self.ended, self.place = account, job(), False, False, 0
        self.unprepared = False

    def is_unprepared(self, _):
        return self.unprepared


class Ledger:
    """Says what the account uses; the clock is the ledger's time as well."""

    def __init__(self, clock, *, shared):
        self.shared, self.used, self.now = shared, Usage(), clock.now

    async def usage(self, _):
        return self.used


class Desk:
    """As much of a desk as dispatch looks at."""

    def __init__(self, account, ledger):
        self.accounts, self.ledger, self.closing = {KEY: account}, ledger, False
        self.owner = "me"

    def carries_out(self, *_):
        pass


class Posts:
    """Notes what is sent; each is under way until `gate` opens, and holds a slot for ever."""

    def __init__(self):
        self.sent, self.gate = [], asyncio.Event()

    async def post(self, line, flight):
        self.sent.append(flight)
        line.claiming -= 1
        line.slots += 1
        await self.gate.wait()


class Preparing:
    """Notes what is prepared; it takes until the `gate` of the POSTs opens."""

    def __init__(self, gate):
        self.gate, self.readied = gate, []

    async def prepared(self, line, flight):
        await self.gate.wait()
        self.readied.append(flight)
        flight.unprepared = False
        return True


class Unsent:
    """Notes what is left to other processes."""

    def __init__(self):
        self.left = []

    async def leave_unread(self, flight, error):
        self.left.append((flight, error))


class World:
    """A dispatcher of one account."""

    def __init__(self, *, slots=1, shared=False):
        self.clock = FakeClock()
        self.account = Account(slots)
        self.desk = Desk(self.account, Ledger(self.clock, shared=shared))
        self.lines, self.posts = Lines(self.desk), Posts()
        self.line = self.lines[KEY]
        self.preparing, self.unsent = Preparing(self.posts.gate), Unsent()
        self.dispatch = Dispatch(
            self.desk,
            self.lines,
            self.clock,
            preparing=self.preparing,
            posts=self.posts,
            unsent=self.unsent,
        )

    async def add(self, count=1):
        """Add so many jobs; return them when what can be sent is under way."""
        flights = [Flight(self.account) for _ in range(count)]
        self.now = [self.dispatch.add(flight) for flight in flights]
        await settle()
        return flights

    async def over(self):
        """Let everything end."""
        self.posts.gate.set()
        self.desk.closing = True
        await self.dispatch.aclose(1.0)


async def test_as_many_are_sent_as_there_are_slots():
    """Whoever adds a job is told whether it is sent now."""
    world = World(slots=2)
    flights = await world.add(3)
    assert world.posts.sent == flights[:2]
    assert world.now == [True, True, False]
    await world.over()


async def test_a_freed_slot_sends_the_next():
    """In their order."""
    world = World()
    first, second, _ = await world.add(3)
    world.lines._slot_freed(first, type("Freed", (), {"account": KEY}))
    await settle()
    assert world.posts.sent == [first, second]
    await world.over()


async def test_the_end_of_a_post_makes_room_on_the_wire():
    """However many slots there are."""
    world = World(slots=1000)
    await world.add(POSTS_AT_ONCE + 5)
    assert len(world.posts.sent) == world.line.on_the_wire == POSTS_AT_ONCE
    world.posts.gate.set()
    await settle()
    assert len(world.posts.sent) == POSTS_AT_ONCE + 5
    assert world.line.on_the_wire == 0
    await world.over()


async def test_the_pace_is_waited_for():
    """One timer, at the moment it opens."""
    world = World(slots=9)
    world.line.opens_at = 1007.0
    await world.add(2)
    await world.clock.advance(6.9)
    assert not world.posts.sent
    await world.clock.advance(0.1)
    assert len(world.posts.sent) == 2
    await world.over()


async def test_a_slot_that_another_process_may_have_freed_is_asked_for():
    """Every five seconds, one at a time; in memory nobody else frees one."""
    for shared, sent in ((True, 2), (False, 1)):
        world = World(shared=shared)
        await world.add(3)
        await world.clock.advance(4.9)
        assert len(world.posts.sent) == 1
        await world.clock.advance(0.2)
        assert len(world.posts.sent) == sent
        await world.over()


async def test_asking_for_a_slot_does_not_delay_the_pace():
    """A timer of five seconds gives way to a shorter one."""
    world = World(shared=True)
    await world.add(2)
    world.line.slots, world.line.opens_at = 0, 1001.0
    world.dispatch.pump(world.line)
    await world.clock.advance(1.0)
    assert len(world.posts.sent) == 2
    await world.over()


async def test_the_pace_does_not_put_off_asking_for_a_slot():
    """The earlier of the two moments holds."""
    world = World(shared=True)
    await world.add(2)
    world.line.opens_at = 1060.0
    world.dispatch.pump(world.line)
    world.line.opens_at = 0.0
    await world.clock.advance(5.0)
    assert len(world.posts.sent) == 2
    await world.over()


async def test_what_all_processes_use_is_read_again():
    """A slot that another freed is used here."""
    world = World()
    await world.add(2)
    world.desk.ledger.used = Usage(slots=0)
    await world.dispatch.reread()
    await settle()
    assert len(world.posts.sent) == 2
    await world.over()


async def test_media_are_prepared_before_a_slot_is_taken():
    """The job keeps its place meanwhile, and others are sent."""
    world = World(slots=1)
    first, second = Flight(world.account), Flight(world.account)
    first.unprepared = True
    world.dispatch.add(first)
    world.dispatch.add(second)
    await settle()
    assert world.posts.sent == [second]
    world.posts.gate.set()
    await settle()
    assert world.preparing.readied == [first]
    await world.over()


async def test_what_stops_returns_what_was_not_sent():
    """And no timer sends it any more."""
    world = World(slots=1, shared=True)
    flights = await world.add(3)
    assert world.dispatch.stop() == flights[1:]
    assert not [timer for _, _, timer in world.clock._timers if timer.callback is not None]
    await world.clock.advance(60)
    assert world.posts.sent == flights[:1]
    await world.over()


async def test_draining_leaves_the_rest_to_others():
    """What is under way ends; a wait for a slot ends with the error."""
    world = World()
    flights = await world.add(2)
    draining = asyncio.ensure_future(world.dispatch.drain(lambda: PikaError("over")))
    await settle()
    assert [flight for flight, _ in world.unsent.left] == flights[1:]
    assert not draining.done()
    world.posts.gate.set()
    await draining
    assert world.dispatch.add(Flight(world.account))
    assert len(world.posts.sent) == 1


async def test_closing_cuts_short_what_takes_too_long():
    """After the patience, a POST is cancelled; its job is in the ledger."""
    world = World()
    await world.add(1)
    world.desk.closing = True
    await world.dispatch.aclose(0.0)
    assert world.line.on_the_wire == 0


async def test_an_order_waits_for_the_account_of_its_newest_attempt():
    """Another process may have moved it to a fallback since it was ordered here."""
    world, before = World(), Account(1)
    before.key = "another:default"
    flight = Flight(before)
    world.dispatch.add(flight)
    await settle()
    assert flight.account is world.account
    assert world.posts.sent == [flight]
    await world.over()
