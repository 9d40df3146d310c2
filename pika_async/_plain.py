"""Values and errors as plain JSON data, for programs that do not know our classes. Pure."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from functools import singledispatch
from pathlib import PurePath
from types import FunctionType
from typing import Any

from attrs import fields, has


def asdict(value: object) -> dict[str, Any]:
    """Return a value or an error of this library as plain data that `json.dumps` takes.

    Keys are the names of the fields. A path becomes text, bytes become Base64 text, a set becomes a sorted
    list, a class or a function becomes its name, a number that JSON cannot hold becomes None, a job becomes
    its token, and a `Secret` becomes `***`. An error becomes its `type`, `message`, `provider`, `token`,
    `phase`, `charged`, `retryable`, `trace_id`, `status`, `code`, `retry_after` and `notes`. Raises
    `TypeError` for anything else.

    >>> from pika_async.results import State, VideoResult
    >>> asdict(VideoResult("v1", "https://media.test/v1.mp4", None, 5.0, State.SUCCEEDED))
    {'id': 'v1', 'video_url': 'https://media.test/v1.mp4', 'image_url': None, 'duration': 5.0, \
'state': 'succeeded'}
    """
    if isinstance(value, type | Mapping) or not isinstance(made := plain(value), dict):
        raise TypeError(f"asdict takes a value or an error of pika_async, not {type(value).__name__}.")
    return made


@singledispatch
def plain(value: object) -> Any:
    """Return *value* as JSON data; what is not a value of ours registers how it is shown."""
    kind: Any = type(value)
    if not has(kind):
        raise TypeError(f"A {kind.__name__} has no form in JSON.")
    return {a.alias: plain(getattr(value, a.alias)) for a in fields(kind) if a.init}


@plain.register(str)
def _text(value: str) -> str:
    return str.__str__(value)  # a member of an enum becomes its word


@plain.register(int)
@plain.register(type(None))
def _itself(value: int | None) -> int | None:
    return value


@plain.register
def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


@plain.register
def _bytes(value: bytes) -> str:
    return base64.b64encode(value).decode()


@plain.register
def _path(value: PurePath) -> str:
    return str(value)


@plain.register(type)
@plain.register(FunctionType)
def _name(value: type | FunctionType) -> str:
    return value.__name__


@plain.register
def _mapping(value: Mapping) -> dict[str, Any]:  # type: ignore[type-arg]  # singledispatch takes no generics
    return {str(plain(key)): plain(inner) for key, inner in value.items()}


@plain.register(list)
@plain.register(tuple)
def _list(value: list[Any] | tuple[Any, ...]) -> list[Any]:
    return [plain(inner) for inner in value]


@plain.register(set)
@plain.register(frozenset)
def _set(value: set[Any] | frozenset[Any]) -> list[Any]:
    return sorted(plain(inner) for inner in value)
