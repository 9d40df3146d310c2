"""Names of a module that are loaded where they are first used, because a program pays for what it imports."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module


def lazily(module: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Return the `__getattr__` of *module*: each name of *homes* comes from the module named there.

    A home that ends in a dot is the package in which the name itself is a module.
    """

    def load(name: str) -> object:
        if (home := homes.get(name)) is None:
            raise AttributeError(f"module {module!r} has no attribute {name!r}")
        if home.endswith("."):
            return import_module(home + name)
        found = getattr(import_module(home), name)
        setattr(sys.modules[module], name, found)
        return found

    return load
