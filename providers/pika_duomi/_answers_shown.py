"""The answers that Duomi's documents show, for the conformance kit; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pika_async.provider as api

_BACK: Final = "https://callback.invalid/token"
_PLAIN: Final = api.Generate("A cat")
_ADVICE: Final = {api.InsufficientBalance: "buy points", api.SubmitUnknown: "check Duomi's own records"}
_T: Final = api.Task("t1")
_VIDEO, _COVER = "https://cdn.test/v.mp4", "https://cdn.test/c.jpg"


def examples(provider: Any) -> Iterator[api.Example]:
    """Return what the adapter must make of answers."""
    if provider.success_codes == (200,):
        yield from _accepted()
        yield from _fed(provider)
        yield from _errors()
        yield from _pushes()


def _says(code: int | None, msg: str = "why", data: Any = None, *, status: int = 200) -> api.HttpResponse:
    body = {"code": code, "msg": msg, "data": data, "ip": "203.0.113.7"}
    return api.HttpResponse(status=status, body=json.dumps(body).encode())


def _accepted() -> Iterator[api.Example]:
    taken = {"task_id": "t1", "ip": "203.0.113.7", "more": 1}
    queued = api.Pending(task=_T, state=api.State.QUEUED, raw={"task_id": "t1", "more": 1})
    for answer in (
        _says(200, data=taken),
        _says(0, data=taken),
        _says(400, data=[taken]),
        _says(500, data=taken, status=500),
    ):
        yield api.Example("read_submit", (answer, _PLAIN), queued)
    other = {"success_codes": (0,)}
    refused = api.SubmitUnknown("", code="0")
    yield api.Example("read_submit", (_says(0), _PLAIN), refused, options=other)
    done = _says(0, data={"task_id": "t9"})
    yield api.Example("read_poll", (done, [_T]), {}, options=other)
    told = api.Balance(5.0, "points")
    yield api.Example("read_balance", (_says(0, data={"total": "5"}),), told, options=other)


def _fed(provider: Any) -> Iterator[api.Example]:
    """Return answers of the feed: by its newer word, its older number, and both where they differ."""
    video = api.VideoResult("t1", _VIDEO, _COVER, None, api.State.SUCCEEDED)
    linked = {"video_url": _VIDEO, "poster": _COVER}
    done = api.Succeeded(task=_T, results=(video,), cost=300.0)
    queued = api.Pending(task=_T, state=api.State.QUEUED, cost=300.0)
    running = api.Pending(task=_T, cost=300.0)
    empty = api.Failed(task=_T, reason="no_output", cost=300.0)
    failed = api.Failed(task=_T, message="生成失败", charged="yes", cost=300.0)
    doubtful = api.Failed(task=_T, message="生成失败", charged="unknown", cost=300.0)
    refunded = api.Failed(task=_T, message="生成失败", charged="no", cost=300.0)
    moderated = api.Failed(task=_T, reason="content", message="内容违规,已退还点数", charged="no", cost=300.0)
    returned = api.Failed(task=_T, message="生成失败,已退款", charged="no", cost=300.0)
    uncovered = {"video_url": _VIDEO, "poster": "", "image_url": _COVER}
    why = {"msg": "生成失败"}
    cases: list[tuple[dict[str, Any], api.Snapshot]] = [
        ({"state": "pending", "status": "0"}, queued),
        ({"status": 0}, queued),
        ({"state": "pending"}, queued),
        ({"state": "running", "status": "1"}, running),
        ({"status": 1}, running),
        ({"state": "pending", "status": 1}, running),
        ({"status": 7}, running),
        ({"state": "running", **linked}, running),
        (linked, running),
        ({"state": "succeeded", "status": "3", **linked}, done),
        ({"state": "success", **linked}, done),
        ({"status": 3, **linked}, done),
        ({"state": "succeeded", **uncovered}, done),
        ({"state": "succeeded", "status": 2, **linked}, done),
        ({"state": "succeeded", "status": "3"}, empty),
        ({"status": 3, "video_url": "no link"}, empty),
        ({"state": "error", "status": "2", "refund": "0", **why}, failed),
        ({"status": 2, "refund": 0, **why}, failed),
        ({"status": -1, "refund": 0, **why}, failed),
        ({"status": 4, "refund": 0, **why}, failed),
        ({"state": "error", "status": 1, "refund": 0, **why}, failed),
        ({"status": 2, **why}, doubtful),
        ({"status": 2, "refund": 1, **why}, refunded),
        ({"status": 2, "refund": 0, "msg": "生成失败,已退款"}, returned),
        ({"status": 2, "refund": "1", "msg": "内容违规,已退还点数"}, moderated),
        ({"status": 2, "refund": 0, "msg": "内容违规,已退还点数"}, moderated),
    ]
    for told, snapshot in cases:
        answer = _says(200, data={"task_id": "t1", "point": "300", **told})
        yield api.Example("read_poll", (answer, [_T]), {"t1": snapshot})
    unpaid = {"task_id": "t1", "status": 2, "refund": 0}
    yield api.Example("read_poll", (_says(200, data=unpaid), [_T]), {"t1": api.Failed(task=_T)})
    private = {"task_id": "t1", "status": 1, "ip": "203.0.113.7", "key": "k", "callback_url": _BACK}
    private["note"] = provider.api_key.reveal()
    kept = api.Pending(task=_T, raw={"task_id": "t1", "status": 1, "note": "***"})
    yield api.Example("read_poll", (_says(400, data=private), [_T]), {"t1": kept})
    for nothing in (
        _says(200),
        _says(200, data={"task_id": "t9", "status": 3}),
        _says(400, "任务不存在"),
        _says(404, "任务不存在"),
        _says(404, "任务不存在", status=404),
    ):
        yield api.Example("read_poll", (nothing, [_T]), {})


def _errors() -> Iterator[api.Example]:
    """Return errors of a submit, by their words, and of a look-up."""
    cases: list[tuple[int, int, str, type[api.PikaError]]] = [
        (200, 400, "KEY错误", api.AuthError),
        (200, 400, "没有权限", api.AuthError),
        (200, 400, "点数不足", api.InsufficientBalance),
        (200, 400, "余额不足", api.InsufficientBalance),
        (200, 400, "内容违规", api.ContentBlocked),
        (200, 400, "请求过于频繁", api.RateLimited),
        (200, 400, "prompt不能为空", api.SubmitRefused),
        (404, 404, "接口不存在", api.SubmitRefused),
        (500, 500, "系统错误", api.SubmitUnknown),
        (200, 500, "系统错误", api.SubmitUnknown),
        (200, 200, "成功", api.SubmitUnknown),
        (200, 200, "点数不足", api.SubmitUnknown),
        (429, 200, "成功", api.SubmitUnknown),
    ]
    for status, code, words, kind in cases:
        answer = _says(code, words, status=status)
        yield api.Example("read_submit", (answer, _PLAIN), kind(_ADVICE.get(kind, ""), code=str(code)))
    for status, code, words, kind in (
        (200, 400, "KEY错误", api.AuthError),
        (429, 429, "失败", api.RateLimited),
        (200, 500, "系统错误", api.ProviderUnavailable),
        (500, 500, "系统错误", api.ProviderUnavailable),
        (403, 403, "失败", api.AuthError),
        (400, 400, "参数错误", api.BadReply),
    ):
        answer = _says(code, words, status=status)
        yield api.Example("read_poll", (answer, [_T]), kind)
        yield api.Example("read_balance", (answer,), kind)
    yield api.Example("read_balance", (_says(200, data={"total": "12.5"}),), api.Balance(12.5, "points"))
    yield api.Example("read_balance", (_says(200, data={"name": "n"}),), api.BadReply)
    yield api.Example("read_balance", (_says(200, data=[5]),), api.BadReply)


def _pushes() -> Iterator[api.Example]:
    video = api.VideoResult("t1", _VIDEO, _COVER, None, api.State.SUCCEEDED)
    done = {"task_id": "t1", "status": "3", "msg": None, "video_url": _VIDEO, "poster": _COVER}
    form = f"task_id=t1&status=3&video_url={_VIDEO}&poster={_COVER}"
    succeeded = api.Succeeded(task=_T, results=(video,))
    cases: list[tuple[bytes, api.Snapshot | None]] = [
        (json.dumps(done).encode(), succeeded),
        (json.dumps({"code": 200, "data": done}).encode(), succeeded),
        (form.encode(), succeeded),
        (b'{"task_id": "t1", "status": "1"}', api.Pending(task=_T)),
        (b'{"task_id": "t1", "status": "2", "msg": "no"}', api.Failed(task=_T, message="no")),
        (b'{"status": "3"}', None),
        (b"nonsense", None),
    ]
    for body, told in cases:
        yield api.Example("read_callback", (body, {}, 0.0, None), told)
