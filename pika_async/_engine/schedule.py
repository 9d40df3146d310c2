"""Which jobs of one account to look up next: times and observations in, next requests out. Pure."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import islice
from math import inf
from typing import Final

from attrs import define

from pika_async._engine.pace import Pace
from pika_async._engine.render_times import RenderTimes

_LONGEST: Final = 32.0  # intervals between two looks
_HAZARD: Final = 0.05  # between two looks, when the budget is free
_HAZARD_BUDGETED: Final = 0.4
_MISSES: Final = 3  # ends found by look-ups, before callbacks are no longer relied on
_CALLBACK_LONGEST: Final = 600.0
_SWEEP: Final = 10_000  # jobs placed anew per take, about 20 ms


@define(eq=False)
class _Job:
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


class Schedule:
    """The look-ups of one account, in order of need; *now* is seconds on any monotonic clock.

    A request goes out full as soon as enough jobs are due; otherwise once per *interval*, with whatever is
    due and the next in line. A single job never waits for company. The budget is `Pace`'s.

    While the budget lets every job be looked at once per *interval*, it is. Beyond, a job is due once it
    is likely enough to have ended since its last look, and of those due the likeliest go first. Nothing
    starves: a job is due again `longest_gap()` seconds after a look at most, after as many more it goes before
    all likelier ones, in order. Without a budget (*rate* None) only the interval and likelihood space looks.

    Every operation is O(log jobs). When the learned times move, jobs are placed anew, 10,000 per `take`.
    """

    def __init__(
        self, *, batch: int, rate: float | None = 1.0, interval: float = 1.0, render_time: float = 90.0
    ) -> None:
        self.batch = batch
        self.pace = Pace(rate, interval)
        self._interval = interval
        self._render_time = render_time
        self._times: dict[str, RenderTimes] = {}
        self._jobs: dict[str, _Job] = {}
        self._heap: list[tuple[float, int, _Job]] = []
        self._ready: OrderedDict[str, _Job] = OrderedDict()  # due, and out of the heap, longest due first
        self._entries = 0
        self._sweep: Iterator[_Job] | None = None
        self._topped_up = -inf
        self._callbacks = 0
        self._misses = 0

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, key: str) -> bool:
        return key in self._jobs

    def times(self, kind: str) -> RenderTimes:
        """Give the learned render times of *kind*."""
        if (times := self._times.get(kind)) is None:
            times = self._times[kind] = RenderTimes(self._render_time)
        return times

    def longest_gap(self) -> float:
        """Tell after how many seconds at most a pending job is due again: 32 intervals, or 4 rounds of all."""
        rounds = len(self._jobs) * self.pace.spacing / self.batch
        return max(_LONGEST * self._interval, 4.0 * rounds)

    def add(
        self, key: str, kind: str, submitted_at: float, now: float, *, expect_callback: bool = False
    ) -> None:
        """Enter a pending job, submitted now or long ago. A key that is there already stays as it is."""
        if key in self._jobs:
            return
        times = self.times(kind)
        submitted = min(submitted_at, now)
        known = times.hazard(now - submitted) < _HAZARD_BUDGETED
        job = self._jobs[key] = _Job(key, times, submitted, submitted, expect_callback, known)
        self._callbacks += expect_callback
        self._place(job)

    def discard(self, key: str) -> None:
        """Forget a job, if it is there."""
        if (job := self._jobs.pop(key, None)) is not None:
            self._withdraw(job)
            self._callbacks -= job.callback

    def take(self, now: float) -> tuple[str, ...]:
        """Give the keys to look up now in one request, or none.

        They are given once: each needs a `looked`, `ended`, `failed` or `discard` to follow.
        """
        if now < self.pace.opens(now):
            return ()
        self._place_anew()
        while self._heap and self._heap[0][0] <= now:
            _, entry, job = heappop(self._heap)
            if job.entry == entry:
                job.entry = 0
                self._ready[job.key] = job
        short = self.pace.spacing > 0.0 and self._crowded()
        if len(self._ready) >= self.batch or self._urgent():
            look = self._in_line(now, 2 * self.batch + 8 if short else min(self.batch, len(self._ready)))
        elif now >= self._topped_up + self._gap():
            look = self._in_line(now, 2 * self.batch + 8 if short else self.batch)
            # When nobody may be looked at yet, ask again a little later.
            self._topped_up = now if look else now - self._gap() + self._interval / 8.0
        else:
            return ()
        if not look:
            return ()
        if len(look) > self.batch:
            look = self._likeliest(look, now)
        for job in look:
            job.taken = now
        self.pace.sent(now)
        return tuple(job.key for job in look)

    def next_at(self, now: float) -> float | None:
        """Tell when to call `take` next, None while nobody waits. That `take` may still give nothing."""
        while self._heap and self._heap[0][2].entry != self._heap[0][1]:
            heappop(self._heap)
        if not self._ready and not self._heap:
            return None
        opens = max(now, self.pace.opens(now))
        missing = self.batch - len(self._ready)
        if missing <= 0 or self._urgent() or self._sweep is not None:
            return opens
        at = self._topped_up + self._gap()
        if self._heap:
            due = self._heap[0][0]
            if not self._ready and not self._crowded():
                at = max(at, due)
            # A batch may fill up earlier; finding out when, exactly, would cost more than a few idle takes.
            at = min(at, due if missing == 1 else max(due, now + self._interval / 8.0))
        return max(opens, at)

    def looked(self, key: str, now: float, poll_after: float | None = None) -> None:
        """Note that a look found the job pending.

        The next one waits *poll_after* seconds at least. 0 asks for one at once, granted once in a row.
        """
        self.pace.answered()
        if (job := self._jobs.get(key)) is None:
            return
        at = self._withdraw(job, now)
        if job.known and job.times.pending(job.seen - job.submitted, at - job.submitted):
            self._start_sweep()
        job.known = True
        job.seen = max(job.seen, at)
        job.hold = now + poll_after if poll_after else -inf
        job.again = poll_after == 0.0 and not job.again
        if job.again:
            self._put_first(job)
        else:
            self._place(job)

    def ended(self, key: str, now: float, *, called_back: bool = False) -> None:
        """Note that a look, or a callback, told the job's end, and learn from it."""
        if called_back:
            self.callback_seen()
        else:
            self.pace.answered()
        if (job := self._jobs.get(key)) is None:
            return
        at = now if called_back else self._withdraw(job, now)
        since = now if called_back else job.seen
        if (job.known or called_back) and job.times.ended(since - job.submitted, at - job.submitted):
            self._start_sweep()
        if job.callback and not called_back:
            self._misses += 1
            if self._misses == _MISSES:
                self._start_sweep()
        self.discard(key)

    def callback_seen(self) -> None:
        """Note that callbacks arrive: jobs that expect one are left to it, with a slow look as a net."""
        if self._misses >= _MISSES:
            self._start_sweep()
        self._misses = 0

    def failed(self, keys: Iterable[str], now: float) -> None:
        """Note a look that told nothing of *keys*: they are due again, an interval later."""
        self.pace.failed(now)
        for key in keys:
            if (job := self._jobs.get(key)) is not None:
                self._withdraw(job)
                job.hold = max(job.hold, now + self._interval)
                self._place(job)

    def slow_down(self, now: float, retry_after: float | None = None) -> None:
        """Note a 429, beside `failed` for its jobs: half the rate, nothing for *retry_after* seconds."""
        self.pace.slow_down(now, retry_after)

    def halve_batch(self, refused: int) -> None:
        """Note, beside `failed`, that *refused* keys were too many for one request."""
        self.pace.answered()
        self.batch = min(self.batch, max(1, refused // 2))

    def hurry(self, key: str) -> None:
        """Put a job first in line; one whose look is under way stays as it is."""
        if (job := self._jobs.get(key)) is not None and job.taken is None:
            self._withdraw(job)
            self._put_first(job)

    def _crowded(self) -> bool:
        polled = len(self._jobs) - (self._callbacks if self._misses < _MISSES else 0)
        return polled * (self.pace.spacing or self._interval) > self.batch * self._interval

    def _gap(self) -> float:
        return self.pace.spacing if self.pace.spacing and self._crowded() else self._interval

    def _urgent(self) -> bool:
        return bool(self._ready) and next(iter(self._ready.values())).due == -inf

    def _put_first(self, job: _Job) -> None:
        job.due = -inf
        self._ready[job.key] = job
        self._ready.move_to_end(job.key, last=False)

    def _in_line(self, now: float, wanted: int) -> list[_Job]:
        line = [self._ready.popitem(last=False)[1] for _ in range(min(wanted, len(self._ready)))]
        early: list[_Job] = []
        while self._heap and len(line) < wanted and len(early) < self.batch:
            _, entry, job = heappop(self._heap)
            if job.entry != entry:
                continue
            job.entry = 0
            (early if self._earliest(job) > now else line).append(job)
        for job in early:
            self._push(job)
        return line

    def _likeliest(self, line: list[_Job], now: float) -> list[_Job]:
        overdue = now - self.longest_gap()

        def rank(job: _Job) -> tuple[float, float]:
            if job.due <= overdue:
                return job.due, 0.0
            times = job.times
            return inf, times.hazard(job.seen - job.submitted) - times.hazard(now - job.submitted)

        ranked = sorted(line, key=rank)
        chosen = set(ranked[: self.batch])
        for job in reversed(line):
            if job not in chosen:
                if job.due > now:
                    self._push(job)
                else:
                    self._ready[job.key] = job
                    self._ready.move_to_end(job.key, last=False)
        return ranked[: self.batch]

    def _left_to_callback(self, job: _Job) -> bool:
        return job.callback and self._misses < _MISSES

    def _earliest(self, job: _Job) -> float:
        return job.due if self._left_to_callback(job) else max(job.hold, job.seen + self._interval)

    def _place(self, job: _Job) -> None:
        earliest = max(job.hold, job.seen + self._interval)
        age = job.seen - job.submitted
        if self._left_to_callback(job):
            late = 1.5 * job.times.age(2.3)  # nine of ten have ended
            wait = max(late, min(1.5 * age, age + _CALLBACK_LONGEST))
            job.due = max(earliest, job.submitted + wait)
        elif self._crowded():
            hazard = _HAZARD_BUDGETED if self.pace.spacing else _HAZARD
            likely = job.submitted + job.times.age(job.times.hazard(age) + hazard)
            job.due = max(earliest, min(likely, job.seen + self.longest_gap()))
        else:
            job.due = earliest
        self._push(job)

    def _push(self, job: _Job) -> None:
        self._entries += 1
        job.entry = self._entries
        heappush(self._heap, (job.due, job.entry, job))
        if len(self._heap) > 2 * len(self._jobs) + 64:
            self._heap = [item for item in self._heap if item[2].entry == item[1]]
            heapify(self._heap)

    def _withdraw(self, job: _Job, now: float = -inf) -> float:
        at = now if job.taken is None else job.taken
        job.taken = None
        job.entry = 0
        self._ready.pop(job.key, None)
        return at

    def _start_sweep(self) -> None:
        self._sweep = iter(tuple(self._jobs.values()))

    def _place_anew(self) -> None:
        if self._sweep is None:
            return
        jobs = tuple(islice(self._sweep, _SWEEP))
        for job in jobs:
            if job.entry:
                self._place(job)
        if len(jobs) < _SWEEP:
            self._sweep = None
