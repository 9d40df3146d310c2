"""The orders that a sandbox accepted, kept in a file: the next one with that file still has their tasks."""

from __future__ import annotations

import json
import logging
import math
import re
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Literal, TypeVar
from urllib.parse import urlsplit

from attrs import Factory, define, frozen

from pika_async._http import Form, HttpRequest, HttpResponse, Json
from pika_async.batch.files import open_own
from pika_async.emulator import Emulator, Held, World
from pika_async.errors import ConfigError
from pika_async.results import JSON

T = TypeVar("T")
_NONE: Mapping[str, str] = {}

_log: Final = logging.getLogger("pika_async.sandbox")
_KEY: Final = re.compile(r"\bsandbox\S*")
_ADDRESS: Final = re.compile(r"^(\w+://[^/?]*)[^\n]*")


@define(eq=False)
class _Witness:
    """A world that notes what an emulator was told about time and chance, or that tells it the same again."""

    real: World
    replayed: bool = False
    moments: list[float] = Factory(list)
    renders: list[float] = Factory(list)
    ids: list[str] = Factory(list)

    @property
    def tasks(self) -> MutableMapping[str, Any]:
        return self.real.tasks

    @property
    def now(self) -> float:
        return self._said(self.moments, self.real.now)

    @property
    def render_time(self) -> float:
        return self._said(self.renders, self.real.render_time)

    def new_id(self) -> str:
        return self._said(self.ids, self.real.new_id())

    def media_url(self, name: Literal["video.mp4", "poster.jpg"], task_id: str, /) -> str:
        return self.real.media_url(name, task_id)

    def media(self, name: Literal["video.mp4", "poster.jpg"], request: HttpRequest, /) -> HttpResponse:
        return self.real.media(name, request)

    def bill(self, prompt: str, /) -> None:
        if not self.replayed:
            self.real.bill(prompt)

    @property
    def base_url(self) -> str:
        return self.real.base_url

    @property
    def account_url(self) -> str | None:
        return self.real.account_url

    def call_back(
        self, url: str, body: Mapping[str, JSON] | bytes, /, *, at: float, headers: Mapping[str, str] = _NONE
    ) -> None:
        if not self.replayed:
            self.real.call_back(url, body, at=at, headers=headers)

    def _said(self, kept: list[T], new: T) -> T:
        if self.replayed and kept:
            return kept.pop(0)
        kept.append(new)
        return new


@frozen
class Remembering:
    """An emulator whose accepted orders are lines of *file*, and are there again for the next one.

    Nothing but plain JSON is read back: each order is answered once more, at the time of the first answer.
    """

    emulator: Emulator
    file: Path

    @property
    def paths(self) -> tuple[str, ...]:
        return tuple(self.emulator.paths)

    def answer(self, request: HttpRequest, world: World, /) -> HttpResponse | Held:
        known = len(world.tasks)
        witness = _Witness(world)
        answer = self.emulator.answer(request, witness)
        if len(world.tasks) > known:
            self._write(request, witness)
        return answer

    def remember(self, world: World) -> None:
        """Bring back every task of *file*; lines that cannot be read are passed over."""
        for request, moments, renders, ids in self._orders():
            witness = _Witness(world, replayed=True, moments=moments, renders=renders, ids=ids)
            try:
                self.emulator.answer(request, witness)
            except Exception as error:  # noqa: BLE001 - a stranger's emulator, and a line of anybody's
                _log.warning("An order in %s cannot be taken up again: %s", self.file.name, error)

    def _write(self, request: HttpRequest, witness: _Witness) -> None:
        match request.body:
            case Form(fields=body) | Json(value=body):
                line = {
                    "url": request.url,
                    "headers": {
                        name: _KEY.sub("sandbox", str(text)) for name, text in request.headers.items()
                    },
                    "form": isinstance(request.body, Form),
                    "body": _without_secrets(body),
                    "now": witness.moments,
                    "render_time": witness.renders,
                    "ids": witness.ids,
                }
                with open_own(self.file, "a+b", mode=0o600) as file:
                    file.write(json.dumps(line, default=str).encode() + b"\n")

    def _orders(self) -> Iterator[tuple[HttpRequest, list[float], list[float], list[str]]]:
        try:
            lines = self.file.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        for line in lines:
            with suppress(ValueError, RecursionError, ConfigError):
                match json.loads(line):
                    case {
                        "url": str(url),
                        "headers": dict(headers),
                        "form": bool(form),
                        "body": dict(body),
                        "now": list(moments),
                        "render_time": list(renders),
                        "ids": list(ids),
                    } if urlsplit(url).path.startswith(self.paths) and _are_times(moments + renders):
                        sent = Form(body) if form else Json(body)
                        request = HttpRequest(method="POST", url=url, headers=headers, body=sent)
                        yield request, moments, renders, ids


def last_port(file: Path) -> int:
    """Return the port at which the last order of *file* came that can be read, or 0.

    Tokens know the address of their provider, so a damaged line must not move the sandbox to another.
    """
    try:
        lines = file.read_bytes().splitlines()
    except OSError:
        return 0
    return next(filter(None, map(_port, reversed(lines))), 0)


def _port(line: bytes) -> int:
    try:
        return urlsplit(json.loads(line)["url"]).port or 0
    except (ValueError, RecursionError, TypeError, KeyError, AttributeError):
        return 0


def _without_secrets(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return *body* with a key that is as good, and without the token in its callback address."""
    hidden = {
        name: _KEY.sub("sandbox", text) if name == "key" else _ADDRESS.sub(r"\1/", text)
        for name, text in body.items()
        if name in {"key", "callback_url"} and isinstance(text, str)
    }
    return {**body, **hidden}


def _are_times(values: list[object]) -> bool:
    return all(isinstance(value, int | float) and math.isfinite(value) for value in values)
