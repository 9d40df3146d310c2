"""Every code block of docs/callbacks.md does what the page says; only addresses are the test's own."""

from __future__ import annotations

import asyncio
import logging
import re
import shlex
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from pika_async import Pika
from pika_async._client import engine_of
from pika_async._token import JobToken
from pika_async.callbacks import Callbacks
from pika_async.callbacks.token import make_token
from pika_async.results import Task
from pika_async.sandbox import Sandbox
from tests.callbacks.conftest import listening, running

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parent.parent.joinpath("docs", "callbacks.md").read_text("utf-8")


def blocks(language, heading):
    """Return the code blocks in *language* under *heading*."""
    section = PAGE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)


def run(code, **addresses):
    """Run a block with the addresses of the test, and return its names."""
    names = {"__name__": "documented"}
    for documented, ours in addresses.values():
        assert documented in code
        code = code.replace(documented, ours)
    exec(compile(code, "docs/callbacks.md", "exec"), names)
    return names


@pytest.fixture
async def sandbox(anyio_backend, tmp_path, monkeypatch):
    """Return a provider that the environment leads to, as a user does; files go to a folder of the test."""
    monkeypatch.chdir(tmp_path)
    async with Sandbox(render_time=0.1) as sandbox:
        monkeypatch.setenv("ACEDATA_API_KEY", "sandbox-docs")
        monkeypatch.setenv("ACEDATA_BASE_URL", sandbox.url)
        yield sandbox


def look_ups(sandbox):
    return sandbox.requests["POST", "/pika/tasks"]


@asynccontextmanager
async def the_fastapi_application():
    """Serve the page's module under uvicorn; yields the module's app, a way to serve it, and its address."""
    (code,) = blocks("python", "In a FastAPI or Starlette application")
    with listening() as listener:
        home = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = run(code, public=("https://app.example.com", home))["app"]
        async with running(app, listener, lifespan="on"), aiohttp.ClientSession(home) as session:
            yield app, session


async def test_the_fastapi_application(sandbox):
    """It buys, receives the callback under uvicorn, and returns the video for the application's own id."""
    async with the_fastapi_application() as (_, session):
        async with session.post("/videos", params={"prompt": "a cat"}) as answer:
            order = await answer.json()
        async with session.get(f"/videos/{order}") as answer:
            video = await answer.json()
    assert video["video_url"].endswith(".mp4")
    assert set(video) == {"id", "video_url", "image_url", "duration", "state"}
    assert not order.startswith("pika1.")
    assert sandbox.billed == {"a cat": 1}
    assert look_ups(sandbox) == 1


async def test_the_fastapi_application_knows_its_own_ids_only(sandbox):
    """Visitors who make up job tokens cost no look-up and take no slot."""
    async with the_fastapi_application() as (app, session):
        for number in range(40):
            token = JobToken(job_id=f"j{number}", provider="acedata", task=Task(f"t{number}")).encode()
            async with session.get(f"/videos/{token}") as answer:
                assert answer.status == 404
        assert app.state.pika.stats()["acedata:default"].in_flight == 0
    assert look_ups(sandbox) == 0


async def test_the_fastapi_application_starts_again(sandbox):
    """A second lifespan of the same module has a client and a receiver of its own, and the same orders."""
    (code,) = blocks("python", "In a FastAPI or Starlette application")
    orders = []
    with listening() as listener:
        home = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = run(code, public=("https://app.example.com", home))["app"]
        for _ in range(2):
            async with running(app, listener.dup(), lifespan="on"), aiohttp.ClientSession(home) as session:
                async with session.post("/videos", params={"prompt": "a cat"}) as answer:
                    orders.append(await answer.json())
                for order in orders:
                    async with session.get(f"/videos/{order}") as answer:
                        assert (await answer.json())["video_url"].endswith(".mp4")
                assert app.state.pika.callbacks.received == 1
    assert sandbox.billed == {"a cat": 2}


async def test_the_aiohttp_application(sandbox):
    """The client lives as long as the application, which receives its callbacks; another one may follow."""
    (code,) = blocks("python", "In an aiohttp application")
    with listening() as first, listening() as second:
        for listener, served in ((first, 1), (second, 2)):
            home = f"http://127.0.0.1:{listener.getsockname()[1]}"
            names = run(code, public=("https://app.example.com", home))
            app = names["make_app"]()
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.02)
            await runner.setup()
            try:
                await web.SockSite(runner, listener).start()
                assert (await app[names["PIKA"]].generate("a cat")).video_url
            finally:
                await runner.cleanup()
            assert look_ups(sandbox) == served


@asynccontextmanager
async def command(line):
    """Run a documented command until the block ends; gives the address that it prints."""
    program, *arguments = shlex.split(line)
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name(program)), *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        said = (await process.stdout.readline()).decode()
        yield re.search(r"http://\S+", said)[0]
    finally:
        process.kill()
        await process.wait()
        process._transport.close()


async def test_the_stand_alone_receiver(sandbox, capsys):
    """`listen` receives in a process of its own; the script beside it has the video, for one look."""
    (line,) = blocks("console", "Stand-alone")
    (code,) = blocks("python", "Stand-alone")
    assert "8766" in line
    async with command(line.removeprefix("$ ").replace("8766", "0")) as home:
        await run(code, public=("https://callbacks.example.com", home))["main"]()
    assert capsys.readouterr().out.strip().endswith(".mp4")
    assert look_ups(sandbox) == 1


def test_the_proxy_lets_through_what_we_take():
    """Nginx's limit is the receiver's, and its log is off."""
    (configuration,) = blocks("nginx", "Behind a proxy or tunnel")
    assert "client_max_body_size 1m;" in configuration
    assert Callbacks(public_url="https://app.example.com").max_body == 1024 * 1024
    assert "access_log off;" in configuration


async def test_rotating_secrets(sandbox, monkeypatch):
    """The new secret signs, and the old one still verifies."""
    monkeypatch.setenv("PIKA_CALLBACK_SECRET", "the new secret of the page")
    monkeypatch.setenv("PIKA_OLD_CALLBACK_SECRET", "the old secret of the page")
    (code,) = blocks("python", "Secrets, and rotating them")
    callbacks = run(code)["callbacks"]
    async with Pika("acedata", callbacks=callbacks) as pika:
        assert engine_of(pika).addresses.token("a-1-b") == make_token(b"the new secret of the page", "a-1-b")
        handler = pika.callbacks._opened.handler
        for secret in (b"the new secret of the page", b"the old secret of the page"):
            assert handler.admit("POST", f"/pika/{make_token(secret, 'a-1-b')}", {}) == "a-1-b"


def test_access_logs_without_tokens(caplog):
    """The documented filter takes tokens out of uvicorn's lines and of aiohttp's."""
    (code,) = blocks("python", "Logs")
    names = run(code)
    token = make_token(b"a secret of the tests", "a-1-b")
    loggers = [logging.getLogger("uvicorn.access"), logging.getLogger("aiohttp.access")]
    try:
        with caplog.at_level(logging.INFO):
            line = ("127.0.0.1:1", "POST", f"/pika/{token}", "1.1", 200)
            loggers[0].info('%s - "%s %s HTTP/%s" %d', *line)
            loggers[1].info('%s "%s" %s', "127.0.0.1", f"POST /pika/{token} HTTP/1.1", 200)
    finally:
        for logger in loggers:
            logger.removeFilter(names["hide_tokens"])
    assert len(caplog.messages) == 2
    assert token not in caplog.text
    assert "/pika/***" in caplog.text
