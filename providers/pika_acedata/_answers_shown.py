"""The answers that AceData Cloud's documents show, for the conformance kit; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pika_async.provider as api

_BACK: Final = "https://callback.invalid/token"
_PICTURE, _CLIP = "https://media.test/cat.png", "https://media.test/cat.mp4"
_PLAIN: Final = api.Generate("A cat")
_T: Final = api.Task("t1")
_VIDEO: Final = "https://cdn.test/v.mp4"
_COVER: Final = "https://cdn.test/c.jpg"


def examples(provider: Any) -> Iterator[api.Example]:
    """Return what the adapter must make of answers."""
    yield from _accepted()
    yield from _records(provider)
    yield from _errors()
    yield from _pages()
    yield from _pushes()


def _says(status: int, body: Any) -> api.HttpResponse:
    return api.HttpResponse(status=status, body=json.dumps(body).encode())


def _output(**more: Any) -> dict[str, Any]:
    return {"id": "v1", "video_url": _VIDEO, "image_url": _COVER, "duration": 5, **more}


def _done(task: api.Task, *, trace_id: str | None = "tr", **more: Any) -> api.Succeeded:
    video = api.VideoResult("v1", _VIDEO, _COVER, 5.0, api.State.SUCCEEDED)
    return api.Succeeded(task=task, results=(video,), trace_id=trace_id, **more)


def _accepted() -> Iterator[api.Example]:
    """Return answers to a submit that was taken; one that names a task is no refusal."""
    good = {"success": True, "task_id": "t1", "trace_id": "tr"}
    wrong = {"error": {"code": "forbidden", "message": "why"}}
    read = "read_submit"
    yield api.Example(read, (_says(200, {"task_id": "t1"}), _PLAIN), api.Pending(task=_T))
    yield api.Example(read, (_says(200, {**good, "data": [_output(state="succeeded")]}), _PLAIN), _done(_T))
    yield api.Example(read, (_says(200, {**good, "data": [_output()]}), _PLAIN), _done(_T))
    yield api.Example(read, (_says(200, {"data": [_output()]}), _PLAIN), _done(api.Task("v1"), trace_id=None))
    single = {"task_id": "t1", "data": _output(state="succeeded")}
    yield api.Example(read, (_says(200, single), _PLAIN), _done(_T, trace_id=None))
    for status in (200, 403, 500):
        yield api.Example(
            read, (_says(status, {**good, **wrong}), _PLAIN), api.Pending(task=_T, trace_id="tr")
        )
    failed: Any = {"task_id": "t1", "trace_id": "tr", "data": [_output(state="failed", video_url=None)]}
    kept = api.Pending(task=_T, trace_id="tr", raw=failed)
    yield api.Example(read, (_says(200, failed), _PLAIN), kept)
    echoed = {**good, "data": [_output(video_url=_CLIP)]}
    request = api.Generate("A cat", video=_CLIP)
    yield api.Example(read, (_says(200, echoed), request), api.Pending(task=_T, trace_id="tr"))


def _record(response: Any = None, **more: Any) -> dict[str, Any]:
    sent = {"action": "generate", "prompt": "A cat", "callback_url": _BACK}
    whole = {"_id": "x", "id": "t1", "created_at": 15.5, "trace_id": "tr", "request": sent, **more}
    return whole if response is None else {**whole, "response": response}


def _records(provider: Any) -> Iterator[api.Example]:
    """Return look-ups of one task, and of two in another order."""
    ours: Any = {"callback_url": api.Secret(_BACK), "trace_id": "tr"}
    base: dict[str, Any] = {"success": True, "task_id": "t1", "trace_id": "tr"}
    ratio = {"code": "api_error", "message": "fetch failed"}
    policy = "moderators feel it is against our community standards"
    moderated = {"code": "forbidden", "message": "no"}
    bad: dict[str, Any] = {"success": False, "task_id": "t1", "trace_id": "tr"}
    cases: list[tuple[dict[str, Any], api.Snapshot]] = [
        (_record(), api.Pending(task=_T, **ours)),
        (_record({}), api.Pending(task=_T, **ours)),
        (
            _record({**base, "data": [_output(state="pending", video_url=None)]}),
            api.Pending(task=_T, state=api.State.QUEUED, **ours),
        ),
        (
            _record({**base, "data": [_output(state="processing", video_url=None)]}),
            api.Pending(task=_T, **ours),
        ),
        (_record({**base, "data": [_output(state="processing")]}), api.Pending(task=_T, **ours)),
        (_record({**base, "data": [_output(state="succeeded")]}), _done(_T, **_without_trace(ours))),
        (_record({**base, "data": [_output(state="complete")]}), _done(_T, **_without_trace(ours))),
        (_record({**base, "data": [_output()]}), _done(_T, **_without_trace(ours))),
        (_record({**base, "data": [_output()]}, finished_at=20.0), _done(_T, **_without_trace(ours))),
        (_record({"data": [_output(state="succeeded")]}), _done(_T, **_without_trace(ours))),
        (_record({**base, "id": "t9", "data": [_output()]}), _done(_T, **_without_trace(ours))),
        (
            _record({**base, "data": [_output(state="succeeded", video_url=None)]}),
            api.Failed(task=_T, reason="no_output", **ours),
        ),
        (
            _record({**base, "data": []}, finished_at=20.0),
            api.Failed(task=_T, reason="no_output", **ours),
        ),
        (
            _record({**base, "data": [_output(state="failed", video_url=None)]}),
            api.Failed(task=_T, reason="provider", **ours),
        ),
        (
            _record({**bad, "error": ratio}),
            api.Failed(task=_T, message="fetch failed", code="api_error", **ours),
        ),
        (
            _record({**bad, "error": moderated}),
            api.Failed(task=_T, reason="content", message="no", code="forbidden", **ours),
        ),
        (
            _record({**bad, "error": policy}),
            api.Failed(task=_T, reason="content", message=policy, **ours),
        ),
        (
            _record({**bad, "error": "timeout"}),
            api.Failed(task=_T, message="timeout", code="timeout", **ours),
        ),
        (_record(bad, finished_at=20.0), api.Failed(task=_T, **ours)),
        (_record(bad), api.Pending(task=_T, **ours)),
    ]
    for body, told in cases:
        yield api.Example("read_poll", (_says(200, body), [_T]), {"t1": told})
    bare = {"response": {**base, "data": [_output(state="succeeded")]}}
    yield api.Example("read_poll", (_says(200, bare), [_T]), {"t1": _done(_T)})
    sent = {"callback_url": _BACK, "video_url": _VIDEO}
    echo = _record({**base, "data": [_output()]}, request=sent)
    yield api.Example("read_poll", (_says(200, echo), [_T]), {"t1": api.Pending(task=_T, **ours)})
    body = {"id": "t1", "note": f"of {provider.api_key.reveal()}", "request": sent}
    shown = api.Pending(task=_T, raw={"id": "t1", "note": "of ***"}, callback_url=api.Secret(_BACK))
    yield api.Example("read_poll", (_says(200, body), [_T]), {"t1": shown})
    first, second = api.Task("t1"), api.Task("t2")
    other = _record({**bad, "task_id": "t2", "error": ratio}, id="t2")
    items = {"items": [other, _record({**base, "data": [_output(state="succeeded")]})], "count": 2}
    both = {
        "t1": _done(first, **_without_trace(ours)),
        "t2": api.Failed(task=second, message="fetch failed", code="api_error", **ours),
    }
    yield api.Example("read_poll", (_says(200, items), [first, second]), both)
    yield api.Example("read_poll", (_says(200, items), [second]), {"t2": both["t2"]})
    unknown: list[dict[str, Any]] = [{}, {"items": []}, {"items": [], "count": 0}, _record(id="t9")]
    for nothing in unknown:
        yield api.Example("read_poll", (_says(200, nothing), [_T]), {})
    yield api.Example("read_poll", (_says(404, {"error": {"code": "not_found"}}), [_T]), {})


def _without_trace(ours: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in ours.items() if name != "trace_id"}


def _errors() -> Iterator[api.Example]:
    """Return errors of a submit, which decide on money, and of a look-up."""
    cases: list[tuple[int, str, api.PikaError]] = [
        (400, "no_token", api.AuthError("", code="no_token", trace_id="tr")),
        (401, "invalid_token", api.AuthError("its application may use", code="invalid_token", trace_id="tr")),
        (403, "used_up", api.InsufficientBalance("", code="used_up", trace_id="tr")),
        (403, "forbidden", api.ContentBlocked("", code="forbidden", trace_id="tr")),
        (429, "too_many_requests", api.RateLimited("", code="too_many_requests", trace_id="tr")),
        (404, "no_api", api.ProviderUnavailable("", code="no_api", trace_id="tr", retryable=False)),
        (400, "bad_request", api.SubmitRefused("", code="bad_request", trace_id="tr")),
        (500, "api_error", api.SubmitUnknown("", code="api_error", trace_id="tr")),
        (400, "busy", api.SubmitUnknown("", code="busy", trace_id="tr")),
    ]
    for status, code, error in cases:
        body = {"error": {"code": code, "message": "why"}, "trace_id": "tr"}
        yield api.Example("read_submit", (_says(status, body), _PLAIN), error)
        if error.code in {"no_token", "no_api"}:
            bare = {"error": code, "trace_id": "tr"}
            yield api.Example("read_submit", (_says(status, bare), _PLAIN), error)
    yield api.Example(
        "read_submit", (_says(400, {"error": "some words"}), _PLAIN), api.SubmitRefused("", code=None)
    )
    offer = {"x402Version": 1, "accepts": []}
    yield api.Example("read_submit", (_says(402, offer), _PLAIN), api.InsufficientBalance)
    yield api.Example("read_submit", (_says(200, {"success": True}), _PLAIN), api.SubmitUnknown)
    looks: list[tuple[int, str | None, type[api.PikaError]]] = [
        (401, "invalid_token", api.AuthError),
        (403, "forbidden", api.AuthError),
        (403, None, api.ProviderUnavailable),
        (429, "too_many_requests", api.RateLimited),
        (404, "no_api", api.ProviderUnavailable),
        (500, "api_error", api.ProviderUnavailable),
        (400, "bad_request", api.BadReply),
    ]
    for status, named, kind in looks:
        body = {"error": {"code": named, "message": "why"}}
        yield api.Example("read_poll", (_says(status, body), [_T]), kind)
    for status, nothing in ((200, []), (300, _record()), (199, _record())):
        yield api.Example("read_poll", (_says(status, nothing), [_T]), api.BadReply)
    yield api.Example("read_find", (_says(500, {}),), api.ProviderUnavailable)
    yield api.Example("read_find", (_says(404, {"error": {"code": "not_found"}}),), api.BadReply)


def _pages() -> Iterator[api.Example]:
    """Return pages of the history: the last one, and one after which older tasks are asked for."""
    ours: Any = {"callback_url": api.Secret(_BACK), "trace_id": "tr"}
    found = api.Found(snapshot=api.Pending(task=_T, **ours), callback_url=api.Secret(_BACK))
    last = {"items": [_record()], "count": 1}
    yield api.Example("read_find", (_says(200, last),), api.Page(found=(found,), next_cursor=None))
    nothing: dict[str, Any] = {"items": [], "count": 0}
    yield api.Example("read_find", (_says(200, nothing),), api.Page(found=(), next_cursor=None))
    both = {"items": [_record(created_at=20.5), _record()], "count": 9}
    yield api.Example("read_find", (_says(200, both),), api.Page(found=(found,) * 2, next_cursor="15.5"))
    same = {"items": [_record(), _record()], "count": 9}
    yield api.Example("read_find", (_says(200, same),), api.Page(found=(found,) * 2, next_cursor="15.499"))
    edited = {"callback_url": _BACK, "video_url": _VIDEO}
    echo = {"items": [_record({"task_id": "t1", "data": [_output()]}, request=edited)], "count": 1}
    yield api.Example("read_find", (_says(200, echo),), api.Page(found=(found,), next_cursor=None))
    full = {"items": [_record(created_at=100.0 - one) for one in range(50)]}
    page = api.Page(found=(found,) * 50, next_cursor="51.0")
    yield api.Example("read_find", (_says(200, full),), page)
    untimed = {"items": [_record(created_at=None)], "count": 9}
    yield api.Example("read_find", (_says(200, untimed),), api.BadReply)


def _pushes() -> Iterator[api.Example]:
    good = {"success": True, "task_id": "t1", "trace_id": "tr"}
    finished = json.dumps({**good, "data": [_output(state="succeeded")]}).encode()
    wordless = json.dumps({**good, "data": [_output()]}).encode()
    form = b"task_id=t1&success=true&trace_id=tr&data=" + json.dumps([_output(state="succeeded")]).encode()
    wrong = {
        "task_id": "t1",
        "trace_id": "tr",
        "success": False,
        "error": {"code": "forbidden", "message": "no"},
    }
    failed = api.Failed(task=_T, reason="content", message="no", code="forbidden", trace_id="tr")
    cases: list[tuple[bytes, api.Snapshot | None]] = [
        (finished, _done(_T)),
        (form, _done(_T)),
        (wordless, api.Pending(task=_T, trace_id="tr")),
        (json.dumps(wrong).encode(), failed),
        (json.dumps({"data": good}).encode(), api.Pending(task=_T, trace_id="tr")),
        (b'{"id": "t1"}', None),
        (b"nonsense", None),
    ]
    for body, told in cases:
        yield api.Example("read_callback", (body, {}, 0.0, None), told)
