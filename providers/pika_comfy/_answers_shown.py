"""The answers that the documents of Comfy Router show, for the conformance kit; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

from attrs import evolve

import pika_async.provider as api

_PICTURE: Final = "https://media.test/cat.png"
_PLAIN: Final = api.Generate("A cat")
_LOCATOR: Final = {"model": "pika-2.5-text-to-video"}
_T: Final = api.Task("t1", _LOCATOR)
_DONE: Final = api.Task("t1", {**_LOCATOR, "completed": True})
_VIDEO: Final = "https://cdn.test/v.mp4"


def examples(provider: Any) -> Iterator[api.Example]:
    """Return what the adapter must make of answers."""
    if not provider.held:
        yield from _taken()
    yield from _statuses(provider)
    yield from _results()
    yield from _others(provider)


def _says(status: int, body: Any, **headers: str) -> api.HttpResponse:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return api.HttpResponse(status=status, headers=named, body=json.dumps(body).encode())


def _job(**more: Any) -> dict[str, Any]:
    video = {"url": _VIDEO, "content_type": "video/mp4"}
    return {"id": "media_1", "status": "completed", "output": {"video": video}, "error": None, **more}


def _videos(task: api.Task, **more: Any) -> api.Succeeded:
    video = api.VideoResult(task.id, _VIDEO, None, None, api.State.SUCCEEDED)
    return api.Succeeded(task=task, results=(video,), **more)


def _taken() -> Iterator[api.Example]:
    read, body = "read_submit", {"request_id": "t1", "status": "IN_QUEUE"}
    queued = api.Pending(task=_T, state=api.State.QUEUED, trace_id="tr", raw=body)
    for status in (200, 201, 202, 500):
        yield api.Example(read, (_says(status, body, x_comfy_request_id="tr"), _PLAIN), queued)
    typed = {**body, "error_type": "internal_error"}
    error = api.SubmitUnknown("look at Comfy's console", code="internal_error", trace_id="tr")
    yield api.Example(read, (_says(500, typed, x_comfy_request_id="tr"), _PLAIN), error)
    odd = evolve(queued, raw=typed)
    yield api.Example(read, (_says(201, typed, x_comfy_request_id="tr"), _PLAIN), odd)
    slashed = _says(200, {"request_id": "a/b"})
    yield api.Example(read, (slashed, _PLAIN), api.SubmitUnknown)
    for length, taken in ((256, True), (257, False)):
        task = api.Task("i" * length, _LOCATOR)
        told = api.Pending(task=task, state=api.State.QUEUED) if taken else api.SubmitUnknown
        yield api.Example(read, (_says(201, {"request_id": task.id}), _PLAIN), told)
    flex = api.Ingredients("A cat", (_PICTURE,))
    referenced = api.Task("t1", {"model": "pika-h3-flex-reference-to-video"})
    yield api.Example(read, (_says(201, body), flex), api.Pending(task=referenced, state=api.State.QUEUED))
    paid = _says(200, _job(), x_comfy_request_id="tr", x_comfy_credits_used="4.22")
    done = _videos(api.Task("media_1", _LOCATOR), trace_id="tr", cost=4.22)
    yield api.Example(read, (paid, _PLAIN), done, options={"held": True})
    replayed = _says(200, _job(), x_comfy_request_id="tr2", idempotent_replayed="true")
    yield api.Example(
        read, (replayed, _PLAIN), evolve(done, trace_id="tr2", cost=None), options={"held": True}
    )
    untraced = _videos(api.Task("media_1", _LOCATOR))
    yield api.Example(read, (_says(200, _job()), _PLAIN), untraced, options={"held": True})
    yield api.Example(read, (_says(500, _job()), _PLAIN), api.SubmitUnknown, options={"held": True})
    policy = {"detail": "refused", "error_type": "content_policy_violation"}
    blocked = api.Failed(
        task=api.Task("tr", _LOCATOR),
        reason="content",
        message="refused",
        code="content_policy_violation",
        trace_id="tr",
    )
    yield api.Example(read, (_says(400, policy, x_comfy_request_id="tr"), _PLAIN), blocked)
    bucket = _says(401, {"detail": "why"}, x_comfy_error_type="unauthorized", x_comfy_request_id="tr")
    yield api.Example(read, (bucket, _PLAIN), api.AuthError("", code="unauthorized", trace_id="tr"))
    for status, code in ((403, "not_enabled"), (404, "model_not_found")):
        gone = api.ProviderUnavailable("", code=code, retryable=False)
        yield api.Example(read, (_says(status, {"detail": "x", "error_type": code}), _PLAIN), gone)
    bare = _says(402, {"detail": "words of a gateway"})
    yield api.Example(read, (bare, _PLAIN), api.SubmitUnknown("", code=None))


def _statuses(provider: Any) -> Iterator[api.Example]:
    queued: Any = {"task": _T, "state": api.State.QUEUED, "queue_position": 2}
    over = api.Pending(task=api.Task("t1", {"completed": True}), poll_after=0)
    paced = {"IN_QUEUE": "5", "IN_PROGRESS": "90"}
    cases: list[tuple[dict[str, Any], api.Snapshot]] = [
        ({"status": "IN_QUEUE", "queue_position": 2}, api.Pending(**queued, poll_after=5)),
        ({"status": "IN_PROGRESS"}, api.Pending(task=_T, poll_after=60)),
        ({"status": "ANOTHER"}, api.Pending(task=_T)),
        ({"status": "COMPLETED", "error_type": " "}, over),
    ]
    for body, told in cases:
        wish = paced.get(body["status"])
        answer = _says(200, body, **({"retry_after": wish} if wish else {}))
        yield api.Example("read_poll", (answer, [_T]), {"t1": told})
    kept = api.Pending(task=over.task, poll_after=0, raw={"status": "COMPLETED"})
    yield api.Example("read_poll", (_says(200, {"status": "COMPLETED"}), [_T]), {"t1": kept})
    echo = {"status": "IN_PROGRESS", "detail": f"of {provider.api_key.reveal()}"}
    hidden = api.Pending(task=_T, raw={**echo, "detail": "of ***"})
    yield api.Example("read_poll", (_says(200, echo), [_T]), {"t1": hidden})
    for wish, after in (("0.5", 0.5), ("60", 60.0), ("61", 60.0), ("soon", None)):
        answer = _says(200, {"status": "IN_PROGRESS"}, retry_after=wish)
        yield api.Example("read_poll", (answer, [_T]), {"t1": api.Pending(task=_T, poll_after=after)})
    hasty = _says(200, {"status": "IN_PROGRESS"}, retry_after="0")
    waits = api.Pending(task=_T, raw={"status": "IN_PROGRESS"})
    yield api.Example("read_poll", (hasty, [_T]), {"t1": waits})
    for code, charged, reason in (
        ("provider_error", "unknown", "provider"),
        ("provider_timeout", "unknown", "provider"),
        ("cancelled", "unknown", "provider"),
        ("queue_timeout", "no", "provider"),
        ("content_policy_violation", "unknown", "content"),
    ):
        body = {"status": "COMPLETED", "error_type": code, "detail": "why"}
        more: Any = {"reason": reason, "charged": charged}
        failed = api.Failed(task=_T, message="why", code=code, trace_id="tr", **more)
        answer = _says(200, body, x_comfy_request_id="tr")
        yield api.Example("read_poll", (answer, [_T]), {"t1": failed})
    missing = {"detail": "No such request.", "error_type": "request_not_found"}
    yield api.Example("read_poll", (_says(404, missing), [_T]), {})
    for status, error, kind in (
        (404, {}, api.BadReply),
        (404, {"detail": "x", "error_type": "model_not_found"}, api.ProviderUnavailable),
        (401, {"detail": "x", "error_type": "unauthorized"}, api.AuthError),
        (403, {"detail": "x"}, api.ProviderUnavailable),
        (429, {"detail": "x", "error_type": "rate_limited"}, api.RateLimited),
        (500, {"status": "COMPLETED"}, api.ProviderUnavailable),
        (409, {"detail": "x", "error_type": "cancelled"}, api.BadReply),
        (200, {}, api.BadReply),
    ):
        yield api.Example("read_poll", (_says(status, error), [_T]), kind)


def _results() -> Iterator[api.Example]:
    """Return results: Pika's own document, which Comfy passes on, and its own errors."""
    costs: Any = {"trace_id": "tr", "cost": 4.22}
    paid: Any = {"x_comfy_request_id": "tr", "x_comfy_credits_used": "4.22"}
    blocked = {"code": "content_moderation", "message": "no"}
    wrong = {"code": "provider_error", "message": "why"}
    again = api.Task("t1", {"completed": False})
    cases: list[tuple[dict[str, Any], api.Snapshot]] = [
        (_job(), _videos(_DONE, **costs)),
        (_job(status=None), _videos(_DONE, **costs)),
        (_job(output=None), api.Failed(task=_DONE, reason="no_output", **costs)),
        (
            _job(status="failed", output=None, error=wrong),
            api.Failed(task=_DONE, message="why", code="provider_error", **costs),
        ),
        (
            _job(status="failed", output=None, error=blocked),
            api.Failed(task=_DONE, reason="content", message="no", code="content_moderation", **costs),
        ),
        (_job(status="running", output=None), api.Pending(task=again, cost=4.22)),
        ({"status": "IN_PROGRESS"}, api.Pending(task=again, cost=4.22)),
    ]
    for body, told in cases:
        yield api.Example("read_poll", (_says(200, body, **paid), [_DONE]), {"t1": told})
    for status, code in ((409, "cancelled"), (410, "expired")):
        error = {"detail": "why", "error_type": code}
        failed = api.Failed(task=_DONE, message="why", code=code, charged="unknown")
        yield api.Example("read_poll", (_says(status, error), [_DONE]), {"t1": failed})
    yield api.Example("read_poll", (_says(410, {}), [_DONE]), {"t1": api.Failed(task=_DONE)})
    yield api.Example("read_poll", (_says(409, {}), [_DONE]), api.BadReply)
    missing = {"detail": "x", "error_type": "request_not_found"}
    yield api.Example("read_poll", (_says(404, missing), [_DONE]), {})


def _others(provider: Any) -> Iterator[api.Example]:
    """Return answers to a cancellation, links that open, and the way of a workspace without a queue."""
    for status, told in (
        (202, api.Cancelled.REQUESTED),
        (204, api.Cancelled.REQUESTED),
        (404, api.Cancelled.TOO_LATE),
        (409, api.Cancelled.TOO_LATE),
        (500, api.ProviderUnavailable),
        (429, api.RateLimited),
        (200, api.BadReply),
    ):
        yield api.Example("read_cancel", (_says(status, {}), _T), told)
    yield api.Example("build_download", (_VIDEO,), None)
    keyed = api.DownloadError("ask Comfy", provider="comfy", retryable=False)
    yield api.Example("build_download", ("https://api.dev.pika.art/v1/files/x",), keyed)
    switched = api.ProviderUnavailable("", code="not_enabled")
    yield api.Example("other_route", (switched,), None, options={"held": True})
    if not provider.held:
        yield api.Example("other_route", (switched,), evolve(provider, held=True))
    yield api.Example("other_route", (api.AuthError("", code="unauthorized"),), None)
