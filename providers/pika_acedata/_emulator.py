"""AceData Cloud's side of the wire as its documents tell it, for the sandbox; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import frozen

from pika_acedata import _answers_shown, _documents, _requests_shown
from pika_acedata._errors import ERRORS, refusals
from pika_acedata._fields import invalid
from pika_async.provider import (
    JSON,
    Example,
    Held,
    HttpRequest,
    HttpResponse,
    Json,
    Outcome,
    PikaError,
    World,
)

_API_ID: Final = "05b5a06a-1c3c-42a1-a09e-8c5d245e8468"
_APPLICATION_ID: Final = "c885f188-fda1-4cb9-a15e-d29ba3e62716"
_CREDENTIAL_ID: Final = "b54d36d2-bbf2-4a9a-9da5-c64ac04398a1"
_USER_ID: Final = "ad7afe47-cea9-4cda-980f-2ad8810e51cf"

_HELD_STATUS: Final[Mapping[Outcome | None, int]] = {Outcome.RENDER_FAILS: 500, Outcome.MODERATED_LATE: 403}

_GATEWAY_PATIENCE: Final = 10
"""Renders after which a held line that got no answer ends with 504."""

_NAMES: Final = (
    "action prompt negative_prompt model aspect_ratio image_url video_url effect "
    "ingredients ingredients_mode async callback_url id ids limit offset type "
    "created_at_min created_at_max trace_id"
)


@frozen(kw_only=True)
class _Task:
    id: str
    trace_id: str
    video_id: str
    created_at: float
    done_at: float
    outcome: Outcome | None
    request: Mapping[str, JSON]


class AceDataEmulator:
    """Answer as AceData Cloud is documented to; keys that begin with `sandbox` are good."""

    paths = ("/pika/",)
    names = frozenset(_NAMES.split())

    def refusals(self) -> Iterator[tuple[HttpResponse, type[PikaError]]]:
        """Return the documented refusals of a submit, and what each means."""
        return refusals()

    def examples(self, provider: Any, /) -> Iterator[Example]:
        """Return what the documents show of requests and answers."""
        return chain(_requests_shown.examples(provider), _answers_shown.examples(provider))

    def limits(self, _provider: Any, /) -> Mapping[str, object]:
        """Return what the documents say of capabilities."""
        return _documents.LIMITS

    def answer(self, request: HttpRequest, world: World, /) -> HttpResponse | Held:
        path = urlsplit(request.url).path
        if request.method != "POST" or path not in {"/pika/videos", "/pika/tasks"}:
            return _refuse("no_api", world)
        authorization = request.headers.get("authorization")
        if not authorization:
            return _refuse("no_token", world)
        if not str(authorization).startswith("Bearer sandbox"):
            return _refuse("invalid_token", world)
        match request.body:
            case Json(value=body) if path == "/pika/videos":
                return _submit(body, world)
            case Json(value=body):
                return _look_up(body, world)
            case _:
                return _refuse("bad_request", world, "the body must be a JSON object")


def _submit(body: Mapping[str, Any], world: World) -> HttpResponse | Held:
    if why := invalid(body):
        return _refuse("bad_request", world, why)
    outcome = Outcome.chosen_by(body["prompt"])
    match outcome:
        case Outcome.MODERATED:
            return _refuse("forbidden", world)
        case Outcome.NO_BALANCE:
            return _refuse("used_up", world)
        case Outcome.RATE_LIMITED:
            return _refuse("too_many_requests", world)
        case Outcome.RETRY_AFTER:
            return _refuse("too_many_requests", world, headers={"retry-after": "2"})
        case Outcome.SERVER_ERROR:
            return _refuse("api_error", world)
        case Outcome.HTML:
            page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            return HttpResponse(status=502, headers={"content-type": "text/html"}, body=page)
        case _:
            return _accept(body, outcome, world)


def _accept(body: Mapping[str, Any], outcome: Outcome | None, world: World) -> HttpResponse | Held:
    now, render_time = world.now, world.render_time
    ends = outcome is not Outcome.NEVER_FINISHES
    task = _Task(
        id=world.new_id(),
        trace_id=world.new_id(),
        video_id=world.new_id(),
        created_at=now,
        done_at=now + render_time if ends else float("inf"),
        outcome=outcome,
        request=body,
    )
    world.tasks[task.id] = task
    world.bill(body["prompt"])
    callback_url = body.get("callback_url")
    if callback_url and ends:
        world.call_back(callback_url, _result(task, world), at=task.done_at)
    if outcome is Outcome.DROPPED:
        return Held(until=now)
    if callback_url or body.get("async"):
        return _json(200, {"task_id": task.id})
    if not ends:
        return Held(until=now + _GATEWAY_PATIENCE * render_time, answer=lambda: _refuse("timeout", world))
    return Held(
        until=task.done_at, answer=lambda: _json(_HELD_STATUS.get(outcome, 200), _result(task, world))
    )


def _look_up(body: Mapping[str, Any], world: World) -> HttpResponse:
    tasks: list[_Task]
    match body.get("action", "retrieve"), body:
        case "retrieve", {"trace_id": str(trace_id)}:
            tasks = [task for task in world.tasks.values() if task.trace_id == trace_id]
        case "retrieve", {"id": str(id)}:
            tasks = [world.tasks[id]] if id in world.tasks else []
        case "retrieve_batch", {"ids": list(ids)}:
            # The documents promise no order and no completeness, so neither may be relied upon.
            wanted = dict.fromkeys(task_id for task_id in reversed(ids) if isinstance(task_id, str))
            return _items([world.tasks[known] for known in wanted if known in world.tasks], world)
        case "retrieve_batch", _:
            return _history(body, world)
        case "delete", {"id": str(id)}:
            return _json(200, {"id": id, "deleted": world.tasks.pop(id, None) is not None})
        case _:
            return _refuse("bad_request", world, "action must be retrieve with an id, or retrieve_batch")
    return _json(200, _record(tasks[0], world) if tasks else {})


def _history(body: Mapping[str, Any], world: World) -> HttpResponse:
    """Return a page of tasks, newest first; *count* is the number of the whole history that matches."""
    since, until = body.get("created_at_min", 0), body.get("created_at_max", float("inf"))
    limit, offset = body.get("limit", 20), body.get("offset", 0)
    if not all(isinstance(bound, int | float) for bound in (since, until)):
        return _refuse("bad_request", world, "created_at_min and created_at_max must be seconds")
    if not all(isinstance(number, int) and number >= 0 for number in (limit, offset)):
        return _refuse("bad_request", world, "limit and offset must be whole numbers")
    matching: list[_Task] = []
    if body.get("type", "videos") == "videos":
        tasks: list[_Task] = [*world.tasks.values()]
        matching = [task for task in reversed(tasks) if since <= task.created_at <= until]
    return _items(matching[offset : offset + limit], world, count=len(matching))


def _items(tasks: list[_Task], world: World, count: int | None = None) -> HttpResponse:
    items: list[JSON] = [_record(task, world) for task in tasks]
    return _json(200, {"items": items, "count": len(items) if count is None else count})


def _record(task: _Task, world: World) -> dict[str, JSON]:
    record: dict[str, JSON] = {
        "_id": task.id.replace("-", "")[:24],
        "id": task.id,
        "api_id": _API_ID,
        "application_id": _APPLICATION_ID,
        "created_at": task.created_at,
        "credential_id": _CREDENTIAL_ID,
        "request": task.request,
        "trace_id": task.trace_id,
        "user_id": _USER_ID,
    }
    return {**record, "response": _result(task, world)} if world.now >= task.done_at else record


def _result(task: _Task, world: World) -> dict[str, JSON]:
    """Return the one body that the held answer, the callback and the look-up's `response` share."""
    body: dict[str, JSON] = {"success": True, "task_id": task.id, "trace_id": task.trace_id}
    match task.outcome:
        case Outcome.RENDER_FAILS | Outcome.MODERATED_LATE as outcome:
            code = "api_error" if outcome is Outcome.RENDER_FAILS else "forbidden"
            return {**body, "success": False, "error": {"code": code, "message": ERRORS[code][1]}}
        case outcome:
            linked = outcome is not Outcome.NO_LINK
            video: dict[str, JSON] = {
                "id": task.video_id,
                "video_url": world.media_url("video.mp4", task.id) if linked else None,
                "image_url": world.media_url("poster.jpg", task.id) if linked else None,
                "duration": 5,
                "state": "succeeded",
            }
            return {**body, "data": [video]}


def _refuse(
    code: str, world: World, why: str | None = None, *, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    status, message = ERRORS[code]
    error: JSON = {"code": code, "message": f"{message}: {why}" if why else message}
    body: dict[str, JSON] = {"error": error, "trace_id": world.new_id()}
    return _json(status, {"success": False, **body} if code == "api_error" else body, headers)


def _json(status: int, body: Mapping[str, JSON], headers: Mapping[str, str] | None = None) -> HttpResponse:
    return HttpResponse(
        status=status,
        headers={"content-type": "application/json", **(headers or {})},
        body=json.dumps(body, ensure_ascii=False).encode(),
    )
