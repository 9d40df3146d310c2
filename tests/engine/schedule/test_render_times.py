"""What look-ups teach about render times."""

from __future__ import annotations

from math import exp

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async._engine.schedule.render_times import RenderTimes

ages = st.floats(0.0, 1e6)


def median(times: RenderTimes) -> float:
    return times.age(0.693)


@pytest.mark.parametrize("hint", [3.0, 90.0, 600.0])
def test_hint_is_the_first_median(hint):
    """Before anything is seen, half of the renders are expected to end by the hint."""
    assert median(RenderTimes(hint)) == pytest.approx(hint, rel=0.05)


@given(st.lists(st.tuples(st.booleans(), ages, ages), max_size=40), ages, ages)
def test_hazard_only_grows_and_can_be_read_backwards(seen, age, other):
    """Whatever is observed, the law stays a law."""
    times = RenderTimes(90.0)
    for ended, a, b in seen:
        (times.ended if ended else times.pending)(min(a, b), max(a, b))
    low, high = sorted((age, other))
    assert 0.0 <= times.hazard(low) <= times.hazard(high)
    reached = min(age, 80_000.0)
    assert times.hazard(times.age(times.hazard(reached))) == pytest.approx(times.hazard(reached))


def test_first_early_end_makes_others_expected():
    """When fifty are pending at 20 s and then one ends, the next seconds are worth a look."""
    times = RenderTimes(90.0)
    for _ in range(50):
        times.pending(0.0, 20.0)
    before = times.age(0.05)
    assert times.ended(20.0, 21.0), "the law moved"
    assert before > 35.0
    assert times.age(0.05) < 26.0


def test_slower_provider_is_learned_from_pending_renders_alone():
    """Renders still pending long after the hint move the expected time, before any of them ends."""
    times = RenderTimes(20.0)
    for _ in range(200):
        times.pending(0.0, 100.0)
    assert times.age(0.05) > 50.0


def test_wide_intervals_do_not_drift():
    """An end known only to within half a minute is placed by what narrower ones taught."""
    times = RenderTimes(90.0)
    for number in range(200):
        times.pending(0.0, 20.0 + number % 5)
        times.ended(20.0 + number % 5, 21.0 + number % 5)
    for _ in range(400):
        times.ended(0.0, 50.0)
    assert median(times) == pytest.approx(22.5, rel=0.1)


def test_old_renders_are_forgotten():
    """When a provider gets slower for good, the old times stop counting."""
    times = RenderTimes(20.0)
    for seconds in (20.0, 60.0):
        for _ in range(5_000):
            times.pending(0.0, seconds)
            times.ended(seconds, seconds + 1.0)
    assert exp(-times.hazard(55.0)) > 0.9
