"""What is looked up, and when; who leads looks for all, the others for what somebody asks for."""

from __future__ import annotations

import pytest
from attrs import define, field

from pika_async._engine.addresses import Addresses
from pika_async._engine.effects import Look
from pika_async._engine.flight import Flight
from pika_async._engine.looks.readings import Again, HasEnded, Looked, Reading, Seen
from pika_async._engine.looks.watched import Watched
from pika_async._engine.schedule.schedule import Schedule
from pika_async._ledger.records import AttemptState
from pika_async._secret import Secret
from pika_async.errors import AuthError
from pika_async.testing import FakeClock
from tests.engine.scripted import capable
from tests.ledger.records import OWNER, attempt, job, pending

pytestmark = pytest.mark.anyio

RENDER_TIME = 10.0


@define
class Account:
    """As much of an account as is looked at here."""

    schedule: Schedule = field(factory=lambda: Schedule(batch=50, render_time=RENDER_TIME))
    capabilities: object = field(factory=capable)
    refused_look: object = None


class World:
    """The watched attempts of one account of the process OWNER."""

    def __init__(self, *, leading=True, pushes=False):
        mounted = (lambda token: Secret(f"https://me.test/{token}")) if pushes else None
        self.clock, self.account, self.woken = FakeClock(), Account(), []
        addresses = Addresses(secrets=(b"k" * 32,), mounted=mounted)
        self.watched = Watched(self.account, self.clock, addresses, OWNER)
        self.watched.leading = leading
        self.watched.on_due(self._due)

    def _due(self):
        self.watched.disarm()
        self.woken.append(self.clock.now() - 1000.0)

    def add(self, *, owner=OWNER, adopted=False, doubted=False, posted_at=None):
        """Watch a running attempt; return its flight."""
        running = attempt(state=AttemptState.RUNNING, task=pending().task, owner=owner)
        flight = Flight(job(running), self.account, self.clock)
        flight.adopted, flight.posted_at = adopted, posted_at
        self.watched.add(flight, Look(running, doubted=doubted))
        return flight


async def test_what_runs_is_looked_up_when_it_is_due():
    """The timer is set to that moment."""
    world = World()
    world.add()
    due = world.watched.schedule.due("j-1")
    await world.clock.advance(due - world.clock.now())
    assert len(world.woken) == 1


async def test_a_task_of_long_ago_is_due_sooner_than_a_new_one():
    """Its render has run since its POST."""
    old, new = World(), World()
    old.add(posted_at=1000.0 - 3 * RENDER_TIME)
    new.add(posted_at=1000.0)
    assert old.watched.schedule.due("j-1") < new.watched.schedule.due("j-1")


async def test_who_does_not_lead_looks_at_what_only_a_token_names():
    """Nobody else knows of it."""
    world = World(leading=False)
    world.add()
    assert "j-1" in world.watched.flights
    assert "j-1" not in world.watched.schedule
    world.add(adopted=True)
    assert "j-1" in world.watched.schedule


async def test_who_begins_to_lead_looks_at_everything_and_who_stops_at_nothing_but_tokens():
    """Another process looks then."""
    world = World(leading=False)
    world.add()
    world.watched.lead(leading=True)
    assert "j-1" in world.watched.schedule
    world.watched.lead(leading=False)
    assert "j-1" not in world.watched.schedule
    adopted = World()
    adopted.add(adopted=True)
    adopted.watched.lead(leading=False)
    assert "j-1" in adopted.watched.schedule


async def test_a_new_task_ends_the_pause_of_a_refused_key():
    """The provider has just taken an order with it."""
    world = World()
    world.account.refused_look = AuthError("no")
    world.add()
    assert world.account.refused_look is None


@pytest.mark.parametrize(("owner", "at_once"), [(OWNER, False), ("somebody", True)])
async def test_what_another_process_ordered_is_looked_at_once_where_callbacks_are_expected(owner, at_once):
    """Its callback may have come, or been lost, while nobody was here."""
    world = World(pushes=True)
    world.add(owner=owner)
    assert (world.watched.schedule.take(world.clock.now()) == ("j-1",)) is at_once


async def test_what_one_answer_doubted_is_remembered_until_it_is_forgotten():
    """Together with all else that is known of it."""
    world = World()
    world.add(doubted=True)
    assert world.watched.seen("j-1") == Seen(doubted=True)
    world.watched.keep("j-1", Seen(misses=2))
    assert world.watched.seen("j-1").misses == 2
    world.watched.confirmations.confirm("j-1")
    answered = world.watched.expect("j-1")
    world.watched.forget("j-1")
    assert answered.done()
    assert world.watched.seen("j-1") == Seen()
    assert "j-1" not in world.watched.confirmations
    assert "j-1" not in world.watched.schedule
    assert world.watched.attempt("j-1") is None


async def test_what_is_hurried_is_looked_up_first_whoever_leads():
    """What is not watched is not there to be hurried."""
    world = World(leading=False)
    world.watched.hurry("j-1")
    assert not world.watched.schedule.take(world.clock.now())
    world.add()
    world.watched.hurry("j-1")
    assert world.watched.schedule.take(world.clock.now()) == ("j-1",)


async def test_an_earlier_look_moves_the_timer_and_a_later_one_does_not():
    """One timer for all of them."""
    world = World()
    world.add()
    first = world.watched.schedule.due("j-1") - 1000.0
    world.watched.arm()
    world.watched.hurry("j-1")
    world.watched.arm()
    await world.clock.advance(first + 1.0)
    assert world.woken == [0.0]


@pytest.mark.parametrize(
    ("leading", "adopted", "again"), [(True, False, True), (False, False, False), (False, True, True)]
)
async def test_who_does_not_lead_looks_once(leading, adopted, again):
    """The process that leads looks further on; what only a token names has nobody else."""
    world = World(leading=leading)
    world.add(adopted=adopted)
    world.watched.hurry("j-1")
    assert world.watched.schedule.take(world.clock.now()) == ("j-1",)
    world.watched.note("j-1", Reading(seen=Seen(), note=Looked()))
    assert ("j-1" in world.watched.schedule) is again


async def test_a_look_that_told_nothing_is_made_again():
    """An end is not."""
    world = World()
    world.add()
    world.watched.hurry("j-1")
    world.watched.schedule.take(world.clock.now())
    world.watched.note("j-1", Reading(seen=Seen(), note=Again()))
    assert world.watched.schedule.due("j-1") > world.clock.now()
    world.watched.note("j-1", Reading(seen=Seen(), note=HasEnded()))
    assert "j-1" not in world.watched.schedule


async def test_everybody_who_waits_for_an_answer_goes_on_with_it():
    """Or with the end of the client."""
    world = World()
    world.add()
    one, two = world.watched.expect("j-1"), world.watched.expect("j-1")
    world.watched.release("other")
    assert not one.done()
    one.cancel()
    world.watched.release_all()
    assert two.result() is None
