"""Which provider a client takes that names none: the one whose key is in the environment."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping

from pika_async._registry import key_in, plugins

_CHOICE = "PIKA_ASYNC_PROVIDER"
_FIRST = frozenset({"acedata", "duomi"})


def with_keys(environment: Mapping[str, str] | None = None) -> list[str]:
    """Name the installed providers whose key is in the environment."""
    environment = os.environ if environment is None else environment
    return [
        name
        for name, plugin in plugins().items()
        if plugin.capabilities is not None and key_in(plugin.capabilities, environment)
    ]


def decided(names: Collection[str], environment: Mapping[str, str] | None = None) -> str | None:
    """Return which of the providers with keys is meant, None where nothing decides.

    The variable `PIKA_ASYNC_PROVIDER` does, then a key that is the only one, then the one of acedata and
    duomi that has a key, because programs of 0.1 know no others.

    >>> decided(["duomi", "fal"], {}), decided(["fal", "pika"], {})
    ('duomi', None)
    """
    environment = os.environ if environment is None else environment
    if chosen := environment.get(_CHOICE, "").strip():
        return chosen
    of_the_first = sorted(_FIRST & set(names))
    only = [*names] if len(names) == 1 else of_the_first
    return only[0] if len(only) == 1 else None
