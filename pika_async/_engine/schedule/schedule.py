"""Which jobs of one account to look up next: times and observations in, next requests out. Pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice
from math import inf
from typing import Final

from pika_async._engine.schedule.demand import HAZARD_BUDGETED, Demand
from pika_async._engine.schedule.pace import Pace
from pika_async._engine.schedule.render_times import LearnedTimes
from pika_async._engine.schedule.waiting import PendingJob, Waiting

_CHOICE: Final = 10  # jobs in line beyond a batch, among which the likeliest are found
_SWEEP: Final = 5_000  # jobs placed anew per take, about 12 ms


class Schedule:
    """The look-ups of one account, in order of need; *now* is seconds on any monotonic clock.

    A request goes out full as soon as enough jobs are due; otherwise once per *interval*, with whatever is
    due and the next in line. A single job never waits for company. The budget is `Pace`'s.

    When a job is due is `Demand`'s to say; with *rate* None there is no budget.

    With *free_results* the look at once that a provider asks for (its render is over, the result is fetched
    by another request) is outside the budget.

    Every operation is O(log jobs). When the learned times move, jobs are placed again, 5,000 per `take`.
    """

    def __init__(
        self,
        *,
        batch: int,
        rate: float | None = 1.0,
        interval: float = 1.0,
        render_time: float = 90.0,
        free_results: bool = False,
    ) -> None:
        self.pace = Pace(rate, interval)
        self.demand = Demand(batch, self.pace, interval)
        self.times = LearnedTimes(render_time)
        self._interval = interval
        self._jobs: dict[str, PendingJob] = {}
        self._waiting = Waiting()
        self._sweep: Iterator[PendingJob] | None = None
        self._topped_up = -inf
        self._free_results = free_results
        self._results: deque[PendingJob] = deque()

    def __len__(self) -> int:
        return len(self._jobs)

    def __contains__(self, key: str) -> bool:
        return key in self._jobs

    def add(
        self, key: str, kind: str, submitted_at: float, now: float, *, expect_callback: bool = False
    ) -> None:
        """Enter a pending job, submitted now or long ago. A key that is there already stays as it is."""
        if key in self._jobs:
            return
        times = self.times.of(kind)
        submitted = min(submitted_at, now)
        known = times.hazard(now - submitted) < HAZARD_BUDGETED
        job = PendingJob(key, times, submitted, submitted, expect_callback, known)
        self._jobs[key] = job
        self.demand.added(job)
        self._place(job)

    def due(self, key: str) -> float:
        """Return when a job that waits is due for a look."""
        return self._jobs[key].due

    def discard(self, key: str) -> None:
        """Forget a job, if it is there."""
        if (job := self._jobs.pop(key, None)) is not None:
            self._waiting.remove(job)
            self.demand.removed(job)
            if job.free:
                self._results.remove(job)

    def take(self, now: float) -> tuple[str, ...]:
        """Return the keys to look up now in one request, or none.

        They are given once: each needs a `looked`, `ended`, `failed` or `discard` to follow.
        """
        if self._results:
            job = self._results.popleft()
            job.taken, job.free = now, False
            return (job.key,)
        if now < self.pace.opens(now):
            return ()
        self._place_anew()
        batch = self.demand.batch
        due = self._waiting.collect(now, batch + _CHOICE)
        full = due >= batch or self._hurried()
        if not full and now < self._topped_up + self.demand.top_up_gap():
            return ()
        short = self.pace.spacing > 0.0 and self.demand.crowded()
        wanted = batch + _CHOICE if short else min(due, batch) if full else batch
        look = self._waiting.pop(wanted, allowed=lambda job: self.demand.earliest(job) <= now)
        if not full:
            self._topped_up = now
        if not look:
            # Nobody may be looked at yet: ask again a little later.
            wait = min(self._interval / 8.0, (self._waiting.next_due() or now) - now)
            self._topped_up = now - self.demand.top_up_gap() + wait
            return ()
        if len(look) > batch:
            look = self._likeliest(look, now)
        for job in look:
            job.taken = now
        self.pace.sent(now)
        return tuple(job.key for job in look)

    def next_at(self, now: float) -> float | None:
        """Return when to call `take` next, None while nobody waits. That `take` may still give nothing."""
        if self._results:
            return now
        batch = self.demand.batch
        lined_up = self._waiting.collect(now, batch)
        due = self._waiting.next_due()
        if not lined_up and due is None:
            return None
        opens = max(now, self.pace.opens(now))
        missing = batch - lined_up
        if missing <= 0 or self._hurried() or self._sweep is not None:
            return opens
        at = self._topped_up + self.demand.top_up_gap()
        if due is not None:
            if not lined_up and not self.demand.crowded():
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
        at = self._looked_at(job, now)
        if job.known and job.times.pending(job.seen - job.submitted, at - job.submitted):
            self._start_sweep()
        job.known = True
        job.seen = at
        job.hold = now + poll_after if poll_after else -inf
        job.again = poll_after == 0.0 and not job.again
        if job.again and self._free_results:
            job.free = True
            self._results.append(job)
        elif job.again:
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
        at = now if called_back else self._looked_at(job, now)
        since = now if called_back else job.seen
        if (job.known or called_back) and job.times.ended(since - job.submitted, at - job.submitted):
            self._start_sweep()
        if job.callback and not called_back:
            relied = self.demand.relies_on_callbacks
            self.demand.callback_missed()
            if relied and not self.demand.relies_on_callbacks:
                self._start_sweep()
        self.discard(key)

    def callback_seen(self) -> None:
        """Note that callbacks arrive: jobs that expect one are left to it, with a slow look as a net."""
        if not self.demand.relies_on_callbacks:
            self._start_sweep()
        self.demand.callback_seen()

    def failed(self, keys: Iterable[str], now: float) -> None:
        """Note a look that told nothing of *keys*: they are due again, an interval later."""
        self.pace.failed(now)
        for key in keys:
            if (job := self._jobs.get(key)) is not None:
                job.taken = None
                job.hold = max(job.hold, now + self._interval)
                self._place(job)

    def halve_batch(self, refused: int) -> None:
        """Note, beside `failed`, that *refused* keys were too many for one request."""
        self.pace.answered()
        self.demand.batch = min(self.demand.batch, max(1, refused // 2))

    def hurry(self, key: str) -> None:
        """Put a job first in line; one whose look is under way stays as it is."""
        if (job := self._jobs.get(key)) is not None and job.taken is None and not job.free:
            self._put_first(job)

    def _hurried(self) -> bool:
        first = self._waiting.first()
        return first is not None and first.due == -inf

    def _put_first(self, job: PendingJob) -> None:
        job.due = -inf
        self._waiting.push_first(job)

    def _likeliest(self, line: list[PendingJob], now: float) -> list[PendingJob]:
        ranked = self.demand.likeliest_first(line, now)
        look, rest = ranked[: self.demand.batch], frozenset(ranked[self.demand.batch :])
        for job in reversed(line):
            if job in rest:
                if job.due > now:
                    self._waiting.push(job)
                else:
                    self._waiting.push_first(job)
        return look

    def _place(self, job: PendingJob) -> None:
        job.due = self.demand.due(job)
        self._waiting.push(job)

    def _looked_at(self, job: PendingJob, now: float) -> float:
        """Return when the look that was answered now saw the job: when it was asked for, to be safe."""
        at = now if job.taken is None else job.taken
        job.taken = None
        return max(at, job.seen)

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
