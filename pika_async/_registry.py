"""Entry points to adapters: finds the installed providers and checks each once, when it is loaded."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from itertools import groupby
from typing import cast

from attrs import field, frozen

from pika_async import _arguments, _hosts
from pika_async._concealing import Concealing, named_secrets
from pika_async._contract import check_provider
from pika_async._http import HttpRequest, origin
from pika_async._secret import Secret, key_fault
from pika_async.errors import ConfigError, PikaError, UnsupportedRequest
from pika_async.provider import Capabilities, Provider, ProviderFactory
from pika_async.requests import VideoRequest

GROUP = "pika_async.providers"
NO_KEY = "unset"
"""Stands for a key where an adapter is made and never asked to call."""


@frozen(kw_only=True)
class Loaded:
    """A checked adapter with its name, its optional *powers*, and the address that its key belongs to.

    *provider* is what to ask; it conceals the secrets of the *adapter* in every answer. *fingerprint* names
    the address without telling it.
    """

    name: str
    adapter: Provider
    provider: Provider
    capabilities: Capabilities
    powers: frozenset[str]
    own_check: Callable[[VideoRequest], None] | None = None
    origin: str | None = None
    fingerprint: str | None = None
    _shared_secret: Secret | None = None

    @property
    def shared_secret(self) -> bytes | None:
        """Return the secret that both sides sign callbacks with, if one is set."""
        return None if self._shared_secret is None else self._shared_secret.reveal().encode()

    def stray(self, request: HttpRequest) -> bool:
        """Return whether *request* would bear a secret to a host that may not see it."""
        if self.origin is None or request.origin == self.origin or not request.bears_secrets:
            return False
        seen = _hosts.allowed(request.url, self.capabilities.hosts)
        return seen is None or not _hosts.shown_secrets(request, named_secrets(self.adapter)) <= seen

    def can(self, request: VideoRequest) -> bool:
        """Return whether the adapter can express *request*."""
        try:
            self.check(request)
        except UnsupportedRequest:
            return False
        return True

    def check(self, request: VideoRequest) -> None:
        """Raise `UnsupportedRequest` for what the adapter declares that it cannot express; builds nothing."""
        self.capabilities.check(request)
        if self.own_check is not None:
            self.own_check(request)


@frozen(kw_only=True)
class Plugin:
    """An installed provider: either its *factory* or the reason why it is *broken*."""

    name: str
    distribution: str
    factory: ProviderFactory | None = None
    capabilities: Capabilities | None = None
    powers: frozenset[str] = field(factory=frozenset)
    broken: str | None = None
    kind: type | None = None


def load(name: str, provider: Provider) -> Loaded:
    """Check *provider* and note what it can do; raises `ConfigError`."""
    powers = check_provider(provider)
    _check_name(provider)
    base_url = getattr(provider, "base_url", None)
    if isinstance(key := getattr(provider, "api_key", None), Secret):
        _check_key(key, f"api_key of {provider.capabilities.name or name}")
    if base_url is not None:
        base_url = _arguments.base_url("base_url", base_url)
    return Loaded(
        name=provider.capabilities.name or name,
        adapter=provider,
        provider=cast("Provider", Concealing(provider)),
        capabilities=provider.capabilities,
        powers=powers,
        own_check=getattr(provider, "check_request", None),
        origin=origin(base_url) if isinstance(base_url, str) else None,
        fingerprint=_hosts.fingerprint(base_url) if isinstance(base_url, str) else None,
        shared_secret=_shared_secret(provider.capabilities),
    )


def _check_name(provider: Provider) -> None:
    """Refuse a name that accounts, tokens and the ledger cannot bear, or that is another adapter's."""
    name = provider.capabilities.name
    if name is None:
        return
    if not isinstance(name, str) or not re.fullmatch(r"[\w.-]{1,64}", name):
        raise ConfigError(
            f"{type(provider).__name__} is called {name!r}; a provider's name has 1 to 64 letters, digits, "
            "dots, hyphens and underscores."
        )
    if name in _points() and (kind := _plugin(name).kind) is not None and not isinstance(provider, kind):
        raise ConfigError(
            f"{type(provider).__name__} is called {name!r}, as the installed {kind.__name__} is; use a "
            "different name for it."
        )


def _shared_secret(capabilities: Capabilities) -> Secret | None:
    found = os.environ.get(capabilities.secret_variable or "", "").strip()
    return Secret(found) if found else None


@cache
def _points() -> Mapping[str, Sequence[EntryPoint]]:
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {name: list(same) for name, same in groupby(points, key=lambda point: point.name)}


def plugins() -> Mapping[str, Plugin]:
    """Return every installed provider by name, broken ones with the reason; never raises."""
    return {name: _plugin(name) for name in _points()}


def forget() -> None:
    """Look for the installed providers again."""
    _points.cache_clear()
    _plugin.cache_clear()


@cache
def _plugin(name: str) -> Plugin:
    points = _points()[name]
    distribution = " and ".join(sorted({point.dist.name if point.dist else "unknown" for point in points}))
    try:
        factory = _factory(points)
        provider = factory(api_key=NO_KEY)
        powers = check_provider(provider, name)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's code may fail in any way
        reason = str(error) or type(error).__name__
        return Plugin(name=name, distribution=distribution, broken=f"{type(error).__name__}: {reason}")
    return Plugin(
        name=name,
        distribution=distribution,
        factory=factory,
        capabilities=provider.capabilities,
        powers=powers,
        kind=type(provider),
    )


def _factory(points: Sequence[EntryPoint]) -> ProviderFactory:
    if len({point.value for point in points}) > 1:
        # Whose it is decides who gets the user's key: never by chance.
        raise ConfigError(f"Several distributions offer {points[0].name!r}; keep one of them.")
    return cast("ProviderFactory", points[0].load())


class _Environment(dict[str, str]):
    """A copy of the environment that a traceback with locals does not show."""

    def __repr__(self) -> str:
        return "<environment>"


def make(
    name: str,
    *,
    api_key: str | Secret | None = None,
    base_url: str | None = None,
    environment: Mapping[str, str] | None = None,
    needs_key: bool = True,
) -> Loaded:
    """Make the adapter called *name*, with key and address from the arguments or the environment."""
    environment = _Environment(os.environ if environment is None else environment)
    api_key = given_key(api_key)
    if name not in _points():
        known = ", ".join(n for n, p in plugins().items() if p.broken is None)
        raise ConfigError(f"No provider is called {name!r}; installed are {known}.")
    plugin = _plugin(name)
    if plugin.factory is None or plugin.capabilities is None:
        raise ConfigError(
            f"The provider {name!r} of {plugin.distribution} cannot be loaded ({plugin.broken}); "
            "update or remove that distribution."
        )
    key, source = (api_key, "api_key") if api_key else _found_key(plugin.capabilities, environment)
    if not key and not needs_key:
        key = Secret(NO_KEY)
    if not key:
        variables = " or ".join(plugin.capabilities.key_variables) or "no variable"
        raise ConfigError(f"There is no API key for {name}; set {variables}, or pass api_key=.")
    _check_key(key, source)
    variable = plugin.capabilities.url_variable or f"{name.upper().replace('-', '_')}_BASE_URL"
    if base_url is not None and base_url != "":
        base_url = _arguments.base_url("base_url", base_url)
    elif found := environment.get(variable, "").strip():
        base_url = _arguments.base_url(variable, found)
    return load(name, _made(plugin.factory, key, base_url or None))


def given_key(api_key: str | Secret | None) -> Secret:
    """Wrap a key given as an argument; empty for none. Raises `ConfigError` for what is no text."""
    if not isinstance(api_key, str | Secret | None):
        raise _arguments.refuse("api_key", "text", api_key)
    return Secret(api_key or "")


def _check_key(key: Secret, source: str) -> None:
    if fault := key_fault(key):
        raise ConfigError(f"The key in {source} {fault}.")


def _made(factory: ProviderFactory, key: Secret, base_url: str | None) -> Provider:
    try:
        return factory(api_key=key.reveal(), base_url=base_url)
    except PikaError as error:
        # The factory's own frame holds the key as plain text: a traceback must not.
        raise error.with_traceback(None) from None


def key_in(capabilities: Capabilities, environment: Mapping[str, str]) -> str | None:
    """Return the key that the environment holds for a provider."""
    return _found_key(capabilities, environment)[0].reveal() or None


def _found_key(capabilities: Capabilities, environment: Mapping[str, str]) -> tuple[Secret, str]:
    """Return the first key that is set, and the name of its variable."""
    found = ((Secret(environment.get(name, "").strip()), name) for name in capabilities.key_variables)
    return next(((key, name) for key, name in found if key), (Secret(""), ""))
