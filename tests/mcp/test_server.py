"""Agents over MCP: the library's own client, on real pipes, against the sandbox."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import asynccontextmanager

import anyio
import pytest

from pika_async.sandbox import Sandbox
from tests.mcp.task_client import TaskClient

mcp = pytest.importorskip("mcp", reason="needs the extra [mcp]")

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sandbox(anyio_backend):
    """Return a provider that counts what is billed."""
    async with Sandbox(render_time=0.2) as sandbox:
        yield sandbox


@pytest.fixture
def agent(sandbox, tmp_path):
    """Return what connects a client to a server of its own, started as an operator starts it."""
    program_words = [sys.executable, "-m", "pika_async", "mcp", "--provider", "acedata"]
    places = ["--ledger", str(tmp_path / "jobs.db"), "--out", str(tmp_path)]

    @asynccontextmanager
    async def connect(*words, extensions=(), **variables):
        program = mcp.StdioServerParameters(
            command="sh",
            args=["-c", 'echo $$ > "$PID_FILE"; exec "$@"', "sh", *program_words, *places, *words],
            env={
                **os.environ,
                **variables,
                "PID_FILE": str(tmp_path / "pid"),
                "ACEDATA_API_KEY": "sandbox-agent",
                "ACEDATA_BASE_URL": sandbox.url,
                "PIKA_ASYNC_MEDIA_HOST": sandbox.media_host,
            },
        )
        with anyio.fail_after(30):
            async with mcp.Client(program, extensions=extensions) as client:
                yield client

    return connect


async def call(client, tool, **arguments):
    """Call a tool, and return what it told, or the text of its error."""
    answer = await client.call_tool(tool, arguments)
    return answer.content[0].text if answer.is_error else answer.structured_content


async def test_an_agent_orders_waits_and_saves(agent, sandbox, tmp_path):
    """Every tool works in a client that knows nothing but tools."""
    async with agent() as client:
        tools = {tool.name for tool in (await client.list_tools()).tools}
        assert tools >= {"submit_video", "look_at_video", "wait_for_video", "list_videos", "download_video"}
        order = await call(client, "submit_video", prompt="A cat")
        ended = await call(client, "wait_for_video", token=order["token"])
        assert ended["state"] == "succeeded"
        assert ended["video_url"].startswith(sandbox.url)
        saved = await call(client, "download_video", token=order["token"], name="cat.mp4")
        assert saved["result"] == str(tmp_path / "cat.mp4")
        assert b"ftyp" in (tmp_path / "cat.mp4").read_bytes()[:16]
        listed = await call(client, "list_videos")
        assert [one["token"] for one in listed["result"]] == [order["token"]]
        assert await call(client, "cancel_video", token=order["token"]) == {"result": "too_late"}


async def test_a_killed_server_never_buys_twice(agent, sandbox, tmp_path):
    """The agent asks its next server for the same video, and gets the order that was paid."""
    async with agent() as client:
        first = await call(client, "submit_video", prompt="A dog")
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        with pytest.raises(mcp.MCPError, match="closed"):
            await call(client, "wait_for_video", token=first["token"])
    async with agent() as client:
        again = await call(client, "submit_video", prompt="A dog")
        assert again["token"] == first["token"]
        assert (await call(client, "wait_for_video", token=first["token"]))["state"] == "succeeded"
        assert (await call(client, "submit_video", prompt="A dog", copy=2))["token"] != first["token"]
    assert sandbox.billed["A dog"] == 2


async def test_the_spending_caps_are_the_operators(agent, sandbox, tmp_path):
    """A model cannot raise them: no tool has them, and the error says that nothing was charged."""
    prices = tmp_path / "prices.toml"
    prices.write_text('[[price]]\nprovider = "acedata"\namount = 0.3\ndate = "2026-11-26"\n')
    async with agent("--max-submits", "1", "--max-cost", "0.5", PIKA_ASYNC_PRICES=str(prices)) as client:
        (quote,) = (await call(client, "quote_video", prompt="One"))["result"]
        assert (quote["amount"], quote["unit"], quote["date"]) == (0.3, "USD", "2026-11-26")
        await call(client, "submit_video", prompt="One")
        refused = await call(client, "submit_video", prompt="Two")
        assert "spending cap" in refused
        assert "Charged: no" in refused
        caps = {"max_submits", "max_cost"}
        assert all(caps.isdisjoint(t.input_schema["properties"]) for t in (await client.list_tools()).tools)
    async with agent("--max-cost", "0.5", PIKA_ASYNC_PRICES=str(prices)) as client:
        assert "max_cost, 0.5 USD" in await call(client, "submit_video", prompt="Two")
        assert "no argument max_cost" in await call(client, "submit_video", prompt="Two", max_cost=9)
    assert sandbox.billed == {"One": 1}


async def test_a_client_that_offers_tasks_gets_a_task(agent):
    """The wait becomes a task, whose result is that of the tool."""
    tasks = TaskClient()
    async with agent(extensions=[tasks]) as client:
        order = await call(client, "submit_video", prompt="A bird")
        ended = await call(client, "wait_for_video", token=order["token"])
        assert ended["state"] == "succeeded"
    assert tasks.seen[0] == "working"
    assert tasks.seen[-1] == "completed"


async def test_a_failed_render_completes_its_task_with_an_error(agent):
    """A task fails for errors of the protocol alone; what the provider says is a result."""
    tasks = TaskClient()
    async with agent(extensions=[tasks]) as client:
        order = await call(client, "submit_video", prompt="A bird sandbox-render-fails")
        assert "Token: " in await call(client, "wait_for_video", token=order["token"])
    assert tasks.seen[-1] == "completed"


async def test_a_server_that_is_killed_leaves_its_tasks_to_the_next(agent, sandbox):
    """The id of a task is the token, so the next server answers for it."""
    async with agent() as client:
        order = await call(client, "submit_video", prompt="A cow")
    tasks = TaskClient()
    async with agent(extensions=[tasks]) as client:
        assert (await call(client, "wait_for_video", token=order["token"]))["state"] == "succeeded"
    assert sandbox.billed == {"A cow": 1}
