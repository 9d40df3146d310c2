"""The laws of docs/pay-once.md, each by its name: of a job that is told an event, of a fence, of a world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.model.laws.cases import Records, Told, Truth
from benchmarks.model.laws.of_events import OF_EVENTS
from benchmarks.model.laws.of_fences import (
    OF_FENCES,
    a_replay_leaves_under_its_first_key,
    a_replay_leaves_within_t,
)
from benchmarks.model.laws.of_records import OF_ENDS, OF_RECORDS
from benchmarks.model.laws.of_worlds import OF_WORLDS

__all__ = [
    "LAWS",
    "OF_ENDS",
    "OF_EVENTS",
    "OF_FENCES",
    "OF_RECORDS",
    "OF_WORLDS",
    "Records",
    "Told",
    "Truth",
    "a_replay_leaves_under_its_first_key",
    "a_replay_leaves_within_t",
    "name_of",
]

LAWS: tuple[Callable[..., bool], ...] = (
    a_replay_leaves_within_t,
    a_replay_leaves_under_its_first_key,
    *OF_EVENTS,
    *OF_FENCES,
    *OF_RECORDS,
    *OF_WORLDS,
    *OF_ENDS,
)


def name_of(law: Callable[[Any], bool]) -> str:
    """Return a law's name as words."""
    return law.__name__.replace("_", " ")
