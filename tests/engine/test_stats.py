"""What each account is doing, in numbers."""

from __future__ import annotations

import pytest

from tests.engine.lost_answers import lost
from tests.engine.scripted import LOST, scene

pytestmark = pytest.mark.anyio


async def test_stats_tell_for_how_long_a_person_has_been_waited_for():
    """The age of the oldest unresolved attempt counts from its claim; without one there is none."""
    async with scene() as s:
        assert (s.stats.unresolved, s.stats.oldest_unresolved) == (0, None)
        s.host.at_submit.append(LOST)
        await lost(s)
        await s.clock.advance(3000)
        assert s.stats.unresolved == 1
        assert s.stats.oldest_unresolved == pytest.approx(3000, abs=5)
