"""The adapter as the engine reads it: no answer shows a secret of its own, or a progress beyond 1. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from attrs import evolve

from pika_async._secret import Secret
from pika_async.errors import PikaError
from pika_async.provider import Page, Provider
from pika_async.results import Failed, Pending, Succeeded


class Concealing:
    """Passes every call on to *adapter*, and conceals its secrets in what its `read_*` functions tell.

    That is what they return and the errors they raise. A provider may echo a key anywhere, and an adapter's
    author need not think of it. The progress of what is pending is clipped to 0 to 1.
    """

    def __init__(self, adapter: Provider) -> None:
        self._adapter = adapter
        self._secrets = secrets_of(adapter)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._adapter, name)
        if not name.startswith("read_"):
            return found
        read = partial(self._read, found)
        setattr(self, name, read)  # found without `__getattr__` from now on
        return read

    def _read(self, read: Callable[..., object], *answer: object) -> object:
        try:
            told = read(*answer)
        except PikaError as error:
            error.conceal(self._secrets)
            raise
        return _concealed(told, self._secrets)


def secrets_of(adapter: object) -> tuple[Secret, ...]:
    """Return the secrets among the attributes of *adapter*, and its `api_key` even if it is bare text."""
    return tuple(dict.fromkeys(named_secrets(adapter).values()))


def named_secrets(adapter: object) -> dict[str, Secret]:
    """Return the secrets of *adapter* by the names of its attributes."""
    names = {*getattr(adapter, "__dict__", ())}
    for kind in type(adapter).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        names |= {slots} if isinstance(slots, str) else {*slots}
    values = {name: getattr(adapter, name, None) for name in sorted(names)}
    found = {name: value for name, value in values.items() if isinstance(value, Secret)}
    key = getattr(adapter, "api_key", None)
    return {**found, "api_key": Secret(key)} if isinstance(key, str) else found


def _clipped(progress: object) -> float | None:
    """Return *progress* between 0 and 1, None for what is no number.

    >>> _clipped(0.25), _clipped(45), _clipped(-1), _clipped(float("nan")), _clipped("45 %")
    (0.25, 1.0, 0.0, None, None)
    """
    if isinstance(progress, bool) or not isinstance(progress, int | float) or math.isnan(progress):
        return None
    return min(max(progress, 0.0), 1.0)


def _concealed(told: object, secrets: tuple[Secret, ...]) -> object:
    match told:
        case Pending(progress=progress) if (clipped := _clipped(progress)) is not progress:
            return evolve(told.conceal(secrets), progress=clipped)
        case Pending() | Succeeded() | Failed():
            return told.conceal(secrets)
        case Mapping():
            return {task: _concealed(inner, secrets) for task, inner in told.items()}
        case Page(found=found):
            return evolve(
                told, found=tuple(evolve(one, snapshot=one.snapshot.conceal(secrets)) for one in found)
            )
        case _:
            return told  # a balance, nothing, or what the caller refuses as no answer of an adapter
