"""Requests and what became of them as JSON text, and back to equal values. Pure.

Bytes never go into the text: they are handed out, and asked for, by their SHA-256.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from attrs import fields

from pika_async._ledger.records import Refusal, Replayable
from pika_async._money import Money
from pika_async.errors import UnsupportedRequest
from pika_async.requests import (
    MEDIA_FIELDS,
    Blob,
    Camera,
    Edit,
    Generate,
    Ingredients,
    Media,
    Style,
    VideoRequest,
    as_json,
    unchecked,
)
from pika_async.results import JSON, Failed, Pending, Snapshot, State, Succeeded, Task, VideoResult

_KINDS: dict[str, type[VideoRequest]] = {kind.__name__: kind for kind in (Generate, Ingredients, Style, Edit)}
_OUTCOMES: dict[str, type[Snapshot | Refusal]] = {
    kind.__name__: kind for kind in (Pending, Succeeded, Failed, Refusal)
}
_FIELDS = {kind: tuple(a.alias or a.name for a in fields(kind)) for kind in _OUTCOMES.values()}


def encode_request(request: object) -> tuple[str | None, dict[str, bytes]]:
    """Return the kind and the fields set as text, and the bytes among its media by SHA-256.

    >>> encode_request(Generate("A cat", seed=7))
    ('["Generate",{"seed":7,"prompt":"A cat"}]', {})
    """
    if not isinstance(request, VideoRequest):
        return None, {}
    blobs: dict[str, bytes] = {}
    given = as_json(request, lambda medium: _media(medium, blobs))
    return _dumps([type(request).__name__, given]), blobs


def decode_request(text: str | None, blob: Callable[[str], bytes]) -> VideoRequest | None:
    """Return the request again; *blob* finds bytes by their SHA-256. Raises `ValueError` for foreign text."""
    if text is None:
        return None
    try:
        kind, given = json.loads(text)
        for name in given.keys() & set(MEDIA_FIELDS):
            found = given[name]
            many = isinstance(found, list)
            given[name] = [_unmedia(one, blob) for one in found] if many else _unmedia(found, blob)
        return _made(_KINDS[kind], given)
    except (KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("not a request of this version") from error


def without_media(request: object) -> object:
    """Return the request without the bytes among its media; names and links stay.

    >>> without_media(Generate("A cat", image=b"GIF89a")) == Generate("A cat")
    True
    """
    text, blobs = encode_request(request)
    if text is None or not blobs:
        return request
    kind, given = json.loads(text)
    for name in given.keys() & set(MEDIA_FIELDS):
        if isinstance(given[name], list):
            given[name] = [one for one in given[name] if not _is_bytes(one)]
        elif _is_bytes(given[name]):
            del given[name]
    return decode_request(_dumps([kind, given]), lambda _: b"")


def _is_bytes(medium: object) -> bool:
    return isinstance(medium, dict) and not medium.keys().isdisjoint({"bytes", "blob"})


def _made(kind: type[VideoRequest], given: dict[str, Any]) -> VideoRequest:
    if given.keys().isdisjoint({"prompt", *MEDIA_FIELDS}):
        raise TypeError
    try:
        return kind(**given)
    except UnsupportedRequest:
        # An earlier release took it, and it may have been paid for: its job must stay readable.
        if "images" in given:
            given["images"] = tuple(given["images"])
        if isinstance(given.get("camera"), dict):
            given["camera"] = Camera(**given["camera"])
        return unchecked(kind, given)


def encode_task(task: Task) -> str:
    """Return a task as text; raises `TypeError` or `ValueError` for a locator that is not JSON."""
    return _dumps([task.id, task.locator])


def decode_task(text: str) -> Task:
    """Return the task again."""
    return Task(*json.loads(text))


def encode_outcome(outcome: Snapshot | Refusal) -> str:
    """Return an answer as text; a raw item that JSON cannot hold is left out, the rest is kept.

    >>> encode_outcome(Refusal(error="AuthError", message="No."))
    '["Refusal",{"error":"AuthError","message":"No."}]'
    """
    values = _values(outcome)
    try:
        return _dumps([type(outcome).__name__, values])
    except (TypeError, ValueError, RecursionError):
        values.pop("raw", None)
        return _dumps([type(outcome).__name__, values])


def decode_outcome(text: str) -> Any:
    """Return the answer again: a `Snapshot` or a `Refusal`, without what a newer version added to it.

    Foreign text raises `ValueError`, or whatever its shape leads to.
    """
    name, told = json.loads(text)
    kind = _OUTCOMES[name]
    values = {key: told[key] for key in _FIELDS[kind] if key in told}
    if "task" in values:
        values["task"] = Task(*values["task"])
    if "results" in values:
        values["results"] = tuple(_result(*row[:5]) for row in values["results"])
    if "state" in values:
        values["state"] = State(values["state"])
    return kind(**values)


def encode_price(price: Money) -> str:
    """Return a price as text: its millionths, and their unit.

    >>> encode_price(Money.of(0.45, "USD"))
    '450000 USD'
    """
    return f"{price.micros} {price.unit}"


def decode_price(text: str) -> Money:
    """Return the price again; raises `ValueError` for foreign text."""
    micros, _, unit = text.partition(" ")
    return Money(int(micros), unit)


def encode_replay(replay: Replayable) -> str:
    """Return until when, and under which key, bytes may be sent again as text.

    >>> encode_replay(Replayable(until=1500.5, key="ab12"))
    '1500.5 ab12 1'
    """
    return f"{replay.until!r} {replay.key} {replay.kept:d}"


def decode_replay(text: str) -> Replayable:
    """Return it again; raises `ValueError` for foreign text."""
    until, key, kept = text.split(" ")
    return Replayable(until=float(until), key=key, kept=kept == "1")


def encode_plain(value: object) -> str:
    """Return plain JSON as compact text."""
    return _dumps(value)


def _result(
    id_: str, video_url: str | None, image_url: str | None, duration: float | None, state: str
) -> VideoResult:
    return VideoResult(id_, video_url, image_url, duration, State(state))


def _values(outcome: Snapshot | Refusal) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in _FIELDS[type(outcome)]:
        if name == "callback_url":
            continue  # it has served, and bears a callback token
        value = getattr(outcome, name)
        match value:
            case None:
                continue
            case Task():
                value = [value.id, value.locator]
            case tuple() if name == "results":
                value = [[r.id, r.video_url, r.image_url, r.duration, r.state] for r in value]
        values[name] = value
    return values


def _media(media: Media, blobs: dict[str, bytes]) -> JSON:
    match media:
        case Path():
            return {"path": str(media)}
        case bytes():
            return {"bytes": _kept(media, blobs)}
        case Blob():
            return {"blob": _kept(media.data, blobs), "type": media.content_type, "name": media.name}
        case _:
            return media


def _kept(data: bytes, blobs: dict[str, bytes]) -> str:
    sha256 = hashlib.sha256(data).hexdigest()
    blobs[sha256] = data
    return sha256


def _unmedia(media: object, blob: Callable[[str], bytes]) -> object:
    match media:
        case {"path": str(path)}:
            return Path(path)
        case {"bytes": str(sha256)}:
            return blob(sha256)
        case {"blob": str(sha256), "type": str(content_type), "name": str(name)}:
            return Blob(blob(sha256), content_type, name)
        case dict() if "image" in media:  # a frame
            return {**media, "image": _unmedia(media["image"], blob)}
        case _:
            return media


def _jsonable(value: object) -> object:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is not JSON")


# ASCII keeps half a surrogate pair, which providers send and UTF-8 refuses, readable again.
_dumps = json.JSONEncoder(separators=(",", ":"), default=_jsonable).encode
