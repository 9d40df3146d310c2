"""The command `mcp`: an MCP server on stdin and stdout for agents."""

from __future__ import annotations

from pathlib import Path

import click

from pika_async import ConfigError
from pika_async.cli._command import command
from pika_async.cli._connection import Connection, connection_options
from pika_async.cli._terminal import run


@command("mcp", "pika-async mcp --provider acedata --max-cost 20 --out videos")
@connection_options
@click.option(
    "--out",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("videos"),
    show_default=True,
    metavar="DIR",
    help="Where agents may save videos; nowhere else.",
)
def mcp(connection: Connection, folder: Path) -> None:
    """Serve agents that speak MCP, on stdin and stdout. They cannot buy more than
    --max-submits, nor spend more than --max-cost.
    """
    try:
        from pika_async.mcp import make_server
    except ModuleNotFoundError as missing:
        raise ConfigError(f"{missing.name} is not installed; install pika-async[mcp].") from None

    folder.mkdir(parents=True, exist_ok=True)

    async def serve() -> None:
        async with connection.client() as pika:
            await make_server(pika, folder).run_stdio_async()

    run(serve())
