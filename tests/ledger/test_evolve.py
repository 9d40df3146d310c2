"""Records are frozen values; a copy differs in what was asked for and in nothing else."""

from __future__ import annotations

import attrs
import pytest
from attrs import fields

from pika_async._ledger.change import Change
from pika_async._ledger.evolve import evolve
from pika_async._ledger.records import Move, Received, Refusal, Usage
from tests.ledger.records import attempt, job

VALUES = [
    attempt(),
    job(),
    Usage(),
    Refusal(error="AuthError", message="no"),
    Change(before=None, after=job(), at=1.0),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_copy_is_what_attrs_would_make(value):
    """Every field, one at a time."""
    for field in fields(type(value)):
        ours, theirs = evolve(value, **{field.name: "x"}), attrs.evolve(value, **{field.name: "x"})
        assert type(ours) is type(value)
        assert ours == theirs


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_copy_is_frozen_as_well(value):
    """A record that changed in place would be seen by everybody who holds it."""
    copy = evolve(value)
    name = fields(type(value))[0].name
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(copy, name, "x")
    assert copy == value
    assert copy is not value


@pytest.mark.parametrize("kind", [type(value) for value in VALUES] + [Move, Received])
def test_what_can_be_copied_has_nothing_to_convert(kind):
    """The copy sets slots as they are."""
    assert all(field.converter is None and field.validator is None for field in fields(kind))


def test_a_field_that_is_not_there_is_refused():
    """As attrs does."""
    with pytest.raises(TypeError, match="no nonsense"):
        evolve(job(), nonsense=1)
