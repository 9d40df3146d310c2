"""Whether an adapter fits the contract, and which optional powers it has; asked once, at load. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Callable

from pika_async.errors import ConfigError
from pika_async.provider import SPEC_VERSION, Capabilities
from pika_async.requests import MEDIA_FIELDS

_CORE = {"build_submit": 2, "read_submit": 2, "build_poll": 1, "read_poll": 2}
_POWERS = {
    "finds": {"build_find": 3, "read_find": 1},
    "reports_balance": {"build_balance": 0, "read_balance": 1},
    "reads_callbacks": {"read_callback": 4},
    "signs": {"build_keys": 0},
    "uploads": {"build_upload": 2, "read_upload": 3},
    "cancels": {"build_cancel": 1, "read_cancel": 2},
    "estimates": {"build_estimate": 1, "read_estimate": 2},
    "keyed_links": {"build_download": 1},
}
_OPTIONAL = {"check_request": 1}
_KNOWN = {name: count for methods in (_CORE, _OPTIONAL, *_POWERS.values()) for name, count in methods.items()}


def check_provider(provider: object, name: str | None = None) -> frozenset[str]:
    """Return the powers of *provider*; raises `ConfigError` when it does not fit the contract."""
    title = type(provider).__name__
    capabilities = getattr(provider, "capabilities", None)
    if not isinstance(capabilities, Capabilities):
        raise ConfigError(f"{title}.capabilities is not a Capabilities value; correct the adapter.")
    if capabilities.spec != SPEC_VERSION:
        raise ConfigError(
            f"{title} is written for version {capabilities.spec} of the provider contract, this is version "
            f"{SPEC_VERSION}; install versions that fit each other."
        )
    if name is not None and capabilities.name not in {None, name}:
        raise ConfigError(f"{title} is called {capabilities.name!r} in its capabilities; make it {name!r}.")
    found = {n for n in dir(type(provider)) if n.startswith(("build_", "check_", "read_"))}
    unknown = sorted(found - _KNOWN.keys())
    if unknown:
        raise ConfigError(f"{title}.{unknown[0]} is not part of the provider contract; correct its name.")
    for method in sorted(found):
        _check_signature(title, method, getattr(provider, method))
    if missing := sorted(_CORE.keys() - found):
        raise ConfigError(f"{title} has no {missing[0]}; add it.")
    powers = {power for power, methods in _POWERS.items() if methods.keys() & found}
    for power in powers:
        if half := sorted(_POWERS[power].keys() - found):
            raise ConfigError(f"{title} has only half of a power; add {half[0]}.")
    if "signs" in powers and "reads_callbacks" not in powers:
        raise ConfigError(f"{title} has only half of a power; add read_callback.")
    if any(takes.uploads for takes in capabilities.media.values()) and "uploads" not in powers:
        raise ConfigError(f"{title} declares media that it uploads; add build_upload and read_upload.")
    if capabilities.callbacks == "account" and "reads_callbacks" not in powers:
        raise ConfigError(f"{title} declares callbacks of the account; add read_callback.")
    if strange := sorted(capabilities.media.keys() - set(MEDIA_FIELDS)):
        raise ConfigError(f"{title} declares {strange[0]} in media, which is no field of media; correct it.")
    return frozenset(powers)


def _check_signature(title: str, name: str, method: Callable[..., object]) -> None:
    if inspect.iscoroutinefunction(method):
        raise ConfigError(f"{title}.{name} is async; an adapter is pure and never waits.")
    count = _KNOWN[name]
    try:
        inspect.signature(method).bind(*range(count))
    except TypeError:
        raise ConfigError(f"{title}.{name} must take {count} positional arguments.") from None
