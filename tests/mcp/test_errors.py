"""Errors as an agent reads them: what is wrong, whether the order was charged, and its token."""

from __future__ import annotations

import pytest

from pika_async._token import JobToken
from pika_async.results import Task
from pika_async.sandbox import Sandbox
from tests.mcp.task_client import GetParams, GetTask, Seen, TaskClient

mcp = pytest.importorskip("mcp", reason="needs the extra [mcp]")

pytestmark = pytest.mark.anyio


@pytest.fixture
async def sandbox(anyio_backend):
    """Return a provider that counts what is billed."""
    async with Sandbox(render_time=0.01) as sandbox:
        yield sandbox


@pytest.fixture
async def server(sandbox, tmp_path):
    """Return our server, to which an operator has added tools."""
    from mcp.server.mcpserver.exceptions import ToolError

    from pika_async.mcp import make_server

    server = make_server(sandbox.client("acedata", ledger=tmp_path / "jobs.db"), tmp_path)

    @server.tool()
    async def crash(token: str) -> str:
        raise OSError(token)

    @server.tool()
    async def misread(token: str) -> int:
        return token  # what a tool returns is checked only after it did its work

    @server.tool()
    async def refuse() -> str:
        raise ToolError("Not on Sundays.")

    return server


@pytest.fixture
async def agent(server):
    """Return a client of the server, in this process."""
    async with mcp.Client(server) as client:
        yield client


async def told(agent, tool, **arguments):
    """Call a tool that fails, and return the text of its error."""
    answer = await agent.call_tool(tool, arguments)
    assert answer.is_error
    return answer.content[0].text


@pytest.mark.parametrize(
    ("tool", "arguments", "what"),
    [
        (
            "submit_video",
            {"prompt": "A cat", "duration": 10},
            "submit_video has no argument duration; it has",
        ),
        ("submit_video", {}, "prompt: Field required"),
        ("submit_video", {"prompt": "A cat", "seed": "many"}, "seed: Input should be a valid integer"),
        ("submit_video", {"prompt": "A cat", "copy": 0}, "copy: Input should be greater than or equal to 1"),
        ("submit_video", {"prompt": ""}, "prompt must be non-empty text"),
        ("list_videos", {"limit": -1}, "limit: "),
        ("buy_video", {"prompt": "A cat"}, "There is no tool 'buy_video'; the tools are submit_video, "),
        ("wait_for_video", {"token": "cat"}, "That is not a whole job token"),
        ("look_at_video", {"token": ""}, "token must be"),
        ("download_video", {"token": 7}, "token: Input should be a valid string"),
    ],
)
async def test_a_wrong_call_says_that_nothing_was_charged(agent, sandbox, tool, arguments, what):
    """The model reads what is wrong; nothing is bought, not even for an argument that no tool has."""
    text = await told(agent, tool, **arguments)
    assert what in text
    assert "Charged: no. Token: none." in text
    assert "pydantic" not in text
    assert not sandbox.billed.total()


async def test_a_wrong_call_about_an_order_keeps_its_token(agent):
    """The model that made a slip finds the order again, and is not told that the order is free."""
    order = (await agent.call_tool("submit_video", {"prompt": "A cat"})).structured_content
    for tool, arguments in (
        ("wait_for_video", {"seconds": "long"}),
        ("cancel_video", {"remote": True}),
        ("download_video", {"name": "../cat.mp4"}),
    ):
        text = await told(agent, tool, token=order["token"], **arguments)
        assert text.endswith(f"this call did nothing. Charged: unknown. Token: {order['token']}")


async def test_an_order_that_cannot_be_looked_at_here_is_not_called_free(server):
    """Its account is not open in this server, so nobody here knows whether it was charged."""
    token = JobToken(job_id="j1", provider="duomi", label="default", task=Task("t1")).encode()
    async with mcp.Client(server, extensions=[TaskClient()]) as agent:
        text = await told(agent, "look_at_video", token=token)
        assert "open the client with that provider" in text
        assert text.endswith(f"Charged: unknown. Token: {token}")
        with pytest.raises(mcp.MCPError, match=f"Charged: unknown. Token: {token}"):
            await agent.session.send_request(GetTask(params=GetParams(task_id=token)), Seen)


async def test_a_fault_of_the_server_leaves_open_whether_the_order_was_charged(agent):
    """What was not foreseen may have happened after the order; its words stay on the server."""
    order = (await agent.call_tool("submit_video", {"prompt": "A cat"})).structured_content
    for tool in ("crash", "misread"):
        text = await told(agent, tool, token=order["token"])
        assert text == (
            f"{tool} failed in the server itself, whose log says more. Charged: unknown. "
            f"Token: {order['token']}"
        )


async def test_a_tool_that_was_added_says_itself_what_is_wrong(agent):
    """An operator's own tools are no orders of ours."""
    assert (await told(agent, "refuse")).endswith("Not on Sundays.")


async def test_a_refusal_says_that_nothing_was_charged(agent, sandbox):
    """The provider refused the order; the token still leads to what it said."""
    text = await told(agent, "submit_video", prompt="A cat sandbox-moderated")
    assert "Charged: no. Token: pika1." in text
    assert not sandbox.billed.total()


async def test_what_is_no_task_is_told_like_every_error(server):
    """A token that was not copied whole is the tool's error; asked for as a task, one of the protocol."""
    async with mcp.Client(server, extensions=[TaskClient()]) as agent:
        assert (await told(agent, "wait_for_video", token="cat")).endswith("Charged: no. Token: none.")
        with pytest.raises(mcp.MCPError, match=r"Charged: no\. Token: none\."):
            await agent.session.send_request(GetTask(params=GetParams(task_id="cat")), Seen)


async def test_the_schemas_say_that_there_are_no_other_arguments(agent):
    """A client that checks before it calls finds the slip itself."""
    tools = (await agent.list_tools()).tools
    assert all(tool.input_schema["additionalProperties"] is False for tool in tools)


async def test_a_video_is_saved_without_a_name(agent, tmp_path):
    """The next step that a finished order names is a call that works: the file has the id of the order."""
    order = (await agent.call_tool("submit_video", {"prompt": "A cat"})).structured_content
    ended = (await agent.call_tool("wait_for_video", {"token": order["token"]})).structured_content
    assert ended["next_step"] == "Call download_video with the token to keep the file."
    saved = [await agent.call_tool("download_video", {"token": order["token"]}) for _ in range(2)]
    (video,) = tmp_path.glob("*.mp4")
    assert [one.structured_content for one in saved] == [{"result": str(video)}] * 2


async def test_the_reason_of_a_failed_render_is_where_the_next_step_leads(agent):
    """The order that failed says which tool tells why."""
    order = (
        await agent.call_tool("submit_video", {"prompt": "A cat sandbox-render-fails"})
    ).structured_content
    text = await told(agent, "wait_for_video", token=order["token"])
    assert "could not render" in text
    assert text.endswith(f"Token: {order['token']}")
    seen = (await agent.call_tool("look_at_video", {"token": order["token"]})).structured_content
    assert seen["next_step"].startswith("Call wait_for_video with the token to read what went wrong")
