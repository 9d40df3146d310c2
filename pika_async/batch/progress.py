"""How far a batch is, how fast it goes and how long it still takes. Pure: times are handed in."""

from __future__ import annotations

from collections import Counter
from statistics import median
from typing import Final

from pika_async._crossing import process_bound
from pika_async.batch.entry import RowState

_REMEMBERED: Final = 200


@process_bound("make Progress(...) where the batch runs")
class Progress:
    """Counts rows by state, and the time left by the median render so far; *usual* is a first guess.

    *width* rows render at a time. Times are seconds on any clock that does not jump.
    """

    def __init__(self, *, width: int, usual: float) -> None:
        self._width = width
        self._usual = usual
        self._renders: list[float] = []
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
            self._renders = [*self._renders[-_REMEMBERED:], max(now - since, 0.0)]
        self._finished += state is RowState.DONE

    def per_minute(self, now: float) -> float | None:
        """Return how many rows were finished a minute, so far."""
        if self._began is None or not self._finished or now <= self._began:
            return None
        return 60.0 * self._finished / (now - self._began)

    def left(self, now: float) -> float | None:
        """Return about how many seconds it takes until everything is rendered."""
        render = median(self._renders) if self._renders else self._usual
        waits = [max(render - (now - since), 0.0) for since in self._rendering.values()]
        queued = self.counts[RowState.QUEUED]
        if not waits and not queued:
            return None
        lanes = min(self._width, len(waits) + queued)
        return max(*waits, 0.0, render if queued else 0.0, (sum(waits) + queued * render) / lanes)
