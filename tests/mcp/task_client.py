"""A client's half of the tasks extension, as an agent's framework brings it: it polls until the task ends."""

from __future__ import annotations

from typing import Literal

import anyio
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp.types import CallToolResult, Request, RequestParams, Result
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel


class Created(Result):
    """What the server answers in place of a result."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    result_type: Literal["task"] = "task"
    task_id: str
    status: str
    result: dict | None = None


class Seen(Created):
    """What `tasks/get` answers."""

    result_type: Literal["complete"] = "complete"


class GetParams(RequestParams):
    """Which task is asked for."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    task_id: str


class GetTask(Request[GetParams, Literal["tasks/get"]]):
    """Asks for the state of a task."""

    method: Literal["tasks/get"] = "tasks/get"
    params: GetParams
    name_param = "taskId"


class TaskClient(ClientExtension):
    """Resolves tasks; *seen* are the states it met."""

    identifier = "io.modelcontextprotocol/tasks"

    def __init__(self) -> None:
        self.seen: list[str] = []

    def claims(self):
        """Take results that are tasks."""
        return [ResultClaim(result_type="task", model=Created, resolve=self._resolve)]

    async def _resolve(self, created: Created, context: ClaimContext) -> CallToolResult:
        self.seen.append(created.status)
        while True:
            task = await context.session.send_request(
                GetTask(params=GetParams(task_id=created.task_id)), Seen
            )
            self.seen.append(task.status)
            if task.status != "working":
                return CallToolResult.model_validate(task.result)
            await anyio.sleep(0.05)
