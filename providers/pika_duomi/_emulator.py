"""Duomi's side of the wire as its documents and working clients tell it, for the sandbox; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from attrs import frozen

from pika_async.provider import (
    JSON,
    AuthError,
    ContentBlocked,
    Example,
    Form,
    Held,
    HttpRequest,
    HttpResponse,
    InsufficientBalance,
    Json,
    Outcome,
    PikaError,
    RateLimited,
    SubmitRefused,
    SubmitUnknown,
    World,
)
from pika_duomi import _answers_shown, _documents, _requests_shown
from pika_duomi._fields import invalid

_POINTS: Final = 300
_MEANINGS: Final[tuple[tuple[type[PikaError], int, str], ...]] = (
    (AuthError, 400, "没有权限 KEY错误 密钥无效 token无效 未授权"),
    (InsufficientBalance, 400, "点数不够 余额不够 积分不足"),
    (ContentBlocked, 400, "内容违规 敏感内容 审核未通过"),
    (RateLimited, 400, "请求频繁 频率过高 已限流 请求过快"),
    (SubmitRefused, 400, "prompt不能为空"),
    (SubmitRefused, 404, "接口不存在"),
    (AuthError, 401, "失败"),
    (RateLimited, 429, "失败"),
    (SubmitUnknown, 500, "系统错误"),
    (SubmitUnknown, 200, "成功"),
)
_ALL_POINTS: Final = 100_000_000
_QUEUED: Final = 0.2
"""The part of a render that a task spends in the queue."""

_NAMES: Final = (
    "key prompt negativePrompt model ratio options frameRate camera pan tilt rotate zoom "
    "parameters guidanceScale motion seed style image video sfx callback_url task_id"
)


@frozen(kw_only=True)
class _Task:
    id: str
    prompt: str
    created_at: float
    render_time: float
    outcome: Outcome | None

    def status(self, now: float) -> Literal["0", "1", "2", "3"]:
        """Return the older of Duomi's two words: 0 waits, 1 works, 2 failed, 3 done."""
        if now < self.created_at + _QUEUED * self.render_time:
            return "0"
        if self.outcome is Outcome.NEVER_FINISHES or now < self.created_at + self.render_time:
            return "1"
        return "2" if self.outcome in {Outcome.RENDER_FAILS, Outcome.MODERATED_LATE} else "3"


class DuomiEmulator:
    """Answer as Duomi is documented to; keys that begin with `sandbox` are good."""

    paths = ("/api/",)
    names = frozenset(_NAMES.split())

    def refusals(self) -> Iterator[tuple[HttpResponse, type[PikaError]]]:
        """Return the documented refusals of a submit, and what each means."""
        for error, code, words in _MEANINGS:
            for word in words.split():
                yield _envelope(code, word), error

    def examples(self, provider: Any, /) -> Iterator[Example]:
        """Return what the documents show of requests and answers."""
        return chain(_requests_shown.examples(provider), _answers_shown.examples(provider))

    def limits(self, _provider: Any, /) -> Mapping[str, object]:
        """Return what the documents say of capabilities."""
        return _documents.LIMITS

    def answer(self, request: HttpRequest, world: World, /) -> HttpResponse | Held:
        body: Mapping[str, Any] = {}
        match request.body:
            case Json(value=fields) | Form(fields=fields):
                body = fields
        match request.method, urlsplit(request.url).path:
            case "POST", "/api/video/pika/pro/generate":
                return _unknown_key(body, request) or _submit(body, world)
            case "POST", "/api/video/pika/feed":
                return _unknown_key(body, request) or _feed(body.get("task_id"), world)
            case "GET", "/api/video/pika/feed":
                return _unknown_key({}, request) or _feed(request.query.get("task_id"), world)
            case "GET", "/api/account/get":
                return _unknown_key({}, request) or _account(world)
            case _:
                return _envelope(404, "接口不存在", status=404)


def _unknown_key(body: Mapping[str, Any], request: HttpRequest) -> HttpResponse | None:
    """Refuse what bears no good key; it comes in the body or raw in the header, with no Bearer."""
    key = body.get("key") or request.headers.get("authorization")
    if not key:
        return _envelope(400, "KEY不能为空")
    return None if str(key).startswith("sandbox") else _envelope(400, "KEY错误")


def _submit(body: Mapping[str, Any], world: World) -> HttpResponse | Held:
    if why := invalid(body):
        return _envelope(400, why)
    outcome = Outcome.chosen_by(body["prompt"])
    match outcome:
        case Outcome.MODERATED:
            return _envelope(400, "内容违规")
        case Outcome.NO_BALANCE:
            return _envelope(400, "点数不足")
        case Outcome.RATE_LIMITED:
            return _envelope(429, "请求过于频繁", status=429)
        case Outcome.RETRY_AFTER:
            return _envelope(429, "请求过于频繁", status=429, headers={"retry-after": "2"})
        case Outcome.SERVER_ERROR:
            return _envelope(500, "系统错误", status=500)
        case Outcome.HTML:
            page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            return HttpResponse(status=502, headers={"content-type": "text/html"}, body=page)
        case _:
            return _accept(body, outcome, world)


def _accept(body: Mapping[str, Any], outcome: Outcome | None, world: World) -> HttpResponse | Held:
    task = _Task(
        id=world.new_id(),
        prompt=body["prompt"],
        created_at=world.now,
        render_time=world.render_time,
        outcome=outcome,
    )
    world.tasks[task.id] = task
    world.bill(task.prompt)
    url = body["callback_url"]
    for part in (0.5, 1.0):
        at = task.created_at + part * task.render_time
        # One that never finishes sends its progress and nothing after it.
        if part < 1 or outcome is not Outcome.NEVER_FINISHES:
            world.call_back(url, _callback(task, "1" if part < 1 else task.status(at), world), at=at)
    if outcome is Outcome.DROPPED:
        return Held(until=world.now)
    return _envelope(200, "成功", {"task_id": task.id})


def _feed(task_id: object, world: World) -> HttpResponse:
    if not task_id:
        return _envelope(400, "task_id不能为空")
    task: _Task | None = world.tasks.get(str(task_id))
    if task is None:
        return _envelope(400, "任务不存在")
    status = task.status(world.now)
    ended = task.created_at + task.render_time
    blocked = status == "2" and task.outcome is Outcome.MODERATED_LATE
    video, poster = _links(task, status, world)
    data: dict[str, JSON] = {
        "task_id": task.id,
        "state": {"0": "pending", "1": "running", "2": "error", "3": "succeeded"}[status],
        "prompt": task.prompt,
        "video_url": video,
        "image_url": poster,
        "poster": poster,
        "msg": _message(task, status),
        "point": str(_POINTS),
        "refund": "1" if blocked else "0",
        "status": status,
        "create_time": str(int(task.created_at)),
        "update_time": str(int(min(world.now, ended))),
    }
    return _envelope(200, "成功", data)


def _callback(task: _Task, status: str, world: World) -> dict[str, JSON]:
    video, poster = _links(task, status, world)
    message = _message(task, status)
    return {"task_id": task.id, "status": status, "msg": message, "video_url": video, "poster": poster}


def _links(task: _Task, status: str, world: World) -> tuple[str | None, str | None]:
    if status != "3" or task.outcome is Outcome.NO_LINK:
        return None, None
    return world.media_url("video.mp4", task.id), world.media_url("poster.jpg", task.id)


def _message(task: _Task, status: str) -> str | None:
    if status != "2":
        return None
    return "内容违规,已退还点数" if task.outcome is Outcome.MODERATED_LATE else "生成失败"


def _account(world: World) -> HttpResponse:
    left = _ALL_POINTS - _POINTS * len(world.tasks)
    return _envelope(200, "成功", {"name": "sandbox", "total": str(left), "time": "2026-01-01 00:00:00"})


def _envelope(
    code: int,
    msg: str,
    data: Mapping[str, JSON] | None = None,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    body: JSON = {"code": code, "msg": msg, "data": data, "exec_time": 0.02, "ip": "203.0.113.7"}
    return HttpResponse(
        status=status,
        headers={"content-type": "application/json", **(headers or {})},
        body=json.dumps(body, ensure_ascii=False).encode(),
    )
