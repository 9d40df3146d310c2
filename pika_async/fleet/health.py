"""What an orchestrator asks of a worker: `/healthz`, whether it runs, and `/readyz`, whether it works."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from pika_async.errors import ConfigError


@asynccontextmanager
async def answering(address: str, ready: Callable[[], Awaitable[str | None]]) -> AsyncIterator[str]:
    """Answer at *address*, `host:port`; *ready* returns why the worker does not work, None if it does."""

    async def healthz(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        why = await ready()
        return web.Response(text=f"{why or 'ok'}\n", status=200 if why is None else 503)

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    host, _, port = address.rpartition(":")
    if not port.isdigit():
        raise ConfigError(f"The health address {address!r} must be host:port, such as 127.0.0.1:8080.")
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host or "127.0.0.1", int(port))
        try:
            await site.start()
        except OSError as error:
            raise ConfigError(f"{address} cannot be used ({error.strerror}); choose another.") from None
        bound, chosen = runner.addresses[0][:2]
        yield f"http://{bound}:{chosen}"
    finally:
        await runner.cleanup()
