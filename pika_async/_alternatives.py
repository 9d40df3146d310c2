"""Which other installed provider can express a request that the chosen ones cannot; nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping

from pika_async._registry import NO_KEY, plugins
from pika_async._secret import Secret
from pika_async.errors import UnsupportedRequest
from pika_async.provider import Call, ProviderFactory
from pika_async.requests import Blob, VideoRequest, fields_set, media_of, with_media

_BLANK = Blob(b"\0", "image/png", "image.png")


def alternatives(request: VideoRequest) -> list[str]:
    """Name the installed providers that can express *request*."""
    return [
        name
        for name, plugin in plugins().items()
        if plugin.factory is not None and _can(plugin.factory, request)
    ]


def _without_files(request: VideoRequest) -> VideoRequest:
    """Put a blank blob where media would have to be read, so that a trial touches no file."""
    return with_media(request, [m if isinstance(m, str | Blob) else _BLANK for _, m in media_of(request)])


def _can(factory: ProviderFactory, request: VideoRequest) -> bool:
    """Return whether an adapter can express *request*; asks it, for nothing waits on this answer."""
    try:
        provider = factory(api_key=NO_KEY)
        provider.capabilities.check(request)
        address = Secret("https://callback.invalid/check") if provider.capabilities.takes_address else None
        call = Call(callback_url=address, attempt_id="", now=0.0)
        request = provider.capabilities.stand_in(_without_files(request))
        return bool(provider.build_submit(request, call))
    except Exception:  # noqa: BLE001 - an adapter nobody chose must not spoil the error about another
        return False


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
