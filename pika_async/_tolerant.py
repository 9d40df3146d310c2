"""The one tolerant reader of foreign JSON, behind which cattrs stays. No I/O here."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from pika_async._http import HttpResponse
from pika_async.errors import BadReply

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")


def read_json(response: HttpResponse, shape: type[T]) -> T:
    """Read the body of *response* as *shape*; raises `BadReply` when it cannot be."""
    return structure(response.json(), shape, status=response.status)


def structure(value: object, shape: type[T], *, status: int | None = None) -> T:
    """Read decoded JSON as the attrs class *shape*, by the rules of the tolerant converter.

    Text and truth are strict; numbers are also read from digit strings, and nonsense where a number
    is optional becomes None; unknown fields are ignored; raises `BadReply` for anything else.
    """
    try:
        return tolerant_converter().structure(value, shape)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise BadReply(
            f"The answer does not have the documented shape ({error}); nothing was concluded from it.",
            status=status,
        ) from None


@cache
def tolerant_converter() -> Converter:
    """Build the converter; cattrs is loaded on first use because imports must stay light."""
    from cattrs import Converter

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _strict(str))
    converter.register_structure_hook(bool, _strict(bool))
    converter.register_structure_hook(int, lambda value, _: _whole(value))
    converter.register_structure_hook(float, lambda value, _: _real(value))
    converter.register_structure_hook_func(lambda shape: shape is Any, _as_it_is)
    converter.register_structure_hook_func(lambda shape: shape == float | None, _or_none(_real))
    converter.register_structure_hook_func(lambda shape: shape == int | None, _or_none(_whole))
    converter.register_structure_hook_factory(
        lambda shape: get_args(shape)[1:] == (...,),
        lambda shape: _one_or_many(converter, get_args(shape)[0]),
    )
    return converter


def _strict(kind: type) -> Callable[[object, object], object]:
    def read(value: object, _: object) -> object:
        if not isinstance(value, kind):
            raise TypeError(f"expected {kind.__name__}, found {type(value).__name__}")
        return value

    return read


def _as_it_is(value: object, _: object) -> object:
    return value


def _real(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise TypeError(f"expected a number, found {type(value).__name__}")
    try:
        number = float(value)
    except ValueError:
        raise ValueError("expected a number, found other text") from None
    if not math.isfinite(number):
        raise ValueError("expected a finite number")
    return number


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    number = _real(value)
    if number != int(number):
        raise ValueError("expected a whole number")
    return int(number)


def _or_none(read: Callable[[object], float]) -> Callable[[object, object], float | None]:
    def read_or_none(value: object, _: object) -> float | None:
        try:
            return read(value)
        except (TypeError, ValueError, OverflowError):
            return None

    return read_or_none


def _one_or_many(converter: Converter, shape: Any) -> Callable[[object, object], tuple[Any, ...]]:
    """Read a list, a single object or null as a tuple; declared by a field of type `tuple[X, ...]`."""

    def read(value: object, _: object) -> tuple[Any, ...]:
        items = value if isinstance(value, list) else [] if value is None else [value]
        return tuple(converter.structure(item, shape) for item in items)

    return read
