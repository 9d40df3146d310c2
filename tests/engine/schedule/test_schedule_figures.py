"""The figures the schedule promises, on simulated time."""

from __future__ import annotations

from itertools import pairwise
from random import Random
from statistics import mean, median

import pytest

from pika_async._engine.schedule.schedule import Schedule
from tests.engine.bound import clairvoyant_p50, most_found_within
from tests.engine.simulation import Render, simulate


def minute_long(seed: int) -> list[Render]:
    random = Random(seed)
    return [Render(0.0, random.uniform(60, 120)) for _ in range(2_000)]


@pytest.mark.parametrize("hint", [90.0, 22.5])
@pytest.mark.parametrize(("interval", "requests", "p50"), [(1.0, 1.12, 0.6), (2.5, 1.05, 1.5)])
def test_ten_thousand_in_flight(hint, interval, requests, p50):
    """Without a budget, 10,000 jobs of 20 to 25 s cost few requests each, and are found soon."""
    random = Random(1)
    jobs = [Render(random.uniform(0, 3), random.uniform(20, 25)) for _ in range(10_000)]
    run = simulate(Schedule(batch=50, rate=None, interval=interval, render_time=hint), jobs, latency=0.02)
    assert 1 + len(run.requests) / 10_000 <= requests
    assert run.p50 <= p50


@pytest.mark.parametrize(("batch", "slots"), [(50, 32), (1, None)])
def test_as_good_as_knowing_every_end(batch, slots):
    """With 32 in flight and batches, or 2,000 and none, knowing the ends would hardly help."""
    jobs = minute_long(3)
    run = simulate(Schedule(batch=batch), jobs, slots=slots)
    assert run.p50 <= 1.05 * clairvoyant_p50(jobs, batch=batch, rate=1.0, slots=slots)


def test_near_the_best_without_batches():
    """With 32 in flight and no batches, the median delay is within 1.5 of the best there can be."""
    runs = [simulate(Schedule(batch=1), minute_long(seed), slots=32) for seed in (3, 4, 5)]
    looks = mean(run.looks for run in runs) / 2_000
    best = 3.3
    share = most_found_within(best, first=60, last=120, price=lambda age: 0.11, all_looks=0.11 * looks)
    assert share < 0.5, "half of the jobs could be found sooner"
    assert median(delay for run in runs for delay in run.delays) <= 1.5 * best


def test_near_the_best_with_everything_at_once():
    """With 2,000 in flight and batches of 50, the median delay is within 1.5 of the best there can be."""
    knots = {0: 0.0, 61: 0.02, 70: 0.23, 88: 0.34, 104: 0.405, 109: 0.352, 121: 0.162, 130: 0.0, 999: 0.0}

    def price(age: float) -> float:
        ((a, low), (b, high)) = next(pair for pair in pairwise(knots.items()) if age <= pair[1][0])
        return low + (high - low) * (age - a) / (b - a)

    best = 10.9
    all_looks = sum(50 * price(age) for age in range(61, 140)) / 2_000
    share = most_found_within(best, first=60, last=120, price=price, all_looks=all_looks)
    assert share < 0.5, "half of the jobs could be found sooner"
    assert simulate(Schedule(batch=50), minute_long(3)).p50 <= 1.5 * best
