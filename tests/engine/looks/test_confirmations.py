"""Hints of callbacks: looked up soon, together, and not for ever."""

from __future__ import annotations

import itertools

import pytest

from pika_async._engine.looks.confirmations import Confirmations
from pika_async.testing import FakeClock

pytestmark = pytest.mark.anyio


def hints():
    """Return a clock, the confirmations, and the batches of what was hurried."""
    clock, hurried, sent = FakeClock(), [], []

    def tick():
        sent.append(tuple(hurried))
        hurried.clear()

    return clock, Confirmations(hurried.append, clock, tick), sent


async def test_hints_of_one_moment_are_sent_together():
    """A provider that ends many at once costs one request."""
    clock, confirmations, sent = hints()
    for name in "abc":
        confirmations.confirm(name)
    assert not sent
    await clock.advance(0.05)
    assert sent == [("a", "b", "c")]


async def test_a_flood_does_not_wait():
    """Fifty are a look-up's worth."""
    _, confirmations, sent = hints()
    for number in range(50):
        confirmations.confirm(str(number))
    assert [len(batch) for batch in sent] == [50]


async def test_a_status_that_lags_is_asked_again_and_then_left_to_the_poll():
    """Each time later than before, six times in all."""
    clock, confirmations, sent = hints()
    confirmations.confirm("a")
    times = []
    for _ in range(6):
        before = len(sent)
        while len(sent) == before:
            await clock.advance(0.1)
        times.append(clock.now())
        confirmations.not_confirmed("a")
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert gaps == sorted(gaps)
    assert "a" not in confirmations
    await clock.advance(600)
    assert len(sent) == 6


async def test_a_look_up_that_failed_does_not_count():
    """The provider has said nothing about the task."""
    clock, confirmations, sent = hints()
    confirmations.confirm("a")
    for _ in range(20):
        await clock.advance(1)
        confirmations.not_confirmed("a", failed=True)
    assert "a" in confirmations
    assert len(sent) == 20


async def test_what_is_forgotten_is_not_asked_about_again():
    """The job has ended."""
    clock, confirmations, sent = hints()
    confirmations.confirm("a")
    await clock.advance(0.05)
    confirmations.forget("a")
    confirmations.not_confirmed("a")
    await clock.advance(60)
    assert sent == [("a",)]
