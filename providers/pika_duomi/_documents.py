"""What Duomi's documents show, for the conformance kit to hold the adapter against; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import asdict, evolve

import pika_async.provider as api

_STYLES: Final = (
    "Inflate Melt Explode Squish Crush Cake-ify Ta-da Deflate Crumble Dissolve Levitate Decapitate Eye-pop"
)
DECLARED: Final = api.Capabilities(
    name="duomi",
    styles=tuple(_STYLES.split()),
    cost_unit="points",
    key_variables=("DUOMI_API_KEY",),
    url_variable="DUOMI_BASE_URL",
    poll_batch=1,
    callbacks="required",
    closed_styles=True,
    refuses_by_body=False,
    echoes_token=False,
    inline_media=False,
    replay=None,
    ranges={"frame_rate": (8, 24), "guidance_scale": (5, 25), "motion": (0, 4)},
    words_only={"aspect_ratio"},
    reserved={"key", "callback_url"},
    private={"ip", "key", "callback_url"},
    models=("1.5",),
    kinds={api.Generate, api.Style},
    fields={"negative_prompt", "model", "aspect_ratio", "seed", "frame_rate", "guidance_scale", "motion"}
    | {"camera", "sound_effects", "image", "video"},
)
LIMITS: Final[Mapping[str, object]] = asdict(DECLARED, recurse=False)
_BACK: Final = "https://callback.invalid/token"
_CALL: Final = api.Call(callback_url=api.Secret(_BACK), attempt_id="a", now=0.0)
_PICTURE, _CLIP = "https://media.test/cat.png", "https://media.test/cat.mp4"
_PLAIN: Final = api.Generate("A cat")
_ADVICE: Final = {api.InsufficientBalance: "buy points", api.SubmitUnknown: "check Duomi's own records"}
_T: Final = api.Task("t1")
_VIDEO, _COVER = "https://cdn.test/v.mp4", "https://cdn.test/c.jpg"


def examples(provider: Any) -> Iterator[api.Example]:
    """Return what the adapter must send and read; a reseller with other codes has other answers."""
    yield from _submits(provider)
    yield from _look_ups(provider)
    if provider.success_codes == (200,):
        yield from _accepted()
        yield from _fed(provider)
        yield from _errors()
        yield from _pushes()


def _submits(provider: Any) -> Iterator[api.Example]:
    url = f"{provider.base_url}/api/video/pika/pro/generate"
    whole = api.Generate(
        "A cat",
        negative_prompt="blur",
        model="1.5",
        aspect_ratio="9:16",
        seed=7,
        frame_rate=12,
        guidance_scale=7.5,
        motion=3,
        camera=api.Camera(pan="left", zoom="in"),
        sound_effects=True,
    )
    options = {
        "frameRate": 12,
        "camera": {"pan": "left", "zoom": "in"},
        "parameters": {"guidanceScale": 7.5, "motion": 3, "negativePrompt": "blur", "seed": 7},
    }
    rate = {"options": {"frameRate": 24}}
    cases: list[tuple[api.VideoRequest, dict[str, Any]]] = [
        (_PLAIN, {"ratio": "16:9", **rate}),
        (whole, {"ratio": "9:16", "model": 1.5, "sfx": True, "options": options}),
        (
            api.Generate("A cat", motion=0),
            {"ratio": "16:9", "options": {"frameRate": 24, "parameters": {"motion": 0}}},
        ),
        (api.Generate("A cat", sound_effects=False), {"ratio": "16:9", "sfx": False, **rate}),
        (api.Generate("A cat", image=_PICTURE), {"image": _PICTURE}),
        (
            api.Generate("A cat", image=_PICTURE, frame_rate=8),
            {"image": _PICTURE, "options": {"frameRate": 8}},
        ),
        (api.Style("A cat", style="melt"), {"style": "Melt", "ratio": "16:9", **rate}),
        (api.Style("A cat", style="Cake-ify", image=_PICTURE), {"style": "Cake-ify", "image": _PICTURE}),
        (
            api.Style("A cat", style="Ta-da", video=_CLIP),
            {"style": "Ta-da", "video": _CLIP, "sfx": False, **rate},
        ),
        (
            api.Style("A cat", style="Ta-da", video=_CLIP, sound_effects=True),
            {"style": "Ta-da", "video": _CLIP, "sfx": True, **rate},
        ),
        (api.Generate("A cat", extra_body={"ratio": "1:1"}), {"ratio": "1:1", **rate}),
    ]
    for request, body in cases:
        told = {"key": provider.api_key, "callback_url": _BACK, "prompt": "A cat", **body}
        sent = api.HttpRequest(
            method="POST",
            url=url,
            headers=dict.fromkeys(("accept", "content-type"), "application/json"),
            body=api.Json(told),
        )
        yield api.Example("build_submit", (request, _CALL), sent)
    mute = api.Call(callback_url=None, attempt_id="a", now=0.0)
    yield api.Example("build_submit", (_PLAIN, mute), api.ConfigError)
    both = api.Style("A cat", style="Melt", image=_PICTURE, video=_CLIP)
    for wrong in (api.Generate("A cat", video=_CLIP), both, api.Generate("A cat", model="2.0b")):
        yield api.Example("check_request", (wrong,), api.UnsupportedRequest)
    for right in (
        api.Style("A cat", style="Melt", video=_CLIP),
        api.Generate("A cat", model="2"),
        api.Generate("A cat", image=_PICTURE),
    ):
        yield api.Example("check_request", (right,), None)


def _look_ups(provider: Any) -> Iterator[api.Example]:
    for function, arguments, path, query in (
        ("build_poll", ([_T],), "video/pika/feed", {"task_id": "t1"}),
        ("build_balance", (), "account/get", {}),
    ):
        headers = {"authorization": provider.api_key, "accept": "application/json"}
        url = f"{provider.base_url}/api/{path}"
        sent = api.HttpRequest(method="GET", url=url, query=query, headers=headers)
        yield api.Example(function, arguments, sent)
        usual = evolve(sent, url=f"https://duomiapi.com/api/{path}")
        yield api.Example(function, arguments, usual, options={"base_url": None})


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
