"""One POST: the fence asks everything again that the claim asked, and each outcome is one event."""

from __future__ import annotations

import pytest
from attrs import evolve

import pika_async.provider as api
from pika_async._engine.clock import moment
from pika_async._engine.sending import send
from pika_async._ledger.events import Cancel, Claim, Evidence, LeaseOver, Refused, Sending, Unknown
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import AttemptState
from pika_async._transport import SendError
from pika_async.errors import LedgerError
from pika_async.testing import ScriptedTransport
from tests.engine.clocks import SkewedClock
from tests.engine.scripted import answer
from tests.engine.test_answers import REQUEST, posted
from tests.ledger.records import OWNER, attempt, job

pytestmark = pytest.mark.anyio

POST = api.HttpRequest(method="POST", url="https://scripted.test/videos", body=api.Json({}))
TAKEN = answer(200, {"id": "t1", "state": "running"})


class World:
    """A claimed attempt in memory, and a host that answers with *said*."""

    def __init__(self, said=TAKEN):
        self.clock, self.ledger = SkewedClock(), MemoryLedger()
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


@pytest.mark.parametrize("which", ["now", "wall", "boot"])
async def test_a_claim_that_is_old_is_not_sent(which):
    """On any of the three clocks alone; five seconds are the window."""

    async def ahead(world):
        world.clock.ahead[which] += 5.1

    await held_back(ahead)


async def test_a_claim_within_the_window_is_sent():
    """Five seconds less a little."""
    world = World()

    async def ahead():
        world.clock.ahead.update(now=4.9, wall=4.9, boot=4.9)

    assert isinstance(await world.send(ahead), Evidence)


async def test_a_mark_that_is_committed_too_slowly_makes_the_claim_old():
    """The clocks are read last; the mark alone leaves a doubt, which is worse than another try."""

    async def slow(world):
        apply = world.ledger.apply

        async def stalling(job_id, event):
            world.clock.ahead["boot"] += 6
            return await apply(job_id, event)

        world.ledger.apply = stalling

    await held_back(slow)


async def test_a_claim_that_is_old_already_is_not_marked():
    """Whoever finds it then knows that nothing was sent."""
    world = World()

    async def ahead():
        world.clock.ahead["boot"] += 6

    await world.send(ahead)
    assert world.ledger.known("j").newest.state is AttemptState.SUBMITTING


async def test_a_row_of_another_version_is_not_sent():
    """Whatever moved it, this claim is no longer what the row says."""

    async def moved(world):
        mine = world.ledger.known("j")
        newer = evolve(mine.newest, version=mine.newest.version + 1)
        world.ledger._jobs["j"] = evolve(mine, attempts=(newer,))

    await held_back(moved)


async def test_what_is_marked_already_is_not_sent():
    """Somebody was at this fence before: one mark, one POST."""
    await held_back(lambda world: world.ledger.apply("j", Sending(attempt="j-1", owner=OWNER)))


@pytest.mark.parametrize("left", [(), (attempt(number=7),)], ids=["the job", "its attempt"])
async def test_a_row_that_is_gone_is_not_sent(left):
    """A restored ledger may know neither."""

    async def gone(world):
        mine = world.ledger._jobs.pop("j")
        if left:
            world.ledger._jobs["j"] = evolve(mine, attempts=left)

    await held_back(gone)


@pytest.mark.parametrize("fresh", [False, True])
async def test_a_fresh_connection_is_asked_for_where_nothing_else_ties_the_answer(fresh):
    """Only then: each costs a TLS handshake."""
    world = World()
    await world.send(fresh_connection=fresh)
    assert world.transport.fresh == [fresh]


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


async def test_a_defect_before_the_fence_is_not_sent():
    """No byte has left, so it may be tried again."""

    class Broken(ScriptedTransport):
        async def submit(self, *_, **__):
            raise KeyError("a defect")

    world = World()
    world.transport = Broken(lambda request: TAKEN)
    event = await world.send(again=True)
    assert isinstance(event, Refused)
    assert event.next is not None
    assert "report it" in event.error.message


async def test_a_defect_after_the_fence_is_unknown():
    """It may have left."""
    assert isinstance(await World(KeyError("a defect")).send(), Unknown)
