"""Entry points to adapters: finds the installed providers and checks each once, when it is loaded."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, cast

from attrs import field, frozen

from pika_async._secret import Secret
from pika_async.errors import ConfigError, UnsupportedRequest
from pika_async.provider import SPEC_VERSION, Call, Capabilities, Provider, ProviderFactory
from pika_async.requests import Blob, Ingredients, VideoRequest, fields_set

GROUP = "pika_async.providers"

_CORE = {"build_submit": 2, "read_submit": 2, "build_poll": 1, "read_poll": 2}
_POWERS = {
    "finds": {"build_find": 3, "read_find": 1},
    "reports_balance": {"build_balance": 0, "read_balance": 1},
    "reads_callbacks": {"read_callback": 4},
    "signs": {"build_keys": 0},
}
_KNOWN = {name: count for methods in (_CORE, *_POWERS.values()) for name, count in methods.items()}


@frozen(kw_only=True)
class Loaded:
    """A checked adapter with its name, its optional *powers* and the origin that its key belongs to."""

    name: str
    provider: Provider
    capabilities: Capabilities
    powers: frozenset[str]
    origin: str | None = None

    def can(self, request: VideoRequest) -> bool:
        """Tell whether this adapter can express *request*; asks it, since adapters are pure."""
        try:
            self.check(request)
        except UnsupportedRequest:
            return False
        return True

    def check(self, request: VideoRequest) -> None:
        """Raise `UnsupportedRequest` for what the capabilities, or the adapter itself, cannot express."""
        self.capabilities.check(request)
        required = self.capabilities.callbacks != "no"
        address = Secret("https://callback.invalid/check") if required else None
        self.provider.build_submit(
            _without_files(request), Call(callback_url=address, attempt_id="", now=0.0)
        )


@frozen(kw_only=True)
class Plugin:
    """An installed provider: either its *factory* or the reason why it is *broken*."""

    name: str
    distribution: str
    factory: ProviderFactory | None = None
    capabilities: Capabilities | None = None
    powers: frozenset[str] = field(factory=frozenset)
    broken: str | None = None


def _without_files(request: VideoRequest) -> VideoRequest:
    """Put an empty blob where media would have to be read, so that a check touches no file."""
    from attrs import evolve

    blank = Blob(b"", "image/png", "image.png")
    changes: dict[str, Any] = {
        name: blank
        for name in ("image", "video")
        if not isinstance(getattr(request, name, None), str | None | Blob)
    }
    if isinstance(request, Ingredients):
        changes["images"] = tuple(i if isinstance(i, str | Blob) else blank for i in request.images)
    return evolve(request, **changes) if changes else request


def check_provider(provider: object) -> frozenset[str]:
    """Give the powers of *provider*; raises `ConfigError` when it does not fit the contract."""
    title = type(provider).__name__
    capabilities = getattr(provider, "capabilities", None)
    if not isinstance(capabilities, Capabilities):
        raise ConfigError(f"{title}.capabilities is not a Capabilities value; correct the adapter.")
    if capabilities.spec != SPEC_VERSION:
        raise ConfigError(
            f"{title} is written for version {capabilities.spec} of the provider contract, this is version "
            f"{SPEC_VERSION}; install versions that fit each other."
        )
    found = {n for n in dir(type(provider)) if n.startswith(("build_", "read_"))}
    unknown = sorted(found - _KNOWN.keys())
    if unknown:
        raise ConfigError(f"{title}.{unknown[0]} is not part of the provider contract; correct its name.")
    for name in sorted(found):
        _check_signature(title, name, getattr(provider, name))
    if missing := sorted(_CORE.keys() - found):
        raise ConfigError(f"{title} has no {missing[0]}; add it.")
    powers = {power for power, methods in _POWERS.items() if methods.keys() & found}
    for power in powers:
        if half := sorted(_POWERS[power].keys() - found):
            raise ConfigError(f"{title} has only half of a power; add {half[0]}.")
    if "signs" in powers and "reads_callbacks" not in powers:
        raise ConfigError(f"{title} has only half of a power; add read_callback.")
    return frozenset(powers)


def _check_signature(title: str, name: str, method: Callable[..., object]) -> None:
    if inspect.iscoroutinefunction(method):
        raise ConfigError(f"{title}.{name} is async; an adapter is pure and never waits.")
    count = _KNOWN[name]
    try:
        inspect.signature(method).bind(*range(count))
    except TypeError:
        raise ConfigError(f"{title}.{name} must take {count} positional arguments.") from None


def load(name: str, provider: Provider) -> Loaded:
    """Check *provider* and note what it can do."""
    powers = check_provider(provider)
    base_url = getattr(provider, "base_url", None)
    from pika_async._http import origin

    return Loaded(
        name=provider.capabilities.name or name,
        provider=provider,
        capabilities=provider.capabilities,
        powers=powers,
        origin=origin(base_url) if isinstance(base_url, str) else None,
    )


@cache
def plugins() -> Mapping[str, Plugin]:
    """Give every installed provider by name, broken ones with the reason; never raises."""
    points = sorted(entry_points(group=GROUP), key=lambda point: point.name)
    return {point.name: _plugin(point) for point in points}


def _plugin(point: EntryPoint) -> Plugin:
    distribution = point.dist.name if point.dist is not None else "unknown"
    try:
        factory = cast(ProviderFactory, point.load())
        provider = factory(api_key="unset")
        powers = check_provider(provider)
    except Exception as error:  # noqa: BLE001 - a stranger's code may fail in any way, and must stay harmless
        reason = str(error) or type(error).__name__
        return Plugin(name=point.name, distribution=distribution, broken=f"{type(error).__name__}: {reason}")
    return Plugin(
        name=point.name,
        distribution=distribution,
        factory=factory,
        capabilities=provider.capabilities,
        powers=powers,
    )


def make(
    name: str,
    *,
    api_key: str | None = None,
    base_url: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> Loaded:
    """Make the adapter called *name*, with key and address from the arguments or the environment."""
    environment = os.environ if environment is None else environment
    plugin = plugins().get(name)
    if plugin is None:
        known = ", ".join(n for n, p in plugins().items() if p.broken is None)
        raise ConfigError(f"No provider is called {name!r}; installed are {known}.")
    if plugin.factory is None or plugin.capabilities is None:
        raise ConfigError(
            f"The provider {name!r} of {plugin.distribution} cannot be loaded ({plugin.broken}); "
            "update or remove that distribution."
        )
    key = api_key or key_in(plugin.capabilities, environment)
    if not key:
        variables = " or ".join(plugin.capabilities.key_variables) or "no variable"
        raise ConfigError(f"There is no API key for {name}; set {variables}, or pass api_key=.")
    variable = plugin.capabilities.url_variable or f"{name.upper().replace('-', '_')}_BASE_URL"
    address = base_url or environment.get(variable) or None
    return load(name, plugin.factory(api_key=key, base_url=address))


def key_in(capabilities: Capabilities, environment: Mapping[str, str]) -> str | None:
    """Give the key that the environment holds for a provider."""
    found = (environment.get(variable, "").strip() for variable in capabilities.key_variables)
    return next((key for key in found if key), None)


def with_keys(environment: Mapping[str, str] | None = None) -> list[str]:
    """Name the installed providers whose key is in the environment."""
    environment = os.environ if environment is None else environment
    return [
        name
        for name, plugin in plugins().items()
        if plugin.capabilities is not None and key_in(plugin.capabilities, environment)
    ]


def alternatives(request: VideoRequest) -> list[str]:
    """Name the installed providers that can express *request*."""
    names = []
    for name, plugin in plugins().items():
        if plugin.factory is not None and load(name, plugin.factory(api_key="unset")).can(request):
            names.append(name)
    return names


def unsupported(refusals: Mapping[str, str], request: VideoRequest) -> UnsupportedRequest:
    """Make the error for a request that none of the chosen providers can express."""
    reasons = "; ".join(f"{name}: {reason}" for name, reason in refusals.items())
    others = [name for name in alternatives(request) if name not in refusals]
    able = f"installed providers that can: {', '.join(others)}" if others else "no installed provider can"
    named = ", ".join(fields_set(request))
    return UnsupportedRequest(
        f"{reasons.rstrip('.')}. Change the request ({named}) or the provider; {able}.",
        provider=next(iter(refusals), None),
    )
