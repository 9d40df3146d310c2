"""The shipped machine keeps every law in every state of small worlds, and the check can fail."""

from __future__ import annotations

import pytest
from attrs import evolve

from benchmarks.model.campaign import trace
from benchmarks.model.laws import LAWS, name_of
from benchmarks.model.laws.of_events import each_time_has_come
from benchmarks.model.search import Search
from benchmarks.model.settings import FULL, SUITE
from benchmarks.model.world import Left, Setting
from pika_async._ledger import machine
from pika_async._ledger.events import LeaseOver, Refused

ONE = Setting(name="one attempt", attempts=1, left=Left(crash=1))


@pytest.mark.parametrize("setting", SUITE, ids=lambda setting: setting.name)
def test_no_law_is_broken_in_any_state(setting):
    """Every state of a small world is visited, and each law holds in it; `benchmarks.model` searches more."""
    found = Search(setting).run()
    assert found.violation is None, trace(found.violation)
    assert found.complete
    assert found.states > 40


def test_a_broken_machine_is_caught_with_the_shortest_trace(monkeypatch):
    """A machine that calls what a dead owner left refused is found out, and the trace says how."""
    shipped = machine.settle

    def broken(job, event, now, usage, holder):
        if isinstance(event, LeaseOver) and (attempt := job.attempt(event.attempt)) and attempt.owner:
            refusal = Refused(attempt=attempt.id, owner=attempt.owner, refusal=None)
            return shipped(job, refusal, now, usage, holder)
        return shipped(job, event, now, usage, holder)

    monkeypatch.setattr(machine, "settle", broken)
    found = Search(ONE).run()
    assert found.violation is not None
    assert found.violation.law is each_time_has_come
    assert [step.name for step in found.violation.trace][-1] == "a1: lease over"
    assert len(found.violation.trace) == 2
    assert "  a1: lease over\n" in trace(found.violation)


def test_the_search_can_be_cut_short():
    """A search that was cut short does not say that it has seen every state."""
    found = Search(evolve(ONE, attempts=3)).run(at_most=20)
    assert (found.complete, found.violation) == (False, None)


def test_each_law_has_a_name_and_a_sentence():
    """A violation names its law, and the settings have names of their own."""
    assert len({name_of(law) for law in LAWS}) == len(LAWS)
    assert all(law.__doc__ and law.__doc__.endswith(".") for law in LAWS)
    assert len({setting.name for setting in FULL}) == len(FULL)
