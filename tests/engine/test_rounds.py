"""When the next sweep comes: soon after a question, ever more rarely, and never while one runs."""

from __future__ import annotations

import pytest

from pika_async._engine.effects import Question
from pika_async._engine.rounds import Rounds
from pika_async.testing import FakeClock

pytestmark = pytest.mark.anyio

QUESTION = Question()


class Ledger:
    """As much of a ledger as rounds look at."""

    def __init__(self, *, shared):
        self.shared = shared


class Desk:
    """As much of a desk as rounds look at."""

    def __init__(self, *, shared):
        self.ledger, self.closing, self.acts = Ledger(shared=shared), False, {}

    def carries_out(self, effect, act):
        self.acts[effect] = act


class World:
    """Rounds that are over as soon as they have begun, and leave *left* questions open."""

    def __init__(self, *, shared=False, left=0):
        self.clock, self.desk, self.left, self.begun = FakeClock(), Desk(shared=shared), left, []
        self.lasting = False
        self.rounds = Rounds(self.desk, self.clock, self._due)

    def _due(self):
        self.rounds.begun()
        self.begun.append(self.clock.now() - 1000.0)
        if not self.lasting:
            self.rounds.over(self.left)

    def question(self):
        self.desk.acts[Question](None, QUESTION)


async def test_a_question_is_looked_at_a_second_later():
    """And no more where it is settled by that."""
    world = World()
    world.question()
    await world.clock.advance(1000)
    assert world.begun == [1.0]


async def test_memory_is_swept_ever_more_rarely_while_a_question_is_open():
    """Ten minutes apart at last; nothing else happens there."""
    world = World(left=1)
    world.rounds.open()
    await world.clock.advance(5)
    assert not world.begun
    world.question()
    await world.clock.advance(4000)
    pauses = [b - a for a, b in zip(world.begun, world.begun[1:], strict=False)]
    assert pauses[:4] == [2.0, 4.0, 8.0, 16.0]
    assert pauses[-1] == 600.0


async def test_a_shared_ledger_is_swept_every_five_seconds():
    """Others may have left something, whatever is open here."""
    world = World(shared=True)
    world.rounds.open()
    await world.clock.advance(30)
    assert world.begun == [1.0, 3.0, 7.0, 12.0, 17.0, 22.0, 27.0]


async def test_a_new_question_is_soon_looked_at_again():
    """However long the pause had become."""
    world = World(left=1)
    world.question()
    await world.clock.advance(200)
    world.begun.clear()
    world.question()
    await world.clock.advance(3)
    assert world.begun == [201.0, 203.0]


async def test_a_stream_of_questions_does_not_put_it_off():
    """The earlier moment holds."""
    world = World()
    for _ in range(4):
        world.question()
        await world.clock.advance(0.4)
    assert world.begun == [1.0]


async def test_none_begins_while_one_runs():
    """What was asked meanwhile is seen by the next."""
    world = World(left=1)
    world.lasting = True
    world.question()
    await world.clock.advance(1)
    world.question()
    await world.clock.advance(60)
    assert world.begun == [1.0]
    world.rounds.over(1)
    await world.clock.advance(2)
    assert world.begun == [1.0, 63.0]


async def test_nothing_begins_once_the_client_closes():
    """Neither by a question nor by the timer that was set."""
    world = World(left=1)
    world.question()
    world.rounds.stop()
    world.desk.closing = True
    world.question()
    await world.clock.advance(60)
    assert not world.begun
