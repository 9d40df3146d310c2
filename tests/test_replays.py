"""Lost answers on real sockets: where the provider keeps keys they are asked for again, and billed once."""

from __future__ import annotations

import pytest

from benchmarks.replay import tried, with_dead_owners
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


async def test_what_a_killed_process_had_sent_is_asked_for_by_the_next():
    """SIGKILL after the requests left and before their answers: every video, one bill each, no doubt."""
    found = await with_dead_owners(6, seed=3, deaths=1)
    assert found.killed > 0
    assert (found.videos, found.doubts, found.refused, found.bought_twice) == (6, 0, 0, 0)
