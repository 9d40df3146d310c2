"""How far a batch is, how fast it goes and how long it still takes. Pure: times are handed in."""

from __future__ import annotations

from collections import Counter
from math import log
from typing import Final

from pika_async._engine.looks.render_times import RenderTimes
from pika_async.gallery import RowState

_HALF: Final = log(2.0)
_STEP: Final = 1.0


class Progress:
    """Counts rows by state and learns how long renders take; *usual* is a first guess, in seconds.

    *width* rows render at a time. Times are seconds on any clock that does not jump.
    """

    def __init__(self, *, width: int, usual: float) -> None:
        self._width = width
        self._times = RenderTimes(usual)
        self._states: dict[int, RowState] = {}
        self._rendering: dict[int, float] = {}
        self._began: float | None = None
        self._finished = 0

    @property
    def counts(self) -> Counter[RowState]:
        """Count the rows in each state."""
        return Counter(self._states.values())

    @property
    def total(self) -> int:
        """Count all rows."""
        return len(self._states)

    def start(self, number: int, state: RowState) -> None:
        """Note where a row stands before anything is done."""
        self._states[number] = state

    def see(self, number: int, state: RowState, now: float) -> None:
        """Note that a row has come to *state*."""
        before = self._states.get(number)
        self._states[number] = state
        self._began = now if self._began is None else self._began
        if before is state:
            return
        since = self._rendering.pop(number, None)
        if state is RowState.RENDERING:
            self._rendering[number] = now
        elif since is not None and state is RowState.DOWNLOADING:
            age = now - since
            self._times.pending(0.0, max(age - _STEP, 0.0))
            self._times.ended(max(age - _STEP, 0.0), age)
        self._finished += state is RowState.DONE

    def per_minute(self, now: float) -> float | None:
        """Return how many rows were finished a minute, so far."""
        if self._began is None or not self._finished or now <= self._began:
            return None
        return 60.0 * self._finished / (now - self._began)

    def left(self, now: float) -> float | None:
        """Return the seconds until everything is rendered, as likely too many as too few."""
        waits = [self._remaining(max(now - since, 0.0)) for since in self._rendering.values()]
        queued = self.counts[RowState.QUEUED]
        fresh = self._remaining(0.0)
        if not waits and not queued:
            return None
        lanes = min(self._width, len(waits) + queued)
        longest = max([*waits, *([fresh] if queued else [])])
        return max(longest, (sum(waits) + queued * fresh) / lanes)

    def _remaining(self, age: float) -> float:
        return self._times.age(self._times.hazard(age) + _HALF) - age
