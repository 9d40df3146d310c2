"""The table of moves: it covers every event, the machine keeps to it, and the documentation shows it."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest
from attrs import evolve

from pika_async._ledger.events import (
    Abandon,
    Cancel,
    Claim,
    Event,
    Evidence,
    LeaseOver,
    Lost,
    Mismatch,
    NothingFound,
    PassedOver,
    Refused,
    Replaying,
    ReplayOver,
    Restored,
    Resubmit,
    Sending,
    SlotOver,
    Unbind,
    Unknown,
)
from pika_async._ledger.machine import step
from pika_async._ledger.moves import MOVES, table
from pika_async._ledger.records import AttemptState, Refusal, Replayable
from pika_async._ledger.standing import FINAL, REPLAYABLE
from pika_async.results import Pending, Task
from tests.ledger.records import attempt, job, next_attempt

LATE = 1e9
TASK = Task("t1")
EVENTS = {
    Claim: Claim(attempt="j-1", owner="w"),
    Sending: Sending(attempt="j-1", owner="w"),
    Replaying: Replaying(attempt="j-1", owner="w", within=2 * LATE),
    ReplayOver: ReplayOver(attempt="j-1"),
    Refused: Refused(attempt="j-1", owner="w", refusal=Refusal(error="SubmitRefused", message="no")),
    PassedOver: PassedOver(
        attempt="j-1", refusal=Refusal(error="ProviderUnavailable", message="no"), next=next_attempt(2)
    ),
    Evidence: Evidence(attempt="j-1", snapshot=Pending(task=TASK), source="echo"),
    Unknown: Unknown(attempt="j-1", owner="w"),
    LeaseOver: LeaseOver(attempt="j-1"),
    NothingFound: NothingFound(attempt="j-1"),
    Lost: Lost(attempt="j-1"),
    Mismatch: Mismatch(attempt="j-1", task="t1"),
    Unbind: Unbind(attempt="j-1"),
    Cancel: Cancel(),
    Resubmit: Resubmit(next=next_attempt(2)),
    Abandon: Abandon(),
    SlotOver: SlotOver(attempt="j-1"),
    Restored: Restored(attempt="j-1"),
}


def worlds(state):
    """Return jobs with one attempt in *state*, with the tasks it can have, and everything else allowing."""
    bare = attempt(state=state, owner="w", slot=state is not AttemptState.QUEUED)
    if state in REPLAYABLE:
        bare = evolve(bare, replay=Replayable(until=1.0, key="k"))
    if state not in {AttemptState.RUNNING, *FINAL}:
        yield job(bare)
    if state in {AttemptState.RUNNING, AttemptState.UNRESOLVED, *FINAL}:
        for bound_by in ("callback", "answer", "echo"):
            yield job(evolve(bare, task=TASK, bound_by=bound_by))


def moves(event, world):
    """Return whether *event* changes the attempt itself or, for evidence, binds or ends it."""
    before, after = world.newest, step(world, event, LATE).attempt("j-1")
    return after != before


def test_every_event_has_its_row():
    """No event is left out of the table, and none stands there twice."""
    assert [rule.event for rule in MOVES] == list(dict.fromkeys(rule.event for rule in MOVES))
    assert {rule.event for rule in MOVES} == set(get_args(Event)) == EVENTS.keys()


@pytest.mark.parametrize("rule", MOVES, ids=lambda rule: rule.event.__name__)
def test_the_machine_keeps_to_the_table(rule):
    """An event moves attempts of the states that its row names, each of them, and no others."""
    moved = {s for s in AttemptState for w in worlds(s) if moves(EVENTS[rule.event], w)}
    assert moved == rule.start


def test_the_documentation_shows_the_table():
    """docs/pay-once.md is drawn from the data: print `table()` into it after a change."""
    page = (Path(__file__).parents[2] / "docs" / "pay-once.md").read_text()
    assert table() in page
