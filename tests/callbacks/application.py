"""Real applications with a client and its receiver inside, and providers that are done in a moment."""

from __future__ import annotations

from contextlib import asynccontextmanager

from aiohttp import web
from attrs import evolve
from fastapi import FastAPI

from pika_acedata import AceData
from pika_async import Generate, Pika
from pika_async.callbacks import Callbacks
from pika_duomi import Duomi
from tests.callbacks.conftest import listening, running


class QuickAceData(AceData):
    """Renders in a moment, so that the net is out early."""

    capabilities = evolve(AceData.capabilities, render_time=0.1)


class QuickDuomi(Duomi):
    """As quick."""

    capabilities = evolve(Duomi.capabilities, render_time=0.1)


def quick(sandbox):
    """Return both providers; who leaves the seed out gets AceData."""
    return [kind(api_key="sandbox", base_url=sandbox.url) for kind in (QuickAceData, QuickDuomi)]


def patient(sandbox):
    """Return providers whose net comes out after minutes: what ends is ended by a callback."""
    return [kind(api_key="sandbox", base_url=sandbox.url) for kind in (AceData, Duomi)]


def orders(count, prompt="A cat surfing at sunset"):
    """Return *count* requests in turn for AceData and for Duomi, who alone takes a seed."""
    return [Generate(f"{prompt}, number {n}", seed=n if n % 2 else None) for n in range(count)]


@asynccontextmanager
async def aiohttp_application(pika, listener):
    """Serve *pika*'s receiver in an aiohttp application, as docs/callbacks.md has it."""
    app = web.Application()
    app.add_subapp("/pika", pika.callbacks.aiohttp())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.02)
    await runner.setup()
    await web.SockSite(runner, listener, backlog=1024).start()
    try:
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def fastapi_application(pika, listener):
    """Serve *pika*'s receiver in a FastAPI application under uvicorn."""
    app = FastAPI()
    app.mount("/pika", pika.callbacks.asgi())
    async with running(app, listener, backlog=1024):
        yield


APPLICATIONS = {"aiohttp": aiohttp_application, "fastapi": fastapi_application}


@asynccontextmanager
async def application(providers, kind="aiohttp", *, callbacks=None, **options):
    """Open a client of *providers* in an application; its callbacks go there."""
    with listening() as listener:
        public_url = f"http://127.0.0.1:{listener.getsockname()[1]}/pika"
        options = {"poll_rate": None, "poll_interval": 0.02, "max_concurrency": 1000, **options}
        receiving = Callbacks(public_url=public_url, **(callbacks or {}))
        pika = Pika(*providers, callbacks=receiving, **options)
        async with pika, APPLICATIONS[kind](pika, listener):
            yield pika
