"""A provider for tests of the engine: an adapter as small as can be, and its host, in virtual time."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from attrs import Factory, define, evolve, field, frozen

import pika_async.provider as api
from pika_async import Pika
from pika_async._transport import SendError
from pika_async.errors import PikaError
from pika_async.testing import FakeClock, ScriptedTransport, settle

KEY = "canary-7d1f"


def capable(name: str = "scripted", **changes: Any) -> api.Capabilities:
    """Return the capabilities of a scripted provider called *name*."""
    fields = {"seed", "aspect_ratio", "image", "video"}
    kinds = {api.Generate, api.Ingredients}
    declared = api.Capabilities(
        name=name,
        kinds=kinds,
        fields=fields,
        inline_media=True,
        poll_batch=50,
        callbacks="optional",
        render_time=10.0,
    )
    return evolve(declared, **changes)


@frozen(kw_only=True)
class Scripted:
    """Speaks a wire that says in one word what it means; takes every error at submit for a refusal."""

    capabilities: api.Capabilities = field(factory=capable)
    api_key: api.Secret = api.Secret(KEY)

    @property
    def base_url(self):
        return f"https://{self.capabilities.name}.test"

    def build_submit(self, request, call, /):
        media = {
            n: m.data.decode("latin1")
            for n in ("image", "video")
            if hasattr(m := getattr(request, n, None), "data")
        }
        body = {"prompt": request.prompt, "callback_url": call.callback_url, **media}
        return self._ask("POST", "/videos", body=api.Json(body))

    def read_submit(self, response, request, /):
        told = response.json()
        if "id" in told:
            return snapshot(told)
        raise getattr(api, told["error"])(f"The host said {told['error']}", status=response.status)

    def build_poll(self, tasks, /):
        return self._ask("GET", "/videos", query={"ids": ",".join(task.id for task in tasks)})

    def read_poll(self, response, tasks, /):
        told = response.json()
        if response.status != 200:
            raise getattr(api, told["error"])(f"The host said {told['error']}", status=response.status)
        return {one["id"]: snapshot(one) for one in told}

    def _ask(self, method, path, **parts):
        headers = {"authorization": self.api_key.within("Bearer {}")}
        return api.HttpRequest(method=method, url=self.base_url + path, headers=headers, **parts)


@frozen(kw_only=True)
class Historian(Scripted):
    """Remembers its tasks, and echoes the callback addresses it was given in its history and in look-ups."""

    capabilities: api.Capabilities = field(factory=lambda: capable(echoes_token=True))

    def read_poll(self, response, tasks, /):
        found = Scripted.read_poll(self, response, tasks)
        return {told["id"]: echoing(told, found[told["id"]]) for told in response.json()}

    def build_find(self, since, until, cursor, /):
        query = {"since": str(since), "until": str(until), "cursor": cursor or "0"}
        return self._ask("GET", "/history", query=query)

    def read_find(self, response, /):
        told = response.json()
        if response.status != 200:
            raise getattr(api, told["error"])(f"The host said {told['error']}", status=response.status)
        found = [
            api.Found(snapshot=snapshot(t), callback_url=api.Secret(t["callback_url"])) for t in told["tasks"]
        ]
        return api.Page(found=tuple(found), next_cursor=told["next"])


def echoing(told: Mapping[str, Any], found: api.Snapshot) -> api.Snapshot:
    """Return *found* with the callback address that the host echoes, if it does."""
    echoed = told.get("callback_url")
    return found if echoed is None else evolve(found, callback_url=api.Secret(echoed))


def snapshot(told: Mapping[str, Any]) -> api.Snapshot:
    """Read what the host says of one task."""
    task = api.Task(told["id"], told.get("locator", {}))
    raw = {name: value for name, value in told.items() if name != "callback_url"}
    if told["state"] == "done":
        result = api.VideoResult(task.id, told["url"], None, 5.0, api.State.SUCCEEDED)
        return api.Succeeded(task=task, results=(result,), trace_id="trace", cost=0.5, raw=raw)
    if told["state"] == "failed":
        return api.Failed(task=task, reason=told.get("reason", "provider"), message="bad luck", raw=raw)
    return api.Pending(
        task=task,
        state=api.State(told["state"]),
        progress=told.get("progress"),
        poll_after=told.get("poll_after"),
        raw=raw,
    )


def answer(status: int, body: Any, **headers: str) -> api.HttpResponse:
    """Make an answer; *headers* are written with underscores."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return api.HttpResponse(status=status, headers=named, body=json.dumps(body).encode())


def refusal(kind: str, status: int = 422, **headers: str) -> api.HttpResponse:
    """Make an answer that the adapter takes for the error called *kind*."""
    return answer(status, {"error": kind}, **headers)


_STUCK = 20.0
"""Real seconds after which a test that waits without moving the clock fails, instead of hanging."""

LOST = SendError("the line is cut", sent=True)
UNSENT = SendError("no connection to the host", sent=False)


@define(eq=False)
class Host:
    """The provider's side of the wire: counts what it bills, and renders in the clock's time.

    What is in `at_submit` and `at_poll` is answered first, in turn; None there is the host's own answer.
    `on_poll` may answer a look-up for some ids in the host's place; `asked` notes when, and for which.
    """

    clock: FakeClock
    render_time: float = 10.0
    billed: Counter[str] = Factory(Counter)
    tasks: dict[str, dict[str, Any]] = Factory(dict)
    at_submit: deque[Any] = Factory(deque)
    at_poll: deque[Any] = Factory(deque)
    on_poll: Callable[[tuple[str, ...]], Any] = lambda ids: None
    asked: list[tuple[float, tuple[str, ...]]] = Factory(list)
    searched: list[float] = Factory(list)
    gate: asyncio.Event | None = None

    def hold(self) -> None:
        """Keep every POST waiting for its answer until `gate` is set."""
        self.gate = asyncio.Event()

    def __call__(self, request: api.HttpRequest) -> Any:
        match request.method, urlsplit(request.url).path:
            case "POST", "/videos":
                return self._submit(request)
            case "GET", "/videos":
                ids = tuple(str(request.query["ids"]).split(","))
                self.asked.append((self.clock.now(), ids))
                told = self.at_poll.popleft() if self.at_poll else self.on_poll(ids)
                return self.told(ids) if told is None else told
            case "GET", "/history":
                self.searched.append(self.clock.now())
                told = self.at_poll.popleft() if self.at_poll else None
                every = [self.tell(i) for i in self.tasks if "callback_url" in self.tasks[i]]
                return answer(200, {"tasks": every, "next": None}) if told is None else told
        raise AssertionError(request)

    async def _submit(self, request: api.HttpRequest) -> Any:
        told = self.at_submit.popleft() if self.at_submit else None
        if told is not None and told is not LOST:
            return told
        accepted = self.accept(request)
        if self.gate is not None:
            await self.gate.wait()
        return told or answer(200, self.tell(accepted))

    def accept(self, request: api.HttpRequest) -> str:
        """Bill a request and begin to render it."""
        body = request.body.value
        self.billed[body["prompt"]] += 1
        id_ = f"t{self.billed.total()}"
        callback = body["callback_url"]
        self.tasks[id_] = {"id": id_, "done_at": self.clock.now() + self.render_time}
        if callback is not None:
            self.tasks[id_]["callback_url"] = callback.reveal()
        return id_

    def told(self, ids: Iterable[str]) -> api.HttpResponse:
        """Answer a look-up with what is known."""
        return answer(200, [self.tell(id_) for id_ in ids if id_ in self.tasks])

    def tell(self, id_: str) -> dict[str, Any]:
        """Say where a task stands; whatever a test put into it is said as well."""
        task = self.tasks[id_]
        done = self.clock.now() >= task["done_at"]
        said = {"state": "done", "url": f"https://media.test/{id_}.mp4"} if done else {"state": "running"}
        return {**said, **task}


@define(eq=False)
class Wire(ScriptedTransport):
    """Takes time to connect: `connecting` runs before each fence."""

    connecting: Callable[[], Awaitable[None]] | None = None

    async def submit(self, request, fence=None):
        if self.connecting is not None:
            await self.connecting()
        return await ScriptedTransport.submit(self, request, fence)


@frozen
class Scene:
    """A client, the host behind it, and the clock of both."""

    pika: Pika
    host: Host
    clock: FakeClock
    wire: Wire
    hosts: Mapping[str, Host]

    @property
    def stats(self):
        """Return what the first account is doing."""
        return next(iter(self.pika.stats().values()))

    @property
    def engine(self):
        """Return the engine, for what users cannot see."""
        return self.pika._lifecycle.engine

    def begin(self, awaitable):
        """Let *awaitable* run beside the test."""
        task = asyncio.ensure_future(awaitable)
        task.add_done_callback(lambda task: task.cancelled() or task.exception())
        return task

    async def after(self, seconds, awaitable):
        """Let *seconds* pass and give what *awaitable* gives; it must have ended by then."""
        task = self.begin(awaitable)
        await self.clock.advance(seconds)
        assert task.done(), f"still waiting after {seconds} s"
        return task.result()


@asynccontextmanager
async def scene(
    *providers: Scripted,
    clock: FakeClock | None = None,
    hosts: Mapping[str, Host] | None = None,
    **options: Any,
) -> AsyncIterator[Scene]:
    """Open a client of scripted *providers*, each with a host; after it, no task may be left."""
    before = asyncio.all_tasks()
    clock = clock or FakeClock()
    adapters = providers or (Scripted(),)
    hosts = hosts or {adapter.capabilities.name: Host(clock) for adapter in adapters}
    by_origin = {
        api.HttpRequest(method="GET", url=a.base_url).origin: hosts[a.capabilities.name] for a in adapters
    }
    wire = Wire(lambda request: by_origin[request.origin](request))
    pika = Pika(*adapters, transport=wire, clock=clock, **options)
    try:
        async with asyncio.timeout(_STUCK), pika:
            try:
                yield Scene(pika, hosts[adapters[0].capabilities.name], clock, wire, hosts)
            finally:
                for host in hosts.values():
                    if host.gate is not None:
                        host.gate.set()
    finally:
        await settle()
    left = asyncio.all_tasks() - before
    assert not left, f"tasks are left: {left}"


async def failed(task):
    """Return the error of a task that has ended."""
    assert task.done()
    error = task.exception()
    assert isinstance(error, PikaError), error
    return error
