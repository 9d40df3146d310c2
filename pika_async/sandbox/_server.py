"""The server that hosts emulators: aiohttp requests in, pure emulators asked, their answers out."""

from __future__ import annotations

import asyncio
import logging
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import urlsplit

from aiohttp import web
from attrs import frozen

from pika_async import _arguments as check
from pika_async._client import Pika
from pika_async._crossing import process_bound
from pika_async._http import HttpRequest, HttpResponse
from pika_async.emulator import Emulator
from pika_async.errors import ConfigError
from pika_async.sandbox._callbacks import CallbackFault, CallbackSender, ChoosesFault, chooser, sleep_until
from pika_async.sandbox._guard import cross_site, host_names, refusal
from pika_async.sandbox._http import METHODS, answered, headers_of, plain, translate
from pika_async.sandbox._journal import Remembering, last_port
from pika_async.sandbox._media import shipped_media
from pika_async.sandbox._world import SandboxWorld

_log = logging.getLogger("pika_async.sandbox")

_GROUP: Final = "pika_async.emulators"


@frozen
class _Hosted:
    emulator: Emulator
    world: SandboxWorld


@process_bound("hand over sandbox.url, and call Pika(base_url=url) in the other process")
class Sandbox:
    """A local server with the API of every installed provider, for keys that begin with `sandbox`.

    Words in the prompt choose an outcome (`pika_async.emulator.Outcome`); *callback_faults* spoil
    callbacks: one for all, several taken in turn, or a function of the body. *render_time* is seconds,
    or a function that returns the seconds of the next render. *emulators* replace the installed ones,
    *video* replaces the sample. *clock* returns wall-clock seconds and must run at the usual speed.

    The sandbox answers programs on this machine, and sends callbacks to this machine. *allowed_hosts* are
    other host names or addresses under which it may be reached, and to which it may send callbacks.

    *journal* is a file of accepted orders: a later sandbox with the same file knows their tasks.
    *account_url* receives the callbacks of providers that take one address for the whole account; it may be
    set later.

    `billed` counts accepted submits by prompt, at the moment of acceptance; `requests` counts what
    arrived, by method and path; `broken` names the emulators that failed to load, and why. Raises
    `ConfigError` for a render time that is no time, for an allowed host that is none, and for two *emulators*
    with one path; of two installed ones, `broken` names the second. Where one path begins with another, the
    longer one is asked.

        async with Sandbox() as sandbox, sandbox.client("acedata") as pika:
            video = await pika.generate("A cat surfing at sunset")
    """

    def __init__(
        self,
        *,
        render_time: float | Callable[[], float] = 3.0,
        host: str = "127.0.0.1",
        port: int = 0,
        clock: Callable[[], float] = time.time,
        emulators: Iterable[Emulator] | None = None,
        callback_faults: CallbackFault | Iterable[CallbackFault | None] | ChoosesFault | None = None,
        video: bytes | None = None,
        allowed_hosts: Iterable[str] = (),
        journal: str | os.PathLike[str] | None = None,
        account_url: str | None = None,
    ) -> None:
        self.billed: Counter[str] = Counter()
        self.requests: Counter[tuple[str, str]] = Counter()
        self.broken: dict[str, str] = {}
        self._host, self._port, self._clock = host, port, clock
        self._url: str | None = None
        self._runner: web.ServerRunner | None = None
        if not callable(render_time) and not _is_time(render_time):
            raise ConfigError("render_time must be a number of seconds, 0 or more; correct it.")
        check.text("host", host)
        check.count("port", port, least=0)
        if not callable(clock):
            raise check.refuse("clock", "a function that returns seconds", clock)
        if not callable(callback_faults) and not isinstance(callback_faults, CallbackFault | None):
            check.series("callback_faults", callback_faults, "faults")
        self.account_url = None if account_url is None else check.base_url("account_url", account_url)
        if video is not None:
            check.instance("video", video, bytes)
        if journal is not None:
            check.path("journal", journal)
        if emulators is not None:
            emulators = tuple(check.series("emulators", emulators, "emulators"))
            for emulator in emulators:
                check.able("emulators", emulator, "answer")
        self._allowed = host_names(allowed_hosts)
        self._sender = CallbackSender(clock, self._allowed)
        self._media = shipped_media(video)
        choose_fault = chooser(callback_faults)

        def world() -> SandboxWorld:
            return SandboxWorld(
                clock=clock,
                render_times=render_time if callable(render_time) else lambda: render_time,
                address=lambda: self.url,
                account=lambda: self.account_url,
                billed=self.billed,
                sender=self._sender,
                choose_fault=choose_fault,
                files=self._media,
            )

        self._journal = None if journal is None else Path(journal)
        self._forgotten: list[tuple[Remembering, SandboxWorld]] = []

        def hosted(emulator: Emulator) -> _Hosted:
            own = world()
            if self._journal is not None:
                emulator = Remembering(emulator, self._journal)
                self._forgotten.append((emulator, own))
            return _Hosted(emulator, own)

        owners: dict[str, str] = {}
        self._routes: dict[str, _Hosted] = {}
        for emulator in self._installed(owners) if emulators is None else _given(emulators, owners):
            self._routes |= dict.fromkeys(emulator.paths, hosted(emulator))
        self._prefixes = sorted(self._routes, key=len, reverse=True)

    @property
    def url(self) -> str:
        """The base URL for every provider; raises `ConfigError` before `start`."""
        if self._url is None:
            raise ConfigError("The sandbox has no address yet; start it first, or use `async with`.")
        return self._url

    @property
    def media_host(self) -> str:
        """The `host:port` of the videos' links, for `Pika(media_hosts=[...])` or `PIKA_ASYNC_MEDIA_HOST`.

        Raises `ConfigError` before `start`.
        """
        return urlsplit(self.url).netloc

    def client(self, provider: str = "acedata", /, **options: Any) -> Pika:
        """Return a client that buys here: `Pika(provider, ...)` with this address and a key for the sandbox.

        *options* are those of `Pika`. The rate of look-ups is not limited, as they cost nothing here. Raises
        `ConfigError` before `start`.
        """
        given = {
            "api_key": "sandbox",
            "base_url": self.url,
            "media_hosts": [self.media_host],
            "poll_rate": None,
            "poll_interval": 0.1,
        }
        return Pika(provider, **(given | options))

    async def start(self) -> None:
        """Listen; raises OSError when the port is taken."""
        # `stop` cuts held answers; by its own default the runner would wait for them for a minute.
        self._runner = web.ServerRunner(web.Server(self._handle, access_log=None), shutdown_timeout=0.02)
        await self._runner.setup()
        try:
            await self._listen(self._runner)
        except BaseException:
            await self.stop()
            raise
        host, port = self._runner.addresses[0][:2]
        self._port = port
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        self._url = f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
        while self._forgotten:
            emulator, world = self._forgotten.pop()
            emulator.remember(world)

    async def _listen(self, runner: web.ServerRunner) -> None:
        # Links to videos hold the address: with a journal, those of an earlier sandbox go on to work.
        earlier = last_port(self._journal) if self._journal is not None and not self._port else 0
        if earlier:
            with suppress(OSError):
                await web.TCPSite(runner, self._host, earlier, backlog=4096).start()
                return
        await web.TCPSite(runner, self._host, self._port, backlog=4096).start()

    async def stop(self) -> None:
        """Cut held answers, drop callbacks that are not due yet, and close; tasks and counts stay."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        await self._sender.aclose()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def _installed(self, owners: dict[str, str]) -> Iterable[Emulator]:
        for entry_point in sorted(entry_points(group=_GROUP), key=lambda point: point.name):
            try:
                emulator = entry_point.load()()
                _own_paths(entry_point.name, emulator, owners)
                yield emulator
            except Exception as error:  # noqa: BLE001  a stranger's plug-in may raise anything
                self.broken[entry_point.name] = f"{type(error).__name__}: {error}"
                _log.warning("The emulator %s could not be loaded: %s", entry_point.name, error)

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        path, _, query = request.raw_path.partition("?")
        self.requests[request.method, path] += 1
        headers = headers_of(request)
        if why := refusal(headers, self._host, self._allowed):
            return answered(plain(403, why))
        if path.startswith("/media/"):
            return answered(self._serve_media(request, path))
        if why := cross_site(headers, request.content_type):
            return answered(plain(403, why))
        prefix = next(filter(path.startswith, self._prefixes), None)
        if prefix is None:
            answer: HttpResponse | None = plain(404, f"No emulator here answers {path}.")
        else:
            answer = await self._ask(self._routes[prefix], request, path, query)
        if answer is None:
            if request.transport is not None:
                request.transport.abort()
            return web.Response()
        return answered(answer)

    def _serve_media(self, request: web.BaseRequest, path: str) -> HttpResponse:
        match path.split("/")[2:]:
            case [_, name] if name in self._media and request.method in {"GET", "HEAD"}:
                # A HEAD is about the whole: ranges are defined for GET alone.
                headers = headers_of(request) if request.method == "GET" else {}
                return self._media[name].answer(headers)
            case _:
                return plain(404, f"There is no {path} here.")

    async def _ask(
        self, hosted: _Hosted, request: web.BaseRequest, path: str, query: str
    ) -> HttpResponse | None:
        """Return the emulator's answer when its time has come; None closes the connection without one."""
        method = METHODS.get(request.method)
        if method is None:
            return plain(405, f"No provider uses {request.method}.")
        try:
            translated = await translate(request, method, f"{self.url}{path}", query)
        except ConfigError:
            return plain(400, "The request holds characters that HTTP does not allow.")
        except (OSError, web.RequestPayloadError):
            # The body broke off, so nothing was ordered: the emulator is not asked.
            return None
        try:
            return await self._wait_for_answer(hosted, translated)
        except Exception:  # noqa: BLE001  a stranger's emulator may raise anything
            _log.exception("The emulator of %s crashed.", path)
            return plain(500, f"The emulator of {path} crashed; its log says why.")

    async def _wait_for_answer(self, hosted: _Hosted, request: HttpRequest) -> HttpResponse | None:
        with hosted.world.one_moment():
            answer = hosted.emulator.answer(request, hosted.world)
            awaited = hosted.world.post()
        if awaited:
            await asyncio.wait(awaited)
        if isinstance(answer, HttpResponse):
            return answer
        await sleep_until(answer.until, self._clock)
        if answer.answer is None:
            return None
        response = answer.answer()
        hosted.world.post()
        return response


def _given(emulators: Iterable[Emulator], owners: dict[str, str]) -> Iterable[Emulator]:
    for number, emulator in enumerate(emulators, 1):
        _own_paths(f"{type(emulator).__name__} (number {number})", emulator, owners)
        yield emulator


def _own_paths(name: str, emulator: Emulator, owners: dict[str, str]) -> None:
    """Note the paths of *emulator* as its own; raises `ConfigError` for one that another answers."""
    for path in emulator.paths:
        if path in owners:
            raise ConfigError(
                f"The emulators {owners[path]} and {name} both answer {path}; give each a path of its own, "
                "or leave one out."
            )
    owners |= dict.fromkeys(emulator.paths, name)


def _is_time(seconds: object) -> bool:
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < math.inf
