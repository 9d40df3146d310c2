"""The lines of all accounts: effects are noted at once, and whoever sends is woken afterwards."""

from __future__ import annotations

import asyncio

import pytest
from attrs import evolve

from pika_async import Generate
from pika_async._engine.effects import Queue, Requeued, SlotFreed, SlotTaken
from pika_async._engine.lines import Lines
from tests.engine.scripted import Scripted, capable, scene
from tests.ledger.records import attempt

pytestmark = pytest.mark.anyio

FIRST, SECOND = "scripted:default", "second:default"


class Woken:
    """The lines of two accounts, and which of them were woken."""

    def __init__(self, s):
        self.desk, self.lines, self.woken = s.engine.desk, Lines(s.engine.desk), []
        self.lines.on_change(lambda line: self.woken.append(line.account.key))

    def act(self, flight, effect):
        """Have these lines alone carry out an effect."""
        {
            Queue: self.lines._queue,
            Requeued: self.lines._requeued,
            SlotTaken: self.lines._slot_taken,
            SlotFreed: self.lines._slot_freed,
        }[type(effect)](flight, effect)


async def waiting(s):
    """Return a job that is not sent yet."""
    job = await s.pika.submit(Generate("a cat"))
    job._flight.record = evolve(job._flight.record, attempts=(attempt(account=FIRST),))
    return job._flight


async def test_slots_are_counted_for_their_account():
    """One that is not open here is counted by the processes that have it."""
    async with scene(Scripted(), Scripted(capabilities=capable("second"))) as s:
        world = Woken(s)
        for effect in (SlotTaken(FIRST), SlotTaken(FIRST), SlotTaken(SECOND), SlotFreed(FIRST)):
            world.act(None, effect)
        world.act(None, SlotTaken("elsewhere:default"))
        world.act(None, SlotFreed("elsewhere:default"))
        assert {key: line.slots for key, line in world.lines.items()} == {FIRST: 1, SECOND: 1}


async def test_a_job_waits_in_the_line_of_the_account_that_it_goes_on_to():
    """With the timeouts of a job that waits for a slot again."""
    async with scene(Scripted(), Scripted(capabilities=capable("second"))) as s:
        world, flight = Woken(s), await waiting(s)
        assert flight.posted_at is not None
        world.act(flight, Queue(attempt(2, account=SECOND)))
        assert (len(world.lines[FIRST]), len(world.lines[SECOND])) == (0, 1)
        assert flight.account is world.desk.accounts[SECOND]
        assert flight.posted_at is None


async def test_an_account_that_is_not_open_here_sends_nothing_here():
    """The job goes on in a process that has it."""
    async with scene() as s:
        world, flight = Woken(s), await waiting(s)
        world.act(flight, Queue(attempt(2, account="elsewhere:default")))
        await asyncio.sleep(0)
        assert not world.woken


async def test_whoever_sends_is_woken_after_the_change():
    """Never inside it; and only where something waits."""
    async with scene() as s:
        world, flight = Woken(s), await waiting(s)
        world.act(flight, SlotFreed(FIRST))
        await asyncio.sleep(0)
        assert not world.woken
        world.act(flight, Queue(attempt(2, account=FIRST)))
        assert not world.woken
        await asyncio.sleep(0)
        assert world.woken == [FIRST]
        world.act(flight, SlotFreed(FIRST))
        assert world.woken == [FIRST]
        await asyncio.sleep(0)
        assert world.woken == [FIRST, FIRST]


async def test_what_another_process_queued_waits_here_once_and_only_for_who_wants_it():
    """An order that a queue brings is brought again by it; one that waits already keeps its place."""
    async with scene() as s:
        world, flight = Woken(s), await waiting(s)
        again = Requeued(attempt(2, account=FIRST))
        flight.wanted = False
        world.act(flight, again)
        flight.wanted, flight.kept = True, True
        world.act(flight, again)
        assert not len(world.lines[FIRST])
        flight.kept = False
        world.act(flight, again)
        world.act(flight, again)
        world.act(flight, Requeued(attempt(2, account="elsewhere:default")))
        assert len(world.lines[FIRST]) == 1
