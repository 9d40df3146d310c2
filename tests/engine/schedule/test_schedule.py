"""The laws of the schedule, on simulated time."""

from __future__ import annotations

from itertools import pairwise
from math import ceil
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pika_async._engine.schedule.schedule import Schedule
from tests.engine.schedule.strategies import FEW, batches, rates, renders
from tests.engine.simulation import Render, simulate


def submit(schedule: Schedule, count: int, now: float = 0.0) -> None:
    for number in range(count):
        schedule.add(f"job-{number}", "Generate", now, now)


@FEW
@given(st.lists(renders, min_size=1, max_size=60), batches, rates, st.randoms(use_true_random=False))
def test_budget_is_never_exceeded(jobs, batch, rate, random):
    """Whatever comes back, requests are 1/rate apart, so that no window holds more than its share."""
    moods = ["ok", "ok", "ok", "failed", "429"]
    run = simulate(
        Schedule(batch=batch, rate=rate),
        jobs,
        latency=0.3,
        answers=lambda now, keys: random.choice(moods),
        until=600,
    )
    times = [at for at, _ in run.requests]
    assert all(after - before >= 1 / rate - 1e-9 for before, after in pairwise(times))
    for window in (1.0, 7.3):
        assert run.busiest(window) <= ceil(rate * window - 1e-9)
    assert all(size <= batch for _, size in run.requests)


@FEW
@given(st.floats(0, 300), st.sampled_from([1, 50]), st.sampled_from([1.0, 5.0, None]))
def test_single_job_does_not_wait_for_company(seconds, batch, rate):
    """One job is looked at every interval, however late the hint expects it."""
    run = simulate(Schedule(batch=batch, rate=rate), [Render(0.0, seconds)])
    assert run.delays[0] <= 1.0 + 1e-9
    assert len(run.requests) == max(1, ceil(seconds - 1e-9))


def test_fresh_job_among_few_is_seen_within_two_intervals():
    """A job that joins others rides in their next request."""
    run = simulate(Schedule(batch=50), [Render(0.0, 40.0), Render(10.4, 0.2)])
    assert min(run.delays) <= 2.0
    assert run.busiest(1.0) == 1


@pytest.mark.parametrize("rate", [1.0, 10.0, None])
def test_batches_are_full_when_demand_is(rate):
    """While more than a batch is due, no request goes out with less."""
    schedule = Schedule(batch=50, rate=rate)
    submit(schedule, 2_000, now=-300.0)
    sizes, now = [], 0.0
    while len(schedule) >= 100:
        look = schedule.take(now)
        for key in look:
            schedule.ended(key, now)
        sizes += [len(look)] if look else []
        now = max(now + 1e-3, schedule.next_at(now) or 0.0)
    assert set(sizes) == {50}


def test_only_the_last_batch_of_a_tick_is_partial():
    """Without a budget, 120 jobs due at once make two full requests and one with the rest."""
    schedule = Schedule(batch=50, rate=None, render_time=10.0)
    submit(schedule, 120)
    assert [len(schedule.take(60.0)) for _ in range(4)] == [50, 50, 20, 0]


@settings(max_examples=10)
@given(st.floats(5, 200), st.floats(1.1, 2.0), st.floats(0.3, 4.0))
def test_learned_times_converge(fastest, spread, hint):
    """After some hundred renders the learned quartiles are right, wherever the hint was."""
    random = Random(1)
    slowest = fastest * spread
    jobs = [Render(random.uniform(0, 300), random.uniform(fastest, slowest)) for _ in range(400)]
    schedule = Schedule(batch=50, render_time=fastest * hint)
    simulate(schedule, jobs)
    times = schedule.times.of("Generate")
    for hazard, share in ((0.288, 0.25), (0.693, 0.5), (1.386, 0.75)):
        expected = fastest + share * (slowest - fastest)
        assert times.age(hazard) == pytest.approx(expected, rel=0.15, abs=1.0)


def test_kinds_are_learned_apart():
    """A fast kind teaches nothing about a slow one."""
    jobs = [Render(float(n), 10.0, "Style") for n in range(100)] + [
        Render(float(n), 100.0) for n in range(100)
    ]
    schedule = Schedule(batch=50)
    simulate(schedule, jobs)
    assert schedule.times.of("Style").age(0.693) == pytest.approx(10.0, rel=0.15)
    assert schedule.times.of("Generate").age(0.693) == pytest.approx(100.0, rel=0.15)


@FEW
@given(st.sampled_from(["a", "b", "ghost"]), st.integers(0, 6))
def test_unknown_keys_are_harmless(key, when):
    """Reports on keys that are not there, or not any more, change nothing."""
    schedule = Schedule(batch=50)
    submit(schedule, 2)
    schedule.add("a", "Generate", 0.0, 0.0)
    schedule.discard("a")
    reports = [
        lambda: schedule.discard(key),
        lambda: schedule.looked(key, 5.0),
        lambda: schedule.ended(key, 5.0),
        lambda: schedule.ended(key, 5.0, called_back=True),
        lambda: schedule.failed([key], 5.0),
        lambda: schedule.hurry(key),
        lambda: schedule.add("job-0", "Generate", 3.0, 3.0),
    ]
    reports[when]()
    assert len(schedule) == 2
    assert set(schedule.take(10.0)) == {"job-0", "job-1"}


def test_discarded_job_is_not_looked_at():
    """What a callback ended, or nobody waits for, leaves the schedule at once."""
    schedule = Schedule(batch=50)
    submit(schedule, 3)
    schedule.discard("job-1")
    assert set(schedule.take(5.0)) == {"job-0", "job-2"}
    schedule.discard("job-0")
    schedule.looked("job-0", 5.1)
    schedule.ended("job-2", 5.1)
    assert schedule.next_at(6.0) is None
    assert schedule.take(50.0) == ()


def test_429_halves_the_rate_and_it_recovers():
    """Refusals that were under way together count once; half of the loss is back after 30 s."""
    schedule = Schedule(batch=1, rate=1.0)
    submit(schedule, 500)
    for at in (10.0, 10.1, 10.2):
        schedule.pace.slow_down(at)

    def spacing(at: float) -> float:
        assert schedule.take(at)
        return schedule.pace.opens(at) - at

    assert spacing(10.2) == pytest.approx(2.0, rel=0.01)
    assert spacing(40.0) == pytest.approx(1.0, rel=0.01)


def test_429_spaces_an_unlimited_account():
    """Without a budget, a refusal makes one, and it goes away."""
    schedule = Schedule(batch=1, rate=None, render_time=5.0)
    submit(schedule, 500)
    schedule.pace.slow_down(60.0)
    assert [len(schedule.take(60.0)) for _ in range(3)] == [1, 0, 0]
    assert [len(schedule.take(600.0)) for _ in range(3)] == [1, 1, 1]


def test_retry_after_is_obeyed():
    """Nothing goes out before the provider's own time."""
    schedule = Schedule(batch=50)
    submit(schedule, 3)
    schedule.pace.slow_down(10.0, 45.0)
    assert schedule.take(54.9) == ()
    assert schedule.next_at(11.0) == 55.0
    assert len(schedule.take(55.0)) == 3


def test_failed_look_is_due_an_interval_later():
    """One failure costs one interval, repeated ones pause the account, an answer ends that."""
    schedule = Schedule(batch=50)
    submit(schedule, 1)
    now, pauses = 5.0, []
    for _ in range(10):
        assert schedule.take(now) == ("job-0",)
        schedule.failed(["job-0"], now)
        after = schedule.next_at(now)
        assert after is not None
        pauses.append(after - now)
        now = after
    assert pauses == [1, 1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert schedule.take(now)
    schedule.looked("job-0", now)
    assert schedule.next_at(now) == now + 1.0


def test_refused_batch_is_halved_for_good():
    """Batches that were under way together halve it once."""
    schedule = Schedule(batch=40, rate=None, render_time=5.0)
    submit(schedule, 100)
    looks = [schedule.take(60.0), schedule.take(60.0)]
    for look in looks:
        schedule.failed(look, 60.0)
        schedule.halve_batch(len(look))
    assert schedule.demand.batch == 20
    assert len(schedule.take(100.0)) == 20


def test_poll_after_delays_the_next_look():
    """The provider's wish is kept, also when nothing else is to do."""
    schedule = Schedule(batch=50)
    submit(schedule, 1)
    schedule.take(1.0)
    schedule.looked("job-0", 1.0, 20.0)
    assert schedule.next_at(1.0) == 21.0
    assert schedule.take(20.9) == ()
    assert schedule.take(21.0) == ("job-0",)


def test_look_at_once_is_granted_once_in_a_row():
    """poll_after=0 goes before all others within the budget, and again only after an ordinary look."""
    schedule = Schedule(batch=1)
    submit(schedule, 3)
    (key,) = schedule.take(5.0)
    schedule.looked(key, 5.1, 0.0)
    assert schedule.next_at(5.1) == 6.0
    assert schedule.take(6.0) == (key,)
    schedule.looked(key, 6.1, 0.0)
    assert schedule.take(7.0) != (key,)


def test_hurried_job_goes_first():
    """A job somebody asks about goes out with the next request, even before its interval is over."""
    schedule = Schedule(batch=1, rate=2.0)
    submit(schedule, 50)
    schedule.take(100.0)
    schedule.hurry("job-33")
    assert schedule.next_at(100.0) == 100.5
    assert schedule.take(100.5) == ("job-33",)


def test_other_requests_share_the_budget():
    """A place taken for something else delays the next look, and the places line up."""
    schedule = Schedule(batch=50, rate=2.0)
    submit(schedule, 3)
    assert [schedule.pace.spend(10.0), schedule.pace.spend(10.0)] == [10.0, 10.5]
    assert schedule.take(10.9) == ()
    assert schedule.next_at(10.9) == 11.0
    assert len(schedule.take(11.0)) == 3


def test_adopted_job_is_looked_at_at_once():
    """A job of an earlier process goes out now; that it has ended by now tells nothing of render times."""
    schedule = Schedule(batch=50, render_time=30.0)
    before = schedule.times.of("Generate").age(0.693)
    for number in range(40):
        schedule.add(f"job-{number}", "Generate", -86_400.0, 0.0)
    assert schedule.next_at(0.0) == 0.0
    for key in schedule.take(0.0):
        schedule.ended(key, 0.1)
    assert schedule.times.of("Generate").age(0.693) == before


def test_half_of_the_looks_failing_delays_but_loses_nothing():
    """Every job is found, also under failures, refusals and refused batches."""
    random = Random(5)
    jobs = [Render(random.uniform(0, 60), random.uniform(60, 120)) for _ in range(500)]
    moods = ["ok", "ok", "failed", "failed", "429", "400"]
    run = simulate(
        Schedule(batch=50, rate=5.0), jobs, latency=0.5, answers=lambda now, keys: random.choice(moods)
    )
    assert len(run.delays) == 500


def test_hours_of_bursts_of_a_thousand_jobs():
    """A burst each quarter of an hour, at the default budget: every job is found, soon, and in few looks."""
    random = Random(7)
    jobs = [
        Render(burst * 860.0 + random.uniform(0, 10), random.uniform(60, 120))
        for burst in range(20)
        for _ in range(1_000)
    ]
    run = simulate(Schedule(batch=50), jobs)
    assert len(run.delays) == 20_000
    assert run.looks <= 130_000
    assert max(run.delays) <= 60.0
    assert run.busiest(1.0) == 1


def test_a_result_may_be_fetched_outside_the_budget():
    """At once, whatever the budget says, and once in a row."""
    schedule = Schedule(batch=1, rate=1.0, free_results=True)
    submit(schedule, 2)
    (first,) = schedule.take(90.0)
    schedule.looked(first, 90.1, poll_after=0)
    assert schedule.next_at(90.1) == 90.1
    assert schedule.take(90.1) == (first,)
    assert schedule.take(90.2) == ()
    schedule.looked(first, 90.3, poll_after=0)
    assert schedule.take(90.4) == ()
    (second,) = schedule.take(91.0)
    assert second != first


def test_a_result_that_nobody_waits_for_is_not_fetched():
    """Neither after its job was forgotten, nor twice because somebody is in a hurry."""
    schedule = Schedule(batch=1, rate=None, free_results=True)
    submit(schedule, 1)
    schedule.take(90.0)
    schedule.looked("job-0", 90.1, poll_after=0)
    schedule.hurry("job-0")
    assert [schedule.take(90.1), schedule.take(90.1)] == [("job-0",), ()]
    schedule.looked("job-0", 90.2)
    schedule.take(95.0)
    schedule.looked("job-0", 95.1, poll_after=0)
    schedule.discard("job-0")
    assert schedule.take(99.0) == ()
