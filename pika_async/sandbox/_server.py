"""The server that hosts emulators: aiohttp requests in, pure emulators asked, their answers out."""

from __future__ import annotations

import logging
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from aiohttp import web

from pika_async import _arguments as check
from pika_async._client import Pika
from pika_async._crossing import process_bound
from pika_async._http import HttpResponse
from pika_async.emulator import Emulator
from pika_async.errors import ConfigError
from pika_async.sandbox._callbacks import CallbackFault, ChoosesFault, chooser
from pika_async.sandbox._delivery import CallbackSender
from pika_async.sandbox._guard import cross_site, host_names, refusal
from pika_async.sandbox._hosted import Hosted, to_host
from pika_async.sandbox._http import METHODS, answered, headers_of, plain, translate
from pika_async.sandbox._journal import Remembering, last_port
from pika_async.sandbox._media import shipped_media
from pika_async.sandbox._world import SandboxWorld

_log = logging.getLogger("pika_async.sandbox")


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
        self._host, self._port = host, port
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

        self._journal = None if journal is None else Path(journal)
        self._forgotten: list[tuple[Remembering, SandboxWorld]] = []

        def hosted(emulator: Emulator) -> Hosted:
            world = SandboxWorld(
                clock=clock,
                render_times=render_time if callable(render_time) else lambda: render_time,
                address=lambda: self.url,
                account=lambda: self.account_url,
                billed=self.billed,
                sender=self._sender,
                choose_fault=choose_fault,
                files=self._media,
            )
            if self._journal is not None:
                emulator = Remembering(emulator, self._journal)
                self._forgotten.append((emulator, world))
            return Hosted(emulator, world)

        self._routes: dict[str, Hosted] = {}
        for emulator in to_host(emulators, self.broken):
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
        host, self._port = self._runner.addresses[0][:2]
        shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
        self._url = f"http://[{shown}]:{self._port}" if ":" in shown else f"http://{shown}:{self._port}"
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
        self, hosted: Hosted, request: web.BaseRequest, path: str, query: str
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
            return await hosted.answer(translated)
        except Exception:  # noqa: BLE001  a stranger's emulator may raise anything
            _log.exception("The emulator of %s crashed.", path)
            return plain(500, f"The emulator of {path} crashed; its log says why.")


def _is_time(seconds: object) -> bool:
    return isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds < math.inf
