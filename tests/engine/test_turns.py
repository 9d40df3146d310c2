"""Newcomers come a few at a time."""

import asyncio
from itertools import pairwise

import pytest

from pika_async._engine.turns import PER_ROUND, Turns

pytestmark = pytest.mark.anyio


async def test_a_round_lets_only_so_many_through_and_in_order():
    """Of many that come at once, each round of the loop takes its share, first come first served."""
    turns = Turns()
    through: list[int] = []

    async def newcomer(number: int) -> None:
        await turns.take()
        through.append(number)

    tasks = [asyncio.create_task(newcomer(n)) for n in range(3 * PER_ROUND)]
    await asyncio.sleep(0)
    assert len(through) == PER_ROUND
    seen = [len(through)]
    while len(through) < len(tasks):
        await asyncio.sleep(0)
        seen.append(len(through))
    assert max(later - earlier for earlier, later in pairwise(seen)) <= PER_ROUND
    assert through == list(range(3 * PER_ROUND))


async def test_who_stops_waiting_takes_nobodys_turn():
    """A cancelled newcomer is passed over."""
    turns = Turns()
    tasks = [asyncio.create_task(turns.take()) for _ in range(2 * PER_ROUND + 1)]
    await asyncio.sleep(0)
    for task in tasks[PER_ROUND:-1]:
        task.cancel()
    await asyncio.wait_for(tasks[-1], 5)
