"""What no schedule can beat: lower limits of the delay, to measure a schedule against."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from statistics import median

from tests.engine.simulation import Render


def clairvoyant_p50(renders: Sequence[Render], *, batch: int, rate: float, slots: int | None = None) -> float:
    """Return the median delay when every end is known beforehand, and only ended jobs are looked at."""
    waiting = deque(sorted(renders, key=lambda render: render.at))
    ends: list[float] = []
    delays: list[float] = []
    now = 0.0
    while waiting or ends:
        while waiting and waiting[0].at <= now and (slots is None or len(ends) < slots):
            ends.append(now + waiting.popleft().seconds)
        ends.sort()
        found = [end for end in ends[:batch] if end <= now]
        delays += (now - end for end in found)
        del ends[: len(found)]
        now += 1.0 / rate
    return median(delays)


def most_found_within(
    delay: float, *, first: float, last: float, price: Callable[[float], float], all_looks: float
) -> float:
    """Limit the share of jobs that a schedule which knows no ends can find within *delay* of their end.

    Renders take *first* to *last* seconds, evenly spread, which the schedule knows. Finding a job in time
    earns 1, and a look at age t costs `price(t)`. What the best sequence of looks earns with one job, plus
    what *all_looks* that the budget allows would cost, per job, is a limit whatever the prices are (Lagrange
    duality): so nobody needs to prove that they are the best.
    """
    ages = [0.0, *(first + 0.5 * k for k in range(1, int(2.0 * (last - first + delay)) + 2))]
    ended = [_share(age, first, last) for age in ages]
    worth = [0.0] * len(ages)
    for i in range(len(ages) - 2, -1, -1):
        pending = 1.0 - ended[i]
        for j in range(i + 1, len(ages)) if pending > 0.0 else ():
            since = _share(max(ages[i], ages[j] - delay), first, last)
            earned = (ended[j] - since + (1.0 - ended[j]) * worth[j]) / pending
            worth[i] = max(worth[i], earned - price(ages[j]))
    return worth[0] + all_looks


def _share(age: float, first: float, last: float) -> float:
    return min(max((age - first) / (last - first), 0.0), 1.0)
