"""Waiting as an MCP task, for clients that offer the extension `io.modelcontextprotocol/tasks` (SEP-2663).

The id of a task is the job's token, so a task outlives the server that made it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Literal

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.extension import Extension, MethodBinding
from mcp.shared.exceptions import MCPError
from mcp.types import (
    INVALID_PARAMS,
    CallToolRequestParams,
    CallToolResult,
    RequestParams,
    Result,
    TextContent,
)
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from pika_async import Job, Pika, PikaError, State
from pika_async.mcp import told

IDENTIFIER = "io.modelcontextprotocol/tasks"
_POLL_INTERVAL = 5000
_SEVEN_DAYS = 7 * 24 * 3600 * 1000


class TaskParams(RequestParams):
    """Which task is meant."""

    task_id: str


class Task(Result):
    """The state of a task on the wire; *result* is there once it is completed."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    result_type: Literal["task", "complete"] = "complete"
    task_id: str
    status: Literal["working", "completed", "cancelled"]
    status_message: str | None = None
    created_at: str
    last_updated_at: str
    ttl_ms: int | None = _SEVEN_DAYS
    poll_interval_ms: int = _POLL_INTERVAL
    result: dict[str, Any] | None = None


class Tasks(Extension):
    """Answers `wait_for_video` with a task at once, where the client offers tasks."""

    identifier = IDENTIFIER

    def __init__(self, pika: Pika) -> None:
        self._pika = pika

    def methods(self) -> list[MethodBinding]:
        """Serve what clients ask of a task."""
        return [
            MethodBinding("tasks/get", TaskParams, self._get),
            MethodBinding("tasks/update", TaskParams, self._update),
            MethodBinding("tasks/cancel", TaskParams, self._cancel),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: ServerRequestContext[Any, Any], call_next: CallNext
    ) -> HandlerResult:
        """Return a task in place of a long wait; every other call goes on unchanged."""
        token = (params.arguments or {}).get("token")
        if params.name != "wait_for_video" or not isinstance(token, str) or not _offers_tasks(ctx):
            return await call_next(ctx)
        if not told.is_whole(token):
            return await call_next(ctx)
        job = self._job(token)
        if job.state in {State.SUCCEEDED, State.FAILED}:
            return await call_next(ctx)
        return _working(job, result_type="task")

    def _job(self, token: str) -> Job:
        with _errors_told(token):
            return self._pika.job(token)

    async def _get(self, _: ServerRequestContext[Any, Any], params: TaskParams) -> Task:
        job = self._job(params.task_id)
        try:
            if job.state in {State.QUEUED, State.RUNNING}:
                await job.refresh()
            if job.state in {State.QUEUED, State.RUNNING}:
                return _working(job)
            await job.wait(0)
        except PikaError as error:
            return _completed(job, told.of_error(error, job.token), failed=True)
        return _completed(job, told.of_job(job).model_dump_json(exclude_none=True))

    async def _update(self, _: ServerRequestContext[Any, Any], params: TaskParams) -> Result:
        self._job(params.task_id)
        return Result()

    async def _cancel(self, _: ServerRequestContext[Any, Any], params: TaskParams) -> Result:
        job = self._job(params.task_id)
        with _errors_told(job.token):
            await job.cancel()
        return Result()


@contextmanager
def _errors_told(token: str) -> Iterator[None]:
    try:
        yield
    except PikaError as error:
        message = told.of_error(error, token if told.is_whole(token) else None)
        raise MCPError(INVALID_PARAMS, message) from error


def _offers_tasks(ctx: ServerRequestContext[Any, Any]) -> bool:
    offered = ctx.session.client_capabilities
    return offered is not None and IDENTIFIER in (getattr(offered, "extensions", None) or {})


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _working(job: Job, result_type: Literal["task", "complete"] = "complete") -> Task:
    progress = "" if job.progress is None else f", {job.progress:.0%} rendered"
    return Task(
        result_type=result_type,
        task_id=job.token,
        status="working",
        status_message=f"{job.state.value} on {job.provider}{progress}",
        created_at=_now(),
        last_updated_at=_now(),
    )


def _completed(job: Job, text: str, *, failed: bool = False) -> Task:
    structured = None if failed else json.loads(text)
    answer = CallToolResult(
        content=[TextContent(type="text", text=text)], structured_content=structured, is_error=failed
    )
    return Task(
        task_id=job.token,
        status="completed",
        created_at=_now(),
        last_updated_at=_now(),
        result=answer.model_dump(by_alias=True, mode="json", exclude_none=True),
    )
