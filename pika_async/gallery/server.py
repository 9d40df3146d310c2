"""The gallery over HTTP, on this machine only: the page, its changes, and the media that its rows name."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Final, Self

from aiohttp import web

from pika_async.batch.entry import IMAGE_TYPES, VIDEO_TYPES
from pika_async.batch.manifest import MANIFEST
from pika_async.errors import ConfigError
from pika_async.gallery.folder import PAGE, read_rows, title_of, within
from pika_async.gallery.page import Live, content_policy, render_card, render_page, render_summary
from pika_async.gallery.row import Row, Summary

_NEWS: Final = "rows.json"
_REVISION: Final = re.compile(r"[0-9]{1,18}")
_TYPES: Final = VIDEO_TYPES | IMAGE_TYPES
_HEADERS: Final = {
    "Content-Security-Policy": content_policy(live=True) + "; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
}

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class GalleryServer:
    """A server for *folder*'s gallery on 127.0.0.1, which shows a running batch live.

    It serves the page and the media that rows of the manifest name, to this machine only. It serves neither
    the manifest nor a ledger, nor anything outside the folder. *port* 0 takes a free one.

        async with GalleryServer("videos") as server:
            webbrowser.open(server.url)
    """

    def __init__(self, folder: str | os.PathLike[str], *, port: int = 0) -> None:
        self._folder = Path(folder).resolve()
        self._rows = _Rows(self._folder)
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The address of the gallery; raises `ConfigError` before `start`."""
        if self._runner is None or not self._runner.addresses:
            raise ConfigError("The gallery has no address yet; start it first, or use `async with`.")
        return f"http://127.0.0.1:{self._runner.addresses[0][1]}/"

    async def start(self) -> None:
        """Listen; raises OSError when the port is taken."""
        app = web.Application(middlewares=[_our_host_only])
        app.router.add_get("/", self._page)
        app.router.add_get(f"/{PAGE}", self._page)
        app.router.add_get(f"/{_NEWS}", self._news)
        app.router.add_get("/{path:.+}", self._file)
        app.on_response_prepare.append(_add_headers)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.02)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Close, and end requests under way."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def _page(self, _: web.Request) -> web.Response:
        await self._rows.refresh()
        live = Live(_NEWS, self._rows.revision)
        html = render_page(self._rows.all, title_of(self._folder), live=live)
        return _body(html, "text/html")

    async def _news(self, request: web.Request) -> web.Response:
        await self._rows.refresh()
        known = _REVISION.fullmatch(request.query.get("after", ""))
        changed = self._rows.after(int(known[0]) if known else 0)
        summary = Summary.of(self._rows.all)
        news = {
            "revision": self._rows.revision,
            "finished": summary.finished,
            "summary": render_summary(summary),
            "cards": [{"number": row.number, "html": render_card(row)} for row in changed],
        }
        return _body(json.dumps(news), "application/json")

    async def _file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["path"]
        if name not in self._rows.media:
            await self._rows.refresh()
        content_type = _TYPES.get(Path(name).suffix.lower())
        path = await asyncio.to_thread(within, self._folder, name) if name in self._rows.media else None
        if path is None or content_type is None:
            raise web.HTTPNotFound
        return web.FileResponse(path, headers={"Content-Type": content_type})


class _Rows:
    """The rows as last read, each with the revision at which it last changed."""

    def __init__(self, folder: Path) -> None:
        # The clock's start makes every row a change for a page that an earlier server sent.
        self.revision = int(time.time() * 1000)
        self._folder = folder
        self._rows: dict[int, tuple[Row, int]] = {}
        self._seen: tuple[int, int, int] | None = None
        self._lock = asyncio.Lock()
        self.media: frozenset[str] = frozenset()

    @property
    def all(self) -> list[Row]:
        return [row for row, _ in self._rows.values()]

    def after(self, revision: int) -> Iterable[Row]:
        """Return the rows that changed after *revision*; all rows if the revision is not one of ours."""
        known = revision if revision <= self.revision else 0
        return [row for row, changed in self._rows.values() if changed > known]

    async def refresh(self) -> None:
        """Read the manifest again if it has changed."""
        async with self._lock:
            seen = await asyncio.to_thread(_stamp, self._folder / MANIFEST)
            if seen == self._seen:
                return
            rows = await asyncio.to_thread(read_rows, self._folder)
            self._seen = seen
            self.revision += 1
            old = self._rows
            self._rows = {
                row.number: old[row.number]
                if row.number in old and old[row.number][0] == row
                else (row, self.revision)
                for row in rows
            }
            self.media = frozenset(name for row in rows for name in (row.file, row.poster) if name)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _body(text: str, content_type: str) -> web.Response:
    return web.Response(body=text.encode("utf-8", "replace"), content_type=content_type, charset="utf-8")


async def _add_headers(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(_HEADERS)


@web.middleware
async def _our_host_only(request: web.Request, handler: _Handler) -> web.StreamResponse:
    """Refuse other host names: a web page could point its own name at us and read the gallery."""
    host = request.host.rpartition(":")[0] or request.host
    if host not in {"127.0.0.1", "localhost"}:
        raise web.HTTPForbidden(text="This gallery answers at 127.0.0.1 only; open the address it printed.")
    return await handler(request)
