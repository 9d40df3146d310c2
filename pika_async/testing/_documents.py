"""What the emulator knows from its documents: limits, and examples of requests and answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from attrs import fields

from pika_async.provider import (
    Blob,
    Edit,
    Failed,
    Form,
    Generate,
    HttpRequest,
    Ingredients,
    Json,
    Multipart,
    Page,
    Pending,
    PikaError,
    Secret,
    Style,
    Succeeded,
    fields_set,
)
from pika_async.testing._builds import BASE_URL, KEY, hold
from pika_async.testing._drive import Drive, shown, told_by
from pika_async.testing._world import as_received


def check_documents(drive: Drive) -> None:
    """Compare the adapter with what its emulator's `limits` and `examples` say, where it has them."""
    _limits(drive, drive.provider)
    examples, tried = getattr(drive.emulator, "examples", None), []
    for example in () if examples is None else examples(drive.provider):
        adapter: Any = drive.provider
        if example.options:
            adapter = drive.factory(**{"api_key": KEY, "base_url": BASE_URL, **example.options})
        if example.options not in tried:
            tried.append(example.options)
            _limits(drive, adapter)
        if not hasattr(adapter, example.function):
            continue
        told = told_by(getattr(adapter, example.function), *example.arguments)
        first = next(_differences(example.expected, told), None)
        about = ", ".join(_brief(one) for one in example.arguments)
        hold(
            first is None,
            f"The documents have an example for {example.function}({about}), and {first}.",
        )


def _brief(argument: object) -> str:
    match argument:
        case Generate() | Style() | Ingredients() | Edit():
            given = (f"{name}={value!r}" for name, value in fields_set(argument).items())
            return f"{type(argument).__name__}({', '.join(given)})"[:200]
        case _:
            return shown(argument)


def _limits(drive: Drive, adapter: Any) -> None:
    limits = getattr(drive.emulator, "limits", None)
    for name, documented in () if limits is None else limits(adapter).items():
        declared = getattr(adapter.capabilities, name)
        hold(
            declared == documented,
            f"Capabilities.{name} is {declared!r}, and the documents say {documented!r}.",
        )


def _differences(expected: Any, told: Any) -> Iterator[str]:
    """Yield in words in which respects *told* is not what the documents have."""
    match expected:
        case type():
            wrong = not (isinstance(told, expected) and type(told) is expected)
            if wrong:
                yield f"it must raise {expected.__name__}, not {told!r}"
        case PikaError():
            yield from _of_errors(expected, told)
        case HttpRequest():
            yield from _of_requests(expected, told)
        case Pending() | Succeeded() | Failed():
            yield from _of_snapshots(expected, told)
        case Page(found=found, next_cursor=cursor):
            same = isinstance(told, Page) and len(told.found) == len(found) and told.next_cursor == cursor
            if not same:
                yield f"it must return {expected!r}, not {told!r}"
                return
            for one, other in zip(found, told.found, strict=True):
                yield from _of_addresses(one.callback_url, other.callback_url)
                yield from _of_snapshots(one.snapshot, other.snapshot)
        case dict() if expected and isinstance(next(iter(expected.values())), Pending | Succeeded | Failed):
            if not isinstance(told, Mapping) or told.keys() != expected.keys():
                yield f"it must tell of {', '.join(expected)}, not {told!r}"
                return
            for name, snapshot in expected.items():
                yield from _of_snapshots(snapshot, told[name])
        case _:
            if told != expected or type(told) is not type(expected):
                yield f"it must return {expected!r}, not {told!r}"


def _of_errors(expected: PikaError, told: Any) -> Iterator[str]:
    if type(told) is not type(expected):
        yield f"it must raise {type(expected).__name__}, not {told!r}"
        return
    for name in ("code", "trace_id", "charged", "retryable"):
        if getattr(told, name) != getattr(expected, name):
            yield f"the {name} of its error must be {getattr(expected, name)!r}, not {getattr(told, name)!r}"
    for name in ("provider", "phase", "status"):
        if getattr(expected, name) not in {None, getattr(told, name)}:
            yield f"the {name} of its error must be {getattr(expected, name)!r}, not {getattr(told, name)!r}"
    if expected.message not in told.message:
        yield f"its error must say {expected.message!r}, and says {told.message!r}"


def _of_requests(expected: HttpRequest, told: Any) -> Iterator[str]:
    if not isinstance(told, HttpRequest):
        yield f"it must return a request, not {told!r}"
        return
    if expected.held != told.held:
        yield f"held, which asks for the long timeout, must be {expected.held}, not {told.held}"
    one, other = as_received(expected), as_received(told)
    for name in ("method", "url", "query"):
        if getattr(one, name) != getattr(other, name):
            yield f"the {name} must be {getattr(one, name)!r}, not {getattr(other, name)!r}"
    for name, text in one.headers.items():
        if other.headers.get(name) != text:
            yield f"the header {name} must be {text!r}, not {other.headers.get(name)!r}"
    if _plain(one.body) != _plain(other.body):
        yield f"the body must be {_plain(one.body)!r}, not {_plain(other.body)!r}"


def _of_snapshots(expected: Any, told: Any) -> Iterator[str]:
    if type(told) is not type(expected):
        yield f"it must return {expected!r}, not {told!r}"
        return
    for attribute in fields(type(expected)):
        if attribute.name in {"_raw", "callback_url"}:
            continue
        one, other = getattr(expected, attribute.name), getattr(told, attribute.name)
        if one != other:
            yield f"the {attribute.name} must be {one!r}, not {other!r}"
    yield from _of_addresses(expected.callback_url, told.callback_url)
    if expected.raw is not None and expected.raw != told.raw:
        yield f"the raw must be {expected.raw!r}, not {told.raw!r}"


def _of_addresses(expected: Secret | None, told: Secret | None) -> Iterator[str]:
    one, other = (None if url is None else url.reveal() for url in (expected, told))
    if one != other:
        yield f"the callback_url, which proves whose task it is, must be {one!r}, not {other!r}"


def _plain(body: object) -> object:
    match body:
        case Json(value=inner) | Form(fields=inner):
            return _lists(inner)
        case Multipart() | Blob():
            return body
        case _:
            return body


def _lists(value: Any) -> Any:
    match value:
        case Mapping():
            return {name: _lists(inner) for name, inner in value.items()}
        case list() | tuple():
            return [_lists(inner) for inner in value]
        case _:
            return value
