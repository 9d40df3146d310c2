"""What was learned while the ledger failed: told again, in its order, until the ledger has it."""

from __future__ import annotations

import asyncio

import pytest

from pika_async._engine.outbox import Outbox
from pika_async._ledger.change import Change
from pika_async.errors import LedgerError
from pika_async.testing import FakeClock
from tests.ledger.records import job

pytestmark = pytest.mark.anyio
BROKEN = LedgerError("The disk is full.")


class Desk:
    """A ledger that fails while it is *down*, and the desk that hears what it took."""

    def __init__(self):
        self.down, self.taken, self.heard, self.tasks, self.tried = True, [], [], set(), []
        self.clock = FakeClock()
        self.outbox = Outbox(self, self.clock, lambda id_, change: self.heard.append(id_), self.spawn)

    def spawn(self, errand):
        task = asyncio.ensure_future(errand)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def apply(self, job_id, event):
        self.tried.append(self.clock.now() - 1000.0)
        if self.down:
            raise BROKEN
        self.taken.append((job_id, event))
        return Change(before=job(), after=job())


async def test_events_are_told_again_in_their_order():
    """Those of one job first to last; the desk hears of each."""
    desk = Desk()
    for job_id, event in (("a", 1), ("b", 1), ("a", 2)):
        desk.outbox.put(job_id, event, BROKEN)
    await desk.clock.advance(20)
    assert not desk.taken
    desk.down = False
    await desk.clock.advance(6)
    assert desk.taken == [("a", 1), ("a", 2), ("b", 1)]
    assert desk.heard == ["a", "a", "b"]
    assert desk.outbox.age is None


async def test_a_ledger_that_fails_is_tried_ever_more_rarely():
    """Five seconds apart at last; the next outage begins anew."""
    desk = Desk()
    desk.outbox.put("a", 1, BROKEN)
    await desk.clock.advance(18)
    assert desk.tried == [0.5, 1.5, 3.5, 7.5, 12.5, 17.5]
    desk.down = False
    await desk.clock.advance(5)
    desk.down = True
    desk.tried.clear()
    desk.outbox.put("a", 2, BROKEN)
    await desk.clock.advance(1)
    assert desk.tried == [23.5]


async def test_the_age_is_that_of_the_oldest():
    """For stats, and for whoever wonders."""
    desk = Desk()
    assert desk.outbox.age is None
    desk.outbox.put("a", 1, BROKEN)
    await desk.clock.advance(7)
    desk.outbox.put("a", 2, BROKEN)
    assert desk.outbox.age == 7


async def test_later_events_of_a_job_wait_behind_earlier_ones():
    """Other jobs do not."""
    desk = Desk()
    desk.outbox.put("a", 1, BROKEN)
    assert desk.outbox.holds("a")
    with pytest.raises(LedgerError):
        desk.outbox.refuse_before_others("a")
    desk.outbox.refuse_before_others("b")


async def test_closing_tells_what_waits():
    """At once, without a timer."""
    desk = Desk()
    desk.outbox.put("a", 1, BROKEN)
    desk.down = False
    await desk.outbox.aclose(30)
    assert desk.taken == [("a", 1)]


async def test_closing_amid_a_delivery_tells_nothing_twice():
    """The event under way is not told again, and the one behind it is not passed over."""
    desk, gate = Desk(), asyncio.Event()
    taken = desk.apply

    async def slowly(job_id, event):
        await gate.wait()
        return await taken(job_id, event)

    desk.apply, desk.down = slowly, False
    for event in (1, 2):
        desk.outbox.put("a", event, BROKEN)
    await desk.clock.advance(1)
    closing = asyncio.ensure_future(desk.outbox.aclose(5))
    await asyncio.sleep(0)
    gate.set()
    await asyncio.gather(closing, *desk.tasks)
    assert desk.taken == [("a", 1), ("a", 2)]


async def test_what_the_ledger_never_takes_is_said(caplog):
    """Closing does not wait for ever."""
    desk = Desk()
    desk.outbox.put("a", 1, BROKEN)
    await desk.outbox.aclose(0)
    assert "never took 1 events" in caplog.text


async def test_a_job_that_the_ledger_never_takes_keeps_no_other_waiting():
    """Which one is first changes with every try."""
    desk = Desk()
    desk.down = False
    apply = desk.apply

    async def choosy(job_id, event):
        if job_id == "unknown":
            raise BROKEN
        return await apply(job_id, event)

    desk.apply = choosy
    desk.outbox.put("unknown", 1, BROKEN)
    desk.outbox.put("b", 1, BROKEN)
    await desk.clock.advance(6)
    assert desk.taken == [("b", 1)]
    assert desk.outbox.holds("unknown")


async def test_a_job_that_was_never_recorded_is_made_with_its_first_event():
    """A ledger knows nothing of an order whose recording failed as well."""
    desk = Desk()
    made = []

    async def create(record, event):
        made.append((record.id, event))
        return Change(before=None, after=record)

    desk.create, desk.down = create, False
    order = job()
    desk.outbox.put(order.id, 1, BROKEN, order)
    desk.outbox.put(order.id, 2, BROKEN, order)
    await desk.clock.advance(1)
    assert made == [(order.id, 1)]
    assert desk.taken == [(order.id, 2)]
