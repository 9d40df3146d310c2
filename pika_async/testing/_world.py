"""A world for emulators without a server: time stands still, ids count up, callbacks are kept."""

from __future__ import annotations

import json
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal
from urllib.parse import urlencode

from attrs import define, field

from pika_async._crossing import process_bound
from pika_async._secret import Secret
from pika_async.emulator import Emulator
from pika_async.provider import Form, HttpRequest, HttpResponse, Json
from pika_async.results import JSON

_NONE: Mapping[str, str] = {}


@process_bound("make a FakeWorld() in each process")
@define(eq=False)
class FakeWorld:
    """What `pika_async.emulator.World` promises, with nothing behind it.

    *callbacks* are when, where and what; *signed* are those whose body is bytes, with it and their headers.
    """

    now: float = 1_800_000_000.0
    render_time: float = 60.0
    tasks: MutableMapping[str, Any] = field(factory=dict)
    billed: list[str] = field(factory=list)
    callbacks: list[tuple[float, str, Mapping[str, JSON]]] = field(factory=list)
    signed: list[tuple[float, str, bytes, Mapping[str, str]]] = field(factory=list)
    base_url: str = "https://provider.test"
    account_url: str | None = "https://account.test/callbacks"
    _ids: int = 0

    def new_id(self) -> str:
        self._ids += 1
        return f"00000000-0000-4000-8000-{self._ids:012}"

    def media_url(self, name: Literal["video.mp4", "poster.jpg"], task_id: str, /) -> str:
        return f"https://media.test/{task_id}/{name}"

    def media(self, name: Literal["video.mp4", "poster.jpg"], _request: HttpRequest, /) -> HttpResponse:
        kind = "video/mp4" if name == "video.mp4" else "image/jpeg"
        return HttpResponse(status=200, headers={"content-type": kind}, body=name.encode())

    def bill(self, prompt: str, /) -> None:
        self.billed.append(prompt)

    def call_back(
        self, url: str, body: Mapping[str, JSON] | bytes, /, *, at: float, headers: Mapping[str, str] = _NONE
    ) -> None:
        if isinstance(body, bytes):
            self.signed.append((at, url, body, headers))
        self.callbacks.append((at, url, json.loads(body) if isinstance(body, bytes) else body))

    def ask(self, emulator: Emulator, request: HttpRequest) -> HttpResponse | None:
        """Return *emulator*'s answer to *request*, moving time to where it comes; None for a cut line."""
        answer = emulator.answer(as_received(request), self)
        if isinstance(answer, HttpResponse):
            return answer
        self.now = max(self.now, answer.until)
        return answer.answer() if answer.answer is not None else None


def as_received(request: HttpRequest) -> HttpRequest:
    """Return *request* as a server sees it: secrets revealed, header names in lower case, a body decoded."""
    body = request.body
    if isinstance(body, Json):
        body = Json(json.loads(json.dumps(body.value, default=_plain)))
    elif isinstance(body, Form):
        body = Form({name: _revealed(text) for name, text in body.fields.items()})
    return HttpRequest(
        method=request.method,
        url=request.url,
        headers={name.lower(): _revealed(text) for name, text in request.headers.items()},
        query={name: _revealed(text) for name, text in request.query.items()},
        body=body,
    )


def wire_text(request: HttpRequest) -> str:
    """Return everything of *request* that a server would see, as one text to search in."""
    seen = as_received(request)
    return f"{seen.url}?{urlencode(dict(seen.query))} {seen.headers} {seen.body}"


def _revealed(text: str | Secret) -> str:
    return text.reveal() if isinstance(text, Secret) else text


def _plain(value: Any) -> object:
    return value.reveal() if isinstance(value, Secret) else dict(value)
