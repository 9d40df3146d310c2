"""What a closing client says of jobs that may be paid."""

from __future__ import annotations

import logging

import pytest

from pika_async._engine import farewell
from pika_async._engine.flight import Flight
from pika_async._ledger.records import AttemptState
from pika_async.results import Task
from pika_async.testing import FakeClock
from tests.ledger.records import attempt, job


class Account:
    """As much of an account as a token names."""

    name, label, key = "scripted", "default", "scripted:default"


def flight(state=AttemptState.RUNNING, **marks):
    """Make the flight of a job that somebody here wants."""
    task = Task("t1") if state is AttemptState.RUNNING else None
    made = Flight(job(attempt(state=state, task=task)), Account(), FakeClock())
    made.wanted = True
    for name, value in marks.items():
        setattr(made, name, value)
    return made


def said(caplog, *flights, remembers=False):
    """Return what is said, as level and text."""
    caplog.set_level(logging.INFO, "pika_async")
    farewell.say(flights, remembers=remembers)
    return [(r.levelname, r.getMessage()) for r in caplog.records]


def test_a_job_that_may_be_paid_is_told_with_its_token(caplog):
    """One line, with what any process goes on from."""
    one = flight()
    ((level, text),) = said(caplog, one)
    assert level == "WARNING"
    assert one.token in text


@pytest.mark.parametrize(
    "silent",
    [{"wanted": False}, {"told": True}, {"state": AttemptState.QUEUED}, {"state": AttemptState.REFUSED}],
)
def test_what_is_not_told(silent, caplog):
    """Others' jobs, what was seen, and what costs nothing."""
    assert not said(caplog, flight(**silent))


def test_held_tokens_are_counted_where_the_ledger_outlives_the_process(caplog):
    """Where it does not, they are told as well."""
    assert said(caplog, flight(held=True), flight(held=True), remembers=True)[0][0] == "INFO"
    caplog.clear()
    assert said(caplog, flight(held=True))[0][0] == "WARNING"


@pytest.mark.parametrize("remembers", [True, False])
def test_twenty_lines_and_one(remembers, caplog):
    """The last one counts the rest, and says where they are."""
    flights = [flight() for _ in range(25)]
    told = said(caplog, *flights, remembers=remembers)
    assert len(told) == 21
    assert told[-1][1].startswith("5 more jobs")
    assert ("pika-async jobs" in told[-1][1]) is remembers
    assert (flights[-1].token in told[-1][1]) is not remembers


@pytest.mark.parametrize(
    ("state", "remembers", "unread", "charged"),
    [
        (AttemptState.QUEUED, True, False, "no"),
        (AttemptState.QUEUED, True, True, "unknown"),
        (AttemptState.QUEUED, False, False, "no"),
        (AttemptState.RUNNING, True, False, "yes"),
    ],
)
def test_who_waits_is_told_what_the_order_may_have_cost(state, remembers, unread, charged):
    """What another process may have sent meanwhile is not called free; what stays queued says so."""
    error = farewell.error_of(flight(state), remembers=remembers, unread=unread)
    assert error.charged == charged
    stays = state is AttemptState.QUEUED and remembers and not unread
    assert ("stays queued" in error.message) is stays
