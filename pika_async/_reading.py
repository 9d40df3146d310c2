"""What adapters read foreign answers with. Every function is linear in what it is given. No I/O here."""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from attrs import field

from pika_async._http import HttpRequest, clip, decode_json
from pika_async._secret import Secret
from pika_async.errors import ConfigError, UnsupportedRequest
from pika_async.requests import Blob, Frame, Media, VideoRequest
from pika_async.results import State, Succeeded, Task, VideoResult

_NOWHERE = "http://adapter.invalid"
_LONGEST_TEXT = 8192
_LONGEST_NUMBER = 64
_MOST_FRAMES = 5
_LONGEST_MESSAGE = 200
_LINK = re.compile(r"\w{1,20}://\S+")
_STATES: Mapping[str, State] = {
    **dict.fromkeys(
        ["succeed", "succeeded", "success", "completed", "complete", "finished"], State.SUCCEEDED
    ),
    **dict.fromkeys(["failed", "failure", "error", "cancelled", "canceled", "rejected"], State.FAILED),
    **dict.fromkeys(["queued", "pending", "waiting"], State.QUEUED),
}


def decoded(body: bytes, *, form: bool = False) -> Any:
    """Decode a JSON body, or a *form* whose values may be JSON themselves; empty text for anything else.

    >>> decoded(b'{"id": 5}'), decoded(b'id=5&data={"a": 1}', form=True), decoded(b"<html>")
    ({'id': 5}, {'id': '5', 'data': {'a': 1}}, '')
    """
    try:
        return decode_json(body)
    except ValueError:
        pairs = parse_qsl(body.decode(errors="replace")) if form else []
        return {name: _form_value(value) for name, value in pairs} or ""


def _form_value(value: str) -> Any:
    return (decoded(value.encode()) or value) if value[0] in "[{tfn" else value


def key(variable: str) -> Any:
    """Declare the API key of an adapter; *variable* is the environment's name for it.

    A key that is empty, or that no HTTP header can carry, is a `ConfigError` when the adapter is made.
    """

    def check(adapter: Any, _: object, value: Secret) -> None:
        if not value:
            # An instance may have a variable of its own, beside another one of the same class.
            able = getattr(adapter, "capabilities", None)
            named = " or ".join(getattr(able, "key_variables", ())) or variable
            raise ConfigError(f"api_key is empty; set {named} or pass api_key.")
        HttpRequest(method="GET", url=_NOWHERE, headers={"authorization": value})

    return field(converter=Secret, validator=check)


def base_url(default: str) -> Any:
    """Declare the address that an adapter sends to; one that is no http(s) address is a `ConfigError`."""

    def check(_: object, __: object, value: str) -> None:
        HttpRequest(method="GET", url=value)

    return field(default=None, converter=lambda url: (url or default).rstrip("/"), validator=check)


def text() -> Any:
    """Declare an id, word or link of an attrs class, with the annotation `Any`.

    What is no text, not printable or longer than 8192 characters reads as empty text, so that one spoilt
    field spoils nothing else.
    """
    return field(default="", converter=_text)


def _text(value: object) -> str:
    known = isinstance(value, str) and len(value) <= _LONGEST_TEXT and value.isprintable()
    return value if known else ""  # type: ignore[return-value]  # mypy does not follow `known`


def state(word: str) -> State | None:
    """Return the state that a provider's *word* means: running for an unknown one, None for no word.

    >>> state(" Success "), state("polishing"), state("")
    (<State.SUCCEEDED: 'succeeded'>, <State.RUNNING: 'running'>, None)
    """
    word = word.strip().casefold()
    return _STATES.get(word, State.RUNNING) if word else None


def is_link(text: str) -> bool:
    """Return whether *text* begins as an http(s) link."""
    return text.startswith(("http://", "https://"))


def key_frames(request: VideoRequest) -> tuple[Frame, ...]:
    """Return the frames of a request, or its first and last image as frames; none for any other request.

    Raises `UnsupportedRequest` for more frames than the model of key frames takes.
    """
    last, frames = getattr(request, "last_image", None), getattr(request, "frames", None) or ()
    if len(frames) > _MOST_FRAMES:
        raise UnsupportedRequest(f"frames must be 2 to {_MOST_FRAMES}; give fewer.")
    return frames if last is None else (Frame(getattr(request, "image", "")), Frame(last))


def inlined(media: Media) -> str:
    """Return *media* as a link, or as a `data:` link that holds its bytes.

    >>> inlined(Blob(b"mp4", "video/mp4"))
    'data:video/mp4;base64,bXA0'
    """
    match media:
        case str():
            return media
        case Blob(data=data, content_type=kind):
            return f"data:{kind};base64,{base64.b64encode(data).decode()}"
    raise UnsupportedRequest("image and video reach an adapter as a link or a Blob; read the file first.")


def members(value: Any) -> dict[str, Any]:
    """Return the members of a JSON object; none for what is no object.

    >>> members({"id": 5}), members("no JSON")
    ({'id': 5}, {})
    """
    return value if isinstance(value, dict) else {}


def number(value: Any) -> float | None:
    """Return a finite number, also one that is written as text; None for anything else.

    >>> number(5), number("4.22"), number(True), number("soon")
    (5.0, 4.22, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value[:_LONGEST_NUMBER] if isinstance(value, str) else value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def video_links(output: Any) -> tuple[str, ...]:
    """Return the links under `video` or `videos`, each of which is text or an object with a `url`.

    >>> video_links({"video": {"url": "https://cdn.test/a.mp4"}}), video_links({"videos": []})
    (('https://cdn.test/a.mp4',), ())
    """
    told = members(output)
    several = told.get("videos")
    items = [told.get("video"), *(several if isinstance(several, list) else [])]
    links = (_text(members(item).get("url") if isinstance(item, dict) else item) for item in items)
    return tuple(dict.fromkeys(link for link in links if is_link(link)))


def succeeded(task: Task, links: Iterable[str], **more: Any) -> Succeeded:
    """Return the end of a task with the videos behind *links*, which have no cover and tell no duration.

    >>> succeeded(Task("t"), ["https://cdn.test/a.mp4"], cost=0.2).results[0].url
    'https://cdn.test/a.mp4'
    """
    videos = (VideoResult(task.id, link, None, None, State.SUCCEEDED) for link in links)
    return Succeeded(task=task, results=tuple(videos), **more)


def given(**fields: Any) -> dict[str, Any]:
    """Return the fields that have a value.

    >>> given(seed=None, motion=0)
    {'motion': 0}
    """
    return {name: value for name, value in fields.items() if value is not None}


def merged(body: Mapping[str, Any], extra: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return *body* with the user's `extra_body` merged into it, objects within objects as well.

    A value of *extra* goes before one of *body*. Raises `UnsupportedRequest` where it would replace an object
    of *body* as a whole, for settings of the request would be lost without a word.

    >>> merged({"options": {"seed": 3}}, {"options": {"extend": True}})
    {'options': {'seed': 3, 'extend': True}}
    """
    whole = dict(body)
    for name, value in (extra or {}).items():
        own = whole.get(name)
        if isinstance(own, Mapping) and not isinstance(value, Mapping):
            raise UnsupportedRequest(
                f"extra_body's {name} would replace {', '.join(own)} of the request; make it an object, "
                "which is merged."
            )
        whole[name] = merged(own, value) if isinstance(own, Mapping) else value
    return whole


def first_text(value: Any, depth: int = 9) -> str:
    """Return the first text inside an error of unknown shape; its `message` comes before its other fields.

    >>> first_text({"code": 5, "message": {"detail": ["no more points"]}})
    'no more points'
    """
    if isinstance(value, dict):
        rest = (inner for name, inner in value.items() if name != "message")
        value = [value.get("message"), *rest]
    if isinstance(value, list) and depth:
        return next(filter(None, (first_text(inner, depth - 1) for inner in value)), "")
    return value if isinstance(value, str) else ""


def shown(text: str, key: Secret, length: int = _LONGEST_MESSAGE) -> str:
    """Return the visible start of a provider's *text*, without *key* and without links.

    Links may bear tokens. Empty text stays empty.

    >>> shown("key sk-1 is bad, see https://a.test/x", Secret("sk-1"))
    'key *** is bad, see (link)'
    """
    # A letter of a percent-encoded key takes three. What is cut may end in a part of the key, so that part
    # goes; what comes before it is long enough to fill the rest.
    longest = 3 * len(key.reveal())
    start = key.hidden_in(text[: 4 * length + longest])
    if longest and len(text) > 4 * length + longest:
        start = start[:-longest]
    if not start or (len(start) <= length and start.isalnum()):
        return start
    return clip(_LINK.sub("(link)", start).encode(errors="replace"), length)
