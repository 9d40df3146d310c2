"""How far a batch is, how fast it goes and how long it still takes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async.batch import Progress, RowState


def started(rows, *, width=4, usual=90.0):
    progress = Progress(width=width, usual=usual)
    for number in range(rows):
        progress.start(number, RowState.QUEUED)
    return progress


def test_before_anything_has_ended_there_is_no_rate():
    """A rate of nothing is no rate; the time left is the usual one."""
    progress = started(4)
    progress.see(0, RowState.RENDERING, 0.0)
    assert progress.per_minute(10.0) is None
    assert 45 < progress.left(0.0) < 180


def test_time_left_is_learned():
    """Renders that take ten seconds make the guess of ninety forgotten."""
    progress = started(200, usual=90.0)
    now = 0.0
    for number in range(100):
        progress.see(number, RowState.RENDERING, now)
        now += 10.0
        progress.see(number, RowState.DOWNLOADING, now)
        progress.see(number, RowState.DONE, now)
    assert progress.left(now) == pytest.approx(100 * 10.0 / 4, rel=0.3)
    assert progress.per_minute(now) == pytest.approx(6.0, rel=0.1)


def test_when_nothing_is_left_there_is_no_time_left():
    """Downloads are not guessed at."""
    progress = started(1)
    progress.see(0, RowState.RENDERING, 0.0)
    progress.see(0, RowState.DOWNLOADING, 1.0)
    assert progress.left(1.0) is None


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from(RowState), st.floats(0, 1e6))))
def test_whatever_is_seen_the_counts_add_up(events):
    """Rows are neither lost nor counted twice, and no time left is negative."""
    progress = started(10)
    for number, state, now in events:
        progress.see(number, state, now)
        assert (progress.left(now) or 0.0) >= 0.0
    assert sum(progress.counts.values()) == progress.total == 10
