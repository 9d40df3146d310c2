"""The tools: quote, order, look, wait, list, download, cancel; over the client and ledger of the operator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated

from mcp.server.mcpserver import Context, MCPServer
from mcp.types import ToolAnnotations
from pydantic import Field

from pika_async import Generate, JobTimeout, Pika, __version__
from pika_async.mcp import told
from pika_async.mcp.errors import ErrorTellingServer
from pika_async.mcp.tasks import Tasks
from pika_async.mcp.told import Priced, Told

_INSTRUCTIONS = """
Every order costs money and takes one to two minutes. Call submit_video once for each wanted video and keep
the token. A repeated call with the same arguments returns the same order and is not charged again. Raise
`copy` only when another video of the same prompt is wanted. Then call wait_for_video until the state is
succeeded or failed. An error says whether money went. After an error that says `Charged: unknown`, never
order again: look at the token.
""".strip()

_ORDERS = ToolAnnotations(read_only_hint=False, idempotent_hint=True, open_world_hint=True)
_SAVES = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=True)
_CANCELS = ToolAnnotations(read_only_hint=False, destructive_hint=True, idempotent_hint=True)
_READS = ToolAnnotations(read_only_hint=True, open_world_hint=True)
_Token = Annotated[str, Field(description="What submit_video or list_videos returned.")]


def make_server(pika: Pika, folder: Path) -> MCPServer[None]:
    """Make an MCP server whose tools use *pika*, which the server opens and closes, and save into *folder*.

    Limits of spending are those of the client (`max_submits`, `max_cost`); no tool can change them.
    """

    @asynccontextmanager
    async def opened(_: MCPServer[None]) -> AsyncIterator[None]:
        async with pika:
            # What an earlier server ordered goes on: its tokens are good, and its tasks come to their end.
            await pika.recover()
            yield

    server = ErrorTellingServer(
        "pika-async",
        version=__version__,
        instructions=_INSTRUCTIONS,
        lifespan=opened,
        extensions=[Tasks(pika)],
        log_level="WARNING",
    )

    @server.tool(annotations=_ORDERS)
    async def submit_video(  # noqa: PLR0917 - a model gives them by name
        prompt: Annotated[str, Field(description="What is to be seen, in words.")],
        negative_prompt: Annotated[str | None, Field(description="What must not appear.")] = None,
        image: Annotated[str | None, Field(description="A link to the image to start from.")] = None,
        aspect_ratio: Annotated[str | None, Field(description="Width to height, 16:9 say.")] = None,
        model: Annotated[str | None, Field(description="The model's version; leave it out.")] = None,
        seed: Annotated[int | None, Field(description="The same seed makes similar videos.", ge=0)] = None,
        copy: Annotated[int, Field(description="Raise it for another video of the same prompt.", ge=1)] = 1,
    ) -> Told:
        """Order one video. Costs money once; the same arguments again return the same order."""
        request = Generate(
            prompt,
            negative_prompt=negative_prompt,
            image=image,
            aspect_ratio=aspect_ratio,
            model=model,
            seed=seed,
        )
        job = await pika.submit(request, idempotency_key=told.order_key(request, copy))
        return told.of_job(job)

    @server.tool(annotations=_READS)
    async def quote_video(
        prompt: Annotated[str, Field(description="What is to be seen, in words.")],
        image: Annotated[str | None, Field(description="A link to the image to start from.")] = None,
        aspect_ratio: Annotated[str | None, Field(description="Width to height, 16:9 say.")] = None,
        model: Annotated[str | None, Field(description="The model's version; leave it out.")] = None,
    ) -> list[Priced]:
        """Say what a video would cost, by provider. Costs nothing, and orders nothing."""
        request = Generate(prompt, image=image, aspect_ratio=aspect_ratio, model=model)
        return [told.of_quote(quote) for quote in await pika.quote(request)]

    @server.tool(annotations=_READS)
    async def look_at_video(token: _Token) -> Told:
        """Look at an order now, without waiting. Costs nothing."""
        job = pika.job(token)
        await job.refresh()
        return told.of_job(job)

    @server.tool(annotations=_READS)
    async def wait_for_video(
        context: Context,
        token: _Token,
        seconds: Annotated[float, Field(description="How long to wait at most.", gt=0, le=900)] = 45,
    ) -> Told:
        """Wait until the video is ready. Costs nothing; call it again when the state is still running."""
        job = pika.job(token)
        try:
            await job.wait(seconds)
        except JobTimeout:
            await context.report_progress(job.progress or 0.0, 1.0)
        return told.of_job(job)

    @server.tool(annotations=_READS)
    async def list_videos(
        limit: Annotated[int, Field(description="How many, newest first.", ge=1, le=100)] = 20,
    ) -> list[Told]:
        """List the newest orders of the ledger, also those of earlier sessions. Costs nothing."""
        return [told.of_job(job) for job in await pika.jobs(limit=limit)]

    @server.tool(annotations=_SAVES)
    async def download_video(
        token: _Token,
        name: Annotated[
            str | None,
            Field(
                description="A file name without folders, such as cat.mp4; else the id of the order.",
                pattern=r"^[\w. -]{1,100}\.mp4$",
            ),
        ] = None,
    ) -> str:
        """Save a finished video in the operator's folder, and return the path. Costs nothing."""
        job = pika.job(token)
        place = folder / (name or told.file_name(job.id))
        saved = await pika.download(job, place, overwrite=name is None)
        return saved.address or str(saved.path)

    @server.tool(annotations=_CANCELS)
    async def cancel_video(token: _Token) -> str:
        """Take back an order that was not sent yet. Returns `unsent` (free) or `too_late` (it goes on)."""
        return (await pika.job(token).cancel()).value

    return server
