"""What every installed adapter reads with: found, not listed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pika_async import _contract, _registry
from pika_async.provider import Blob, Generate, HttpResponse, Task, Uploading

KEY = "sandbox-law-4f1d"


def adapter_readers(
    others: Mapping[str, Callable[..., Any]] | None = None,
) -> Iterator[tuple[str, str, Callable[[HttpResponse], object]]]:
    """Return provider, method and reader, also of *others*; a new power needs its arguments here."""
    factories = {name: plugin.factory for name, plugin in _registry.plugins().items() if plugin.factory}
    for name, factory in {**(others or {}), **factories}.items():
        adapter: Any = factory(api_key=KEY)
        more: dict[str, tuple[Any, ...]] = {
            "read_submit": (Generate("A cat"),),
            "read_poll": ((Task("t"),),),
            "read_find": (),
            "read_balance": (),
            "read_cancel": (Task("t"),),
            "read_upload": (Blob(b"png"), Uploading()),
            "read_estimate": (Generate("A cat"),),
        }
        if adapter.capabilities.poll_batch == 1:
            result = (Task("t", {"completed": True}),)
            yield name, "read_poll, of a result", _with(adapter.read_poll, result)
        for method in sorted(n for n in _contract._KNOWN if n.startswith("read_") and hasattr(adapter, n)):
            read = getattr(adapter, method)
            if method == "read_callback":
                yield name, method, _of_callbacks(read)
            else:
                yield name, method, _with(read, *more[method])


def _with(read: Callable[..., object], *rest: Any) -> Callable[[HttpResponse], object]:
    return lambda response: read(response, *rest)


def _of_callbacks(read: Callable[..., object]) -> Callable[[HttpResponse], object]:
    return lambda response: read(response.body, dict(response.headers), 0.0, None)
