"""Where errors become results: each says what is wrong, whether the order was charged, and its token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.types import CallToolResult, InputRequiredResult, Tool
from pydantic import ValidationError

from pika_async import PikaError
from pika_async.mcp import told


class ErrorTellingServer(MCPServer[None]):
    """A server whose tools raise `PikaError`; no argument that a tool does not have is passed over."""

    async def list_tools(self) -> list[Tool]:
        """List the tools; their schemas say that they take nothing else."""
        tools = await super().list_tools()
        for tool in tools:
            tool.input_schema = {**tool.input_schema, "additionalProperties": False}
        return tools

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[None, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool; raises `ToolError`, whose text says whether the order was charged, and its token."""
        known = {tool.name: tool.input_schema.get("properties", {}) for tool in await self.list_tools()}
        if name not in known:
            raise _refused(f"There is no tool {name!r}; the tools are {', '.join(known)}.", arguments)
        if unknown := [argument for argument in arguments if argument not in known[name]]:
            raise _refused(
                f"{name} has no argument {', '.join(unknown)}; it has {', '.join(known[name])}.", arguments
            )
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            match error.__cause__:
                case PikaError() as cause:
                    raise ToolError(told.of_error(cause, _token(arguments))) from cause
                # What a tool returns is checked as well, after it did its work.
                case ValidationError() as cause if not isinstance(error, UnexpectedToolError):
                    wrong = "; ".join(f"{_place(one['loc'])}: {one['msg']}" for one in cause.errors())
                    raise _refused(f"The arguments of {name} are wrong: {wrong}.", arguments) from cause
                case ToolError():
                    raise  # of a tool that was added to ours, and that says itself what is wrong
                case cause:
                    # The same class: the server logs what was not foreseen with its traceback.
                    message = f"{name} failed in the server itself, whose log says more."
                    raise type(error)(
                        told.of_trouble(message, charged="unknown", token=_token(arguments))
                    ) from cause


def _refused(message: str, arguments: Mapping[str, Any]) -> ToolError:
    token = _token(arguments)
    message = f"{message} Correct it; this call did nothing."
    return ToolError(told.of_trouble(message, charged="no" if token is None else "unknown", token=token))


def _token(arguments: Mapping[str, Any]) -> str | None:
    token = arguments.get("token")
    return token if isinstance(token, str) and told.is_whole(token) else None


def _place(parts: tuple[int | str, ...]) -> str:
    return ".".join(map(str, parts))
