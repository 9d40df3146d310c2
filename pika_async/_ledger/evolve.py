"""A changed copy of a frozen record, made fast. Pure."""

from __future__ import annotations

from functools import cache
from operator import attrgetter
from typing import Any, TypeVar

from attrs import AttrsInstance, fields, make_class

T = TypeVar("T", bound=AttrsInstance)


def evolve(value: T, **changes: Any) -> T:
    """Copy a record with *changes*, at a tenth of what `attrs.evolve` costs: a job has ten of these.

    The copy is made as an open twin, a class with the same slots that is not frozen, and frozen afterwards.
    So it is for classes without converters, validators and weak references, such as the records.
    """
    kind = type(value)
    twin, values = _twin(kind)
    copy: T = twin(*values(value))
    try:
        for name, new in changes.items():
            setattr(copy, name, new)
    except AttributeError:
        raise TypeError(f"A {kind.__name__} has no {name}") from None
    copy.__class__ = kind
    return copy


@cache
def _twin(kind: type[AttrsInstance]) -> tuple[Any, attrgetter[tuple[Any, ...]]]:
    names = [field.name for field in fields(kind)]
    twin = make_class(kind.__name__, names, slots=True, weakref_slot=False, eq=False, repr=False)
    return twin, attrgetter(*names)
