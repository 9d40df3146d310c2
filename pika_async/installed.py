"""The providers that are installed: what each can do, and whether its key can be used."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from attrs import frozen

from pika_async import _default_provider, _registry
from pika_async._crossing import Value
from pika_async._secret import Secret
from pika_async.errors import PikaError

if TYPE_CHECKING:
    from pika_async.provider import Capabilities, Provider

__all__ = ["Installed", "adapter", "decided", "providers"]


@frozen(kw_only=True)
class Installed(Value):
    """A provider that the distribution *distribution* offers.

    *broken* says why it cannot be loaded; only then *capabilities* is None. *key_variable* names the variable
    of the environment that holds its key, *url_variable* the one that may hold its address. *problem* says
    what is wrong with the two, in the words of the error that opening a client would raise.
    """

    name: str
    distribution: str
    capabilities: Capabilities | None
    broken: str | None
    key_variable: str | None
    url_variable: str
    problem: str | None


def providers() -> Mapping[str, Installed]:
    """Return every installed provider by its name. Never raises, and never shows a key."""
    return {name: _installed(plugin) for name, plugin in _registry.plugins().items()}


def decided(names: Collection[str]) -> str | None:
    """Return which of *names*, the providers with keys, a client without a named one takes; None for none.

    The variable `PIKA_ASYNC_PROVIDER` decides, then a key that is the only one, then the one of acedata and
    duomi that has a key.
    """
    return _default_provider.decided(names)


def adapter(name: str, *, api_key: str, base_url: str | None = None) -> Provider:
    """Return the adapter called *name*, for `Pika(adapter)`; raises `ConfigError`."""
    key = Secret(api_key)
    del api_key  # tracebacks show local variables
    return _registry.make(name, api_key=key, base_url=base_url).adapter


def _installed(plugin: _registry.Plugin) -> Installed:
    able = plugin.capabilities
    held = () if able is None else (v for v in able.key_variables if os.environ.get(v, "").strip())
    variable = next(iter(held), None)
    return Installed(
        name=plugin.name,
        distribution=plugin.distribution,
        capabilities=able,
        broken=plugin.broken,
        key_variable=variable,
        url_variable=(able.url_variable if able else None)
        or f"{plugin.name.upper().replace('-', '_')}_BASE_URL",
        problem=None if variable is None else _problem(plugin.name),
    )


def _problem(name: str) -> str | None:
    try:
        _registry.make(name)
    except PikaError as error:
        return error.message
    return None
