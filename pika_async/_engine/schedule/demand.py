"""How soon each pending job of an account needs a look: by its chances, its callback and the budget. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Final

from pika_async._engine.schedule.pace import Pace
from pika_async._engine.schedule.waiting import PendingJob

_LONGEST: Final = 32.0  # intervals between two looks
_HAZARD: Final = 0.05  # between two looks, when there is no budget
HAZARD_BUDGETED: Final = 0.5
_MISSES: Final = 3  # ends found by look-ups, before callbacks are no longer relied on
_CALLBACK_LONGEST: Final = 600.0


class Demand:
    """What all pending jobs together ask of the budget, and what that leaves to each.

    While the budget lets every job be looked at once per *interval*, it is. Beyond that, a job is due once
    it is likely enough to have ended since its last look, and the likeliest go first. Nothing starves:
    `longest_gap()` seconds after a look a job is due whatever its chances, and after as many more it
    goes before all others. Without a budget likelihood and interval alone space the looks.
    """

    def __init__(self, batch: int, pace: Pace, interval: float) -> None:
        self.batch = batch
        self._pace = pace
        self._interval = interval
        self._jobs = 0
        self._callbacks = 0
        self._misses = 0

    def added(self, job: PendingJob) -> None:
        """Count a job that is pending now."""
        self._jobs += 1
        self._callbacks += job.callback

    def removed(self, job: PendingJob) -> None:
        """Count a job no more."""
        self._jobs -= 1
        self._callbacks -= job.callback

    @property
    def relies_on_callbacks(self) -> bool:
        """Return whether jobs that expect a callback are left to it, with a slow look as a net."""
        return self._misses < _MISSES

    def callback_missed(self) -> None:
        """Note that a look told an end of which a callback should have told."""
        self._misses += 1

    def callback_seen(self) -> None:
        """Note that callbacks arrive."""
        self._misses = 0

    def longest_gap(self) -> float:
        """Return within how many seconds of a look a job is due again: 32 intervals, or 4 rounds of all."""
        rounds = self._jobs * self._pace.spacing / self.batch
        return max(_LONGEST * self._interval, 4.0 * rounds)

    def crowded(self) -> bool:
        """Return whether the budget does not allow a look at every job once per interval."""
        polled = self._jobs - (self._callbacks if self.relies_on_callbacks else 0)
        return polled * (self._pace.spacing or self._interval) > self.batch * self._interval

    def top_up_gap(self) -> float:
        """Return the seconds between two requests that are not full."""
        return self._pace.spacing if self._pace.spacing and self.crowded() else self._interval

    def earliest(self, job: PendingJob) -> float:
        """Return from when on a job may ride in a request that has room."""
        return job.due if self._left_to_callback(job) else self._next_interval(job)

    def due(self, job: PendingJob) -> float:
        """Return when a job is due for its next look."""
        earliest = self._next_interval(job)
        age = job.seen - job.submitted
        if self._left_to_callback(job):
            late = 1.5 * job.times.age(2.3)  # nine of ten have ended
            wait = max(late, min(1.5 * age, age + _CALLBACK_LONGEST))
            return max(earliest, job.submitted + wait)
        if self.crowded():
            hazard = HAZARD_BUDGETED if self._pace.spacing else _HAZARD
            likely = job.submitted + job.times.age(job.times.hazard(age) + hazard)
            return max(earliest, min(likely, job.seen + self.longest_gap()))
        return earliest

    def likeliest_first(self, jobs: Iterable[PendingJob], now: float) -> list[PendingJob]:
        """Return *jobs* in the order of need: what is overdue, then what is likeliest to have ended."""
        overdue = now - self.longest_gap()

        def rank(job: PendingJob) -> tuple[float, float]:
            if job.due <= overdue:
                return job.due, 0.0
            hazard = job.times.hazard
            return inf, hazard(job.seen - job.submitted) - hazard(now - job.submitted)

        return sorted(jobs, key=rank)

    def _left_to_callback(self, job: PendingJob) -> bool:
        return job.callback and self.relies_on_callbacks

    def _next_interval(self, job: PendingJob) -> float:
        return max(job.hold, job.seen + self._interval)
