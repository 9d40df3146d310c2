"""One POST: the fence asks everything again that the claim asked, and each outcome is one event."""

from __future__ import annotations

import pytest
from attrs import evolve

import pika_async.provider as api
from pika_async._engine.clock import moment
from pika_async._engine.sending import send
from pika_async._ledger.events import Cancel, Claim, Evidence, LeaseOver, Refused, Unknown
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import AttemptState
from pika_async._transport import SendError
from pika_async.errors import LedgerError
from pika_async.testing import FakeClock, ScriptedTransport
from tests.engine.scripted import answer
from tests.engine.test_answers import REQUEST, posted
from tests.ledger.records import OWNER, attempt, job

pytestmark = pytest.mark.anyio

POST = api.HttpRequest(method="POST", url="https://scripted.test/videos", body=api.Json({}))
TAKEN = answer(200, {"id": "t1", "state": "running"})


class World:
    """A claimed attempt in memory, and a host that answers with *said*."""

    def __init__(self, said=TAKEN):
        self.clock, self.ledger = FakeClock(), MemoryLedger()
        self.transport = ScriptedTransport(lambda request: said)

    async def send(self, between=lambda: None, **more):
        await self.ledger.open(self.clock.wall)
        change = await self.ledger.create(job(), Claim(attempt="j-1", owner=OWNER))
        clocks = moment(self.clock)
        await self._or_not(between())
        sent = evolve(posted(**more), attempt=change.after.newest)
        return await send(
            sent,
            REQUEST,
            POST,
            transport=self.transport,
            ledger=self.ledger,
            clock=self.clock,
            claimed_at=clocks,
        )

    async def _or_not(self, step):
        if step is not None:
            await step


async def test_what_the_host_takes_is_evidence():
    """One POST, one event."""
    world = World()
    assert isinstance(await world.send(), Evidence)
    assert len(world.transport.submits) == 1


async def held_back(between):
    """Let something happen between claim and fence; return the event, for which nothing was sent."""
    world = World()
    event = await world.send(lambda: between(world), again=True)
    assert not world.transport.submits
    assert isinstance(event, Refused)
    assert event.next is not None
    return event


async def test_a_cancelled_job_is_not_sent():
    """The flag is asked for by the mark."""
    await held_back(lambda world: world.ledger.apply("j", Cancel()))


async def test_a_row_that_others_moved_is_not_sent():
    """Its lease was over."""

    async def swept(world):
        await world.clock.advance(100)
        await world.ledger.apply("j", LeaseOver(attempt="j-1"))

    await held_back(swept)


async def test_a_sibling_that_came_to_life_leaves_it_unsent():
    """Another process committed its success meanwhile."""

    async def alive(world):
        mine = world.ledger.known("j")
        older = attempt(number=0, state=AttemptState.SUCCEEDED)
        world.ledger._jobs["j"] = evolve(mine, attempts=(older, *mine.attempts))

    await held_back(alive)


async def test_a_claim_that_is_old_is_not_sent():
    """On any of the three clocks."""
    await held_back(lambda world: world.clock.advance(6))


async def test_a_mark_that_cannot_be_made_is_no_permission():
    """The error is the ledger's, and nothing was bought."""

    async def unwritable(job_id, event):
        raise LedgerError("The disk is gone.")

    async def broken(world):
        world.ledger.apply = unwritable

    assert isinstance((await held_back(broken)).error, LedgerError)


async def test_the_mark_is_committed_before_the_first_byte():
    """Whoever finds a claim without it knows that nothing was sent."""
    world = World()
    seen = []

    def host(request):
        seen.append(world.ledger.known("j").newest.state)
        return TAKEN

    world.transport = ScriptedTransport(host)
    await world.send()
    assert seen == [AttemptState.SENDING]


async def test_a_mark_that_takes_too_long_sends_nothing():
    """The commit is a part of the window; the owner says that no byte has left."""
    world = World()

    async def slow(world):
        apply = world.ledger.apply

        async def stalling(job_id, event):
            change = await apply(job_id, event)
            await world.clock.advance(6)
            return change

        world.ledger.apply = stalling

    event = await world.send(lambda: slow(world))
    assert isinstance(event, Refused)
    assert not world.transport.submits
    assert world.ledger.known("j").newest.state is AttemptState.SENDING


@pytest.mark.parametrize(("sent", "kind"), [(False, Refused), (True, Unknown)])
async def test_whether_it_left_decides(sent, kind):
    """The transport's flag, and nothing else."""
    assert isinstance(await World(SendError("cut", sent=sent)).send(), kind)


async def test_a_defect_after_the_fence_is_unknown():
    """It may have left."""
    assert isinstance(await World(KeyError("a defect")).send(), Unknown)
