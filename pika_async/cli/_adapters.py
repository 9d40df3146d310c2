"""The adapters a list of requests is for, and whether one of them can express a request."""

from __future__ import annotations

from collections.abc import Sequence

from pika_async import UnsupportedRequest, _registry
from pika_async._registry import Loaded
from pika_async._secret import Secret
from pika_async.requests import VideoRequest


def adapters(names: Sequence[str], *, key: Secret | None = None, base_url: str | None = None) -> list[Loaded]:
    """Load the adapters called *names*, with *key* or those of the environment; raises `ConfigError`."""
    return [_registry.make(name, api_key=key, base_url=base_url) for name in names]


def check(request: VideoRequest, able: Sequence[Loaded]) -> None:
    """Raise `UnsupportedRequest` for what none of the adapters can express; reads no file."""
    refusals: dict[str, str] = {}
    for adapter in able:
        try:
            adapter.check(request)
        except UnsupportedRequest as error:
            refusals[adapter.name] = error.message
        else:
            return
    raise _registry.unsupported(refusals, request)
