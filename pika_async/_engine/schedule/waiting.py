"""The pending jobs of one account, in the order in which they are due for a look. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from heapq import heapify, heappop, heappush
from math import inf

from attrs import define

from pika_async._engine.schedule.render_times import RenderTimes


@define(eq=False)
class PendingJob:
    """What the schedule knows of one job; times are seconds on the schedule's clock."""

    key: str
    times: RenderTimes
    submitted: float
    seen: float  # when it was last known to be pending
    callback: bool
    known: bool  # False when it may well have ended before it was added: its end then teaches nothing
    hold: float = -inf  # no look before
    due: float = 0.0
    entry: int = 0  # the number of its place in the heap, 0 when it has none
    taken: float | None = None  # when the look under way was asked for
    again: bool = False  # a look at once was asked for, and granted
    free: bool = False  # and it fetches a result outside the budget


class Waiting:
    """A heap by due time, whose due jobs move to a line as needed; removed ones go stale in the heap.

    >>> waiting, times = Waiting(), RenderTimes(90.0)
    >>> for due in (3.0, 1.0, 2.0):
    ...     job = PendingJob(f"due at {due}", times, 0.0, 0.0, callback=False, known=True, due=due)
    ...     waiting.push(job)
    >>> waiting.collect(now=2.0, enough=50)
    2
    >>> [job.key for job in waiting.pop(3, allowed=lambda job: False)]
    ['due at 1.0', 'due at 2.0']
    """

    __slots__ = ("_entries", "_heap", "_line", "_stale")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, PendingJob]] = []
        self._line: OrderedDict[str, PendingJob] = OrderedDict()
        self._entries = 0
        self._stale = 0

    def push(self, job: PendingJob) -> None:
        """Enter a job, or move it, to where its due time belongs."""
        self.remove(job)
        self._entries += 1
        job.entry = self._entries
        heappush(self._heap, (job.due, job.entry, job))

    def push_first(self, job: PendingJob) -> None:
        """Enter a job before all others."""
        self.remove(job)
        self._line[job.key] = job
        self._line.move_to_end(job.key, last=False)

    def remove(self, job: PendingJob) -> None:
        """Take a job out, if it is in."""
        if not job.entry:
            self._line.pop(job.key, None)
            return
        job.entry = 0
        self._stale += 1
        if self._stale > 64 and self._stale > len(self._heap) // 2:
            self._heap = [item for item in self._heap if item[2].entry == item[1]]
            heapify(self._heap)
            self._stale = 0

    def collect(self, now: float, enough: int) -> int:
        """Line up jobs that are due until there are *enough*; tell how many there are."""
        while len(self._line) < enough and (due := self.next_due()) is not None and due <= now:
            job = self._pop_heap()
            self._line[job.key] = job
        return len(self._line)

    def next_due(self) -> float | None:
        """Return when the next job is due that is not lined up."""
        while self._heap and self._heap[0][2].entry != self._heap[0][1]:
            heappop(self._heap)
            self._stale -= 1
        return self._heap[0][0] if self._heap else None

    def first(self) -> PendingJob | None:
        """Return the first job in line."""
        return next(iter(self._line.values()), None)

    def pop(self, wanted: int, *, allowed: Callable[[PendingJob], bool]) -> list[PendingJob]:
        """Take out up to *wanted* jobs: those in line, then those due next that are *allowed* already."""
        jobs = [self._line.popitem(last=False)[1] for _ in range(min(wanted, len(self._line)))]
        early: list[PendingJob] = []
        while len(jobs) < wanted and len(early) <= wanted and self.next_due() is not None:
            job = self._pop_heap()
            (jobs if allowed(job) else early).append(job)
        for job in early:
            self.push(job)
        return jobs

    def _pop_heap(self) -> PendingJob:
        job = heappop(self._heap)[2]
        job.entry = 0
        return job
