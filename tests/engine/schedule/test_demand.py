"""How soon each job needs a look: nobody starves, the likeliest go first, and callbacks are given time."""

from __future__ import annotations

from itertools import pairwise
from math import ceil, inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async._engine.schedule.schedule import Schedule
from tests.engine.schedule.strategies import FEW, batches, renders
from tests.engine.simulation import Render, simulate


@FEW
@given(
    st.lists(renders, min_size=1, max_size=40), batches, st.sampled_from([0.5, 1.0, 10.0, None]), st.data()
)
def test_nobody_starves(jobs, batch, rate, data):
    """A job that never ends is looked at again within two longest gaps and a round of all jobs."""
    endless = data.draw(st.integers(1, 30))
    jobs = [*jobs, *(Render(0.0, inf) for _ in range(endless))]
    schedule = Schedule(batch=batch, rate=rate)
    run = simulate(schedule, jobs, until=900)
    round_of_all = ceil(len(jobs) / batch) * (1 / rate if rate else 0.0)
    longest = max(32.0, 4 * round_of_all)
    assert max(run.gaps.values()) <= 2 * longest + round_of_all + 2.0


def test_likeliest_go_first():
    """Beyond the budget, a job about to end is preferred to one that was waiting longer but just began."""
    schedule = Schedule(batch=1, render_time=90.0)
    for number in range(30):
        schedule.add(f"young-{number}", "Generate", 80.0, 80.0)
    schedule.add("old", "Generate", 0.0, 85.0)
    assert schedule.take(86.0) == ("old",)


def test_callback_is_given_time_first():
    """A job with a callback is looked at well after its render time, then ever more rarely."""
    schedule = Schedule(batch=50, render_time=60.0)
    schedule.add("job", "Generate", 0.0, 0.0, expect_callback=True)
    looks, now = [], 0.0
    while now < 3_000:
        if schedule.take(now):
            looks.append(now)
            schedule.looked("job", now)
        now = schedule.next_at(now) or inf
    assert looks[0] > 90.0
    gaps = [after - before for before, after in pairwise(looks)]
    assert gaps == pytest.approx(sorted(gaps))
    assert max(gaps) == pytest.approx(600.0)


def test_missing_callbacks_bring_normal_polling_back():
    """After three ends that no callback told, jobs are polled as usual, until a callback comes again."""
    schedule = Schedule(batch=50, render_time=60.0)
    for number in range(5):
        schedule.add(f"job-{number}", "Generate", 0.0, 0.0, expect_callback=True)
    look = schedule.take(500.0)
    assert len(look) == 5
    for key in look[:3]:
        schedule.ended(key, 500.0)
    for key in look[3:]:
        schedule.looked(key, 500.0)
    assert schedule.next_at(500.0) == 501.0
    schedule.callback_seen()
    for _ in range(3):
        schedule.take(501.0)
    assert (schedule.next_at(502.0) or 0.0) > 600.0
