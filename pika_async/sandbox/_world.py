"""What the sandbox hands to one emulator: time, random ids, memory, media links and callbacks."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal
from uuid import uuid4

from attrs import Factory, define

from pika_async._http import HttpRequest, HttpResponse
from pika_async.results import JSON
from pika_async.sandbox._callbacks import Callback, CallbackFault, ChoosesFault, spoil
from pika_async.sandbox._delivery import CallbackSender
from pika_async.sandbox._media import Media

_NONE: Mapping[str, str] = {}


@define(kw_only=True, eq=False)
class SandboxWorld:
    """What `pika_async.emulator.World` promises, on real time and real sockets."""

    clock: Callable[[], float]
    render_times: Callable[[], float]
    address: Callable[[], str]
    billed: Counter[str]
    sender: CallbackSender
    choose_fault: ChoosesFault
    files: Mapping[str, Media]
    account: Callable[[], str | None] = lambda: None
    tasks: MutableMapping[str, Any] = Factory(dict)
    _outbox: list[Callback] = Factory(list)
    _moment: float | None = None

    @property
    def now(self) -> float:
        return self.clock() if self._moment is None else self._moment

    @contextmanager
    def one_moment(self) -> Iterator[None]:
        """Stop the time while an answer is made, so that its times fit together on a busy machine."""
        self._moment = self.clock()
        try:
            yield
        finally:
            self._moment = None

    @property
    def render_time(self) -> float:
        return self.render_times()

    def new_id(self) -> str:
        return str(uuid4())

    def media_url(self, name: Literal["video.mp4", "poster.jpg"], task_id: str, /) -> str:
        return f"{self.address()}/media/{task_id}/{name}"

    def media(self, name: Literal["video.mp4", "poster.jpg"], request: HttpRequest, /) -> HttpResponse:
        return self.files[name].answer({n: str(text) for n, text in request.headers.items()})

    def bill(self, prompt: str, /) -> None:
        self.billed[prompt] += 1

    @property
    def base_url(self) -> str:
        return self.address()

    @property
    def account_url(self) -> str | None:
        return self.account()

    def call_back(
        self, url: str, body: Mapping[str, JSON] | bytes, /, *, at: float, headers: Mapping[str, str] = _NONE
    ) -> None:
        self._outbox.append(Callback(url=url, body=body, at=at, headers=headers))

    def post(self) -> list[asyncio.Task[None]]:
        """Send the callbacks that one request asked for; return those its answer must wait for."""
        if not self._outbox:
            return []
        callbacks, self._outbox = self._outbox, []
        now, last = self.now, max(callback.at for callback in callbacks)
        awaited = []
        for callback in callbacks:
            fault = self.choose_fault(callback.fields)
            sent = callback
            if fault is not None:
                sent = spoil(callback, fault, last=last, now=now, other=self.new_id())
            delivery = self.sender.send(sent)
            if delivery is not None and fault is CallbackFault.BEFORE_ANSWER:
                awaited.append(delivery)
        return awaited
