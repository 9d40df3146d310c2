"""The order of the jobs that wait."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pika_async._engine.schedule.render_times import RenderTimes
from pika_async._engine.schedule.waiting import PendingJob, Waiting

TIMES = RenderTimes(90.0)


def pending(key: str, due: float) -> PendingJob:
    return PendingJob(key, TIMES, 0.0, 0.0, callback=False, known=True, due=due)


@given(st.lists(st.tuples(st.integers(0, 9), st.none() | st.integers(0, 5)), max_size=300), st.integers(0, 5))
def test_jobs_come_out_once_and_in_order(steps, now):
    """Pushed again a job moves, removed it is gone, and nothing is forgotten."""
    waiting = Waiting()
    jobs = {number: pending(str(number), 0.0) for number in range(10)}
    inside: dict[int, int] = {}
    for number, due in steps:
        if due is None:
            waiting.remove(jobs[number])
            inside.pop(number, None)
        else:
            jobs[number].due = due
            waiting.push(jobs[number])
            inside[number] = due
    due_now = sorted(due for due in inside.values() if due <= now)
    assert waiting.collect(now, 20) == len(due_now)
    assert waiting.next_due() == min((due for due in inside.values() if due > now), default=None)
    out = waiting.pop(20, allowed=lambda job: True)
    assert [job.due for job in out] == sorted(inside.values())
    assert waiting.next_due() is None


def test_job_put_first_comes_before_those_due_earlier():
    """The front of the line is for the hurried."""
    waiting = Waiting()
    jobs = [pending("a", 1.0), pending("b", 2.0), pending("c", 3.0)]
    for job in jobs:
        waiting.push(job)
    waiting.collect(2.0, 20)
    waiting.push_first(jobs[2])
    assert waiting.first() is jobs[2]
    assert [job.key for job in waiting.pop(3, allowed=lambda job: True)] == ["c", "a", "b"]


def test_job_not_allowed_yet_stays():
    """Topping up passes over those that may not be looked at, and keeps their place."""
    waiting = Waiting()
    for job in (pending("a", 5.0), pending("b", 6.0)):
        waiting.push(job)
    assert [job.key for job in waiting.pop(2, allowed=lambda job: job.key == "b")] == ["b"]
    assert waiting.next_due() == 5.0
