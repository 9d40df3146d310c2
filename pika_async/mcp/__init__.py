"""An MCP server over one client: agents order, look at and fetch videos. Needs the extra `[mcp]`."""

from pika_async.mcp.server import make_server

__all__ = ["make_server"]
