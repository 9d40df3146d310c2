"""How long renders take: learned from look-ups, which only tell "it ended between these two looks"."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from math import expm1, isfinite, log1p
from typing import Final

# Ages fall into bins of equal width on a logarithmic scale: 2 s wide at 20 s, 8 s at 90 s.
_BINS: Final = 120
_PER_E: Final = 12.0
_SCALE: Final = 4.0
_MEMORY: Final = 512.0  # renders, before older ones count half
_PRIOR_WEIGHT: Final = 1.0  # one render's worth of opinion in every bin
_PRIOR_SHAPE: Final = 4.0
_END: Final = _BINS - 1e-9
_GOLDEN: Final = 0.6180339887498949


class RenderTimes:
    """The learned law of one kind's render times, as a hazard: how likely a pending render ends next.

    It starts from *hint* (seconds), whose weight is a single render. Inside, time is a position on
    the logarithmic scale; within a bin the hazard is constant. An observation costs O(log bins).
    """

    __slots__ = (
        "_cumulative",
        "_ends",
        "_entered",
        "_fresh",
        "_landmarks",
        "_partial",
        "_prior",
        "_total",
        "_turn",
    )

    def __init__(self, hint: float) -> None:
        middles = [_age(k + 0.5) for k in range(_BINS)]
        # A log-logistic law around the hint, whose tail never makes an end certain.
        self._prior = [
            _PRIOR_SHAPE / (1.0 + (hint / age) ** _PRIOR_SHAPE) * (1.0 + _SCALE / age) / _PER_E
            for age in middles
        ]
        self._ends = [0.0] * _BINS
        self._entered = [0.0] * (_BINS + 1)  # differences: their running sum is how many renders passed a bin
        self._partial = [0.0] * _BINS
        self._total = 0.0
        self._fresh = 0.0
        self._turn = 0.0
        self._cumulative: list[float] = []
        self._landmarks = (0.0, 0.0)
        self._rebuild()

    def hazard(self, age: float) -> float:
        """Return the cumulative hazard at *age* seconds: the chance to be pending still is `exp(-hazard)`."""
        return self._hazard_at(_position(age))

    def age(self, hazard: float) -> float:
        """Return at which age, in seconds, the cumulative hazard reaches *hazard*."""
        return _age(self._position_of(hazard))

    def pending(self, since: float, until: float) -> bool:
        """Learn that a render pending at age *since* was pending at *until*; tell whether the law moved."""
        self._expose(_position(since), _position(until))
        return self._learned(1.0 / 16.0)

    def ended(self, since: float, until: float) -> bool:
        """Learn that a render pending at age *since* had ended at *until*; tell whether the law moved."""
        start, stop = _position(since), _position(until)
        # Where in between it ended is drawn from the law as known, by a sequence that fills evenly:
        # placing all at one end or in the middle would make the learned times drift.
        self._turn = (self._turn + _GOLDEN) % 1.0
        before = self._hazard_at(start)
        surely = -expm1(before - self._hazard_at(stop))
        end = min(max(self._position_of(before - log1p(-self._turn * surely)), start), stop)
        self._expose(start, end)
        self._ends[min(int(end), _BINS - 1)] += 1.0
        self._total += 1.0
        return self._learned(1.0)

    def state(self) -> list[list[float]]:
        """Return what was learned, for another process."""
        return [self._ends, self._entered, self._partial, [self._total]]

    def restore(self, state: Sequence[Sequence[float]]) -> None:
        """Go on from what another process learned; raises `ValueError` or `TypeError` for other data."""
        ends, entered, partial, (total,) = state
        if (len(ends), len(entered), len(partial)) != (_BINS, _BINS + 1, _BINS):
            raise ValueError("another number of bins")
        if not all(isfinite(count) for counts in (ends, entered, partial, (total,)) for count in counts):
            raise ValueError("not finite")
        self._ends, self._entered, self._partial = list(ends), list(entered), list(partial)
        self._total = total
        self._rebuild()

    def _expose(self, start: float, stop: float) -> None:
        first, last = int(start), int(stop)
        if first == last:
            self._partial[first] += stop - start
        else:
            self._partial[first] += first + 1 - start
            self._partial[last] += stop - last
            self._entered[first + 1] += 1.0
            self._entered[last] -= 1.0

    def _learned(self, weight: float) -> bool:
        self._fresh += weight
        if self._fresh < max(1.0, min(self._total, _MEMORY) / 16.0):
            return False
        self._fresh = 0.0
        if self._total > 2.0 * _MEMORY:
            self._total /= 2.0
            for counts in (self._ends, self._entered, self._partial):
                counts[:] = [count / 2.0 for count in counts]
        self._rebuild()
        landmarks = (self._position_of(0.05), self._position_of(0.7))
        # Half a position is 4 % of an age: smaller moves are not worth telling.
        if all(abs(new - old) < 0.5 for new, old in zip(landmarks, self._landmarks, strict=True)):
            return False
        self._landmarks = landmarks
        return True

    def _rebuild(self) -> None:
        hazard = passing = total = 0.0
        cumulative = [0.0]
        for prior, ends, entered, partial in zip(
            self._prior, self._ends, self._entered, self._partial, strict=False
        ):
            passing += entered
            # Where little was seen, renders are taken to end as often as a little earlier: once the first
            # ones end, the others are expected, however late the hint said.
            hazard = (ends + _PRIOR_WEIGHT * max(prior, 0.9 * hazard)) / (passing + partial + _PRIOR_WEIGHT)
            total += hazard
            cumulative.append(total)
        self._cumulative = cumulative

    def _hazard_at(self, position: float) -> float:
        bin_ = int(position)
        low = self._cumulative[bin_]
        return low + (self._cumulative[bin_ + 1] - low) * (position - bin_)

    def _position_of(self, hazard: float) -> float:
        cumulative = self._cumulative
        bin_ = min(bisect_right(cumulative, hazard), _BINS) - 1
        low = cumulative[bin_]
        return min(bin_ + (hazard - low) / (cumulative[bin_ + 1] - low), _END)


class LearnedTimes:
    """The render times of every kind; *hint* is what a render of any kind takes, in seconds."""

    def __init__(self, hint: float) -> None:
        self._hint = hint
        self._kinds: dict[str, RenderTimes] = {}

    def of(self, kind: str) -> RenderTimes:
        """Return the render times of *kind*."""
        if (times := self._kinds.get(kind)) is None:
            times = self._kinds[kind] = RenderTimes(self._hint)
        return times

    def text(self) -> str:
        """Return what was learned, for the next process that looks."""
        return json.dumps({kind: times.state() for kind, times in self._kinds.items()})

    def restore(self, text: str) -> None:
        """Go on from what another process learned; text that is none of ours teaches nothing."""
        try:
            for kind, state in json.loads(text).items():
                self.of(kind).restore(state)
        except (ValueError, TypeError, AttributeError):
            return


def _position(age: float) -> float:
    if age <= 0.0:
        return 0.0
    position = _PER_E * log1p(age / _SCALE)
    return min(position, _END)


def _age(position: float) -> float:
    return _SCALE * expm1(position / _PER_E)
