"""Lost answers on real sockets: where the provider keeps keys they are asked for again, and billed once."""

from __future__ import annotations

import pytest

from benchmarks.replay import tried
from pika_async._engine import replaying

pytestmark = pytest.mark.anyio


async def test_no_lost_answer_of_a_provider_that_keeps_keys_is_left_to_a_person(monkeypatch):
    """Connections cut before and behind the provider, half answers, 5xx: every video, one bill each."""
    monkeypatch.setattr(replaying, "_FIRST_PAUSE", 0.01)
    monkeypatch.setattr(replaying, "_LONGEST_PAUSE", 0.05)
    tally = await tried("pika", 30, seed=1)
    assert tally.faults >= 10
    assert (tally.videos, tally.doubts, tally.refused, tally.bought_twice) == (30, 0, 0, 0)


async def test_without_keys_nothing_is_sent_twice():
    """The same faults before a provider that keeps none: doubts, and no second bill."""
    tally = await tried("acedata", 15, seed=1)
    assert tally.doubts > 0
    assert tally.bought_twice == 0
