"""The providers' side: the emulators of the sandbox, each with books of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from attrs import define, evolve, field, frozen

import pika_async.provider as api
from pika_async.emulator import Held
from pika_async.testing._world import as_received

_TOKEN = re.compile(r"[0-9a-v]{16}-\d+-[0-9a-v]{8}")


@frozen
class Bill:
    """A purchase: what was ordered, which task it made, and the attempt that the order named, if it did."""

    prompt: str
    task: str | None
    attempt: str | None


@define(eq=False)
class Server:
    """One provider: an emulator, and the world that it sees (`pika_async.emulator.World`)."""

    name: str
    emulator: Any
    clock: Callable[[], float]
    new_render: Callable[[], float]
    calls_back: Callable[[float, str, Any, Mapping[str, str]], None]
    lag: float = 0.0
    bills: list[Bill] = field(factory=list)
    everything: MutableMapping[str, Any] = field(factory=dict)
    made_at: dict[str, float] = field(factory=dict)
    base_url: str = ""
    account_url: str | None = None
    tasks: MutableMapping[str, Any] = field(factory=dict)
    _ids: int = 0
    _attempt: str | None = None

    @property
    def now(self) -> float:
        return self.clock()

    @property
    def render_time(self) -> float:
        return self.new_render()

    def new_id(self) -> str:
        self._ids += 1
        return f"00000000-0000-4000-8000-{self._ids:012}"

    def media_url(self, name: str, task_id: str, /) -> str:
        return f"https://media.test/{task_id}/{name}"

    def bill(self, prompt: str, /) -> None:
        self.bills.append(Bill(_plain(prompt), None, self._attempt))

    def call_back(
        self, url: str, body: Any, /, *, at: float, headers: Mapping[str, str] | None = None
    ) -> None:
        self.calls_back(at, url, body, headers or {})

    def submitted(self, request: api.HttpRequest, word: str = "") -> api.HttpResponse | Held:
        """Answer a POST that may buy; *word* in its prompt has it refused."""
        received = as_received(request)
        self._attempt = attempt_in(received)
        if word and isinstance(received.body, api.Json | api.Form):
            received = evolve(received, body=_worded(received.body, word))
        before, billed = len(self.everything), len(self.bills)
        self.tasks = self.everything
        answer = self.emulator.answer(received, self)
        made = list(self.everything)[before:]
        self.made_at.update(dict.fromkeys(made, self.now))
        tasks = [key for key in made if not key.startswith("key ")]
        if tasks and len(self.bills) > billed:
            self.bills[-1] = evolve(self.bills[-1], task=tasks[0])
        return answer

    def submitted_by_nobody(self, request: api.HttpRequest) -> api.HttpResponse:
        """Answer a POST whose credential is refused, before anything else of it is looked at."""
        received = as_received(request)
        known = {"authorization", "x-api-key"}
        headers = {name: text for name, text in received.headers.items() if name not in known}
        answer = self.emulator.answer(evolve(received, headers=headers), self)
        assert isinstance(answer, api.HttpResponse)
        return answer

    def asked(self, request: api.HttpRequest) -> api.HttpResponse | Held:
        """Answer a free request; what is younger than the lag is not seen."""
        if self.lag:
            old = self.now - self.lag
            self.tasks = {k: v for k, v in self.everything.items() if self.made_at.get(k, 0.0) <= old}
        else:
            self.tasks = self.everything
        answer = self.emulator.answer(as_received(request), self)
        self.tasks = self.everything
        return answer


def attempt_in(received: api.HttpRequest) -> str | None:
    """Return the attempt whose callback address a POST bears."""
    found = _TOKEN.search(f"{received.body} {dict(received.query)}")
    return found[0] if found else None


def _worded(body: Any, word: str) -> Any:
    def put(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {k: f"{v} {word}" if k == "prompt" else put(v) for k, v in value.items()}
        return value

    if isinstance(body, api.Form):
        return api.Form(put(body.fields))
    return api.Json(put(body.value))


def made(name: str) -> tuple[Any, Any]:
    """Return an adapter, with a good key, and its emulator."""
    key = api.Secret("sandbox-key")
    match name:
        case "acedata":
            import pika_acedata as it

            return it.AceData(api_key=key), it.AceDataEmulator()
        case "duomi":
            import pika_duomi as it

            return it.Duomi(api_key=key), it.DuomiEmulator()
        case "pika":
            import pika_official as it

            return it.PikaOfficial(api_key=key), it.PikaEmulator()
        case "comfy":
            import pika_comfy as it

            return it.Comfy(api_key=key), it.ComfyEmulator()
        case "fal":
            import pika_fal as it

            return it.Fal(api_key=key), it.FalEmulator()
    raise ValueError(name)


def _plain(prompt: str) -> str:
    """Return the prompt as it was ordered, without the word that had it refused on its way."""
    return re.sub(r"(order \d+( sandbox-moderated)?).*", r"\1", prompt)
