"""The answers that the clients and partners of Pika's own API show, for the conformance kit; pure."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pika_async.provider as api

_PICTURE, _CLIP, _SEA = "https://media.test/cat.png", "https://media.test/cat.mp4", "https://media.test/s.png"
_PLAIN: Final = api.Generate("A cat")
_T: Final = api.Task("t1")
_VIDEO: Final = "https://cdn.test/v.mp4"
_SECRET: Final = b"whsec_a2l0LXNlY3JldC1rZXktMDAwMDAwMDAwMDAx"
_AT: Final = 1_800_000_000


def examples(provider: Any) -> Iterator[api.Example]:
    """Return what the adapter must make of answers."""
    yield from _accepted()
    yield from _jobs(provider)
    yield from _contents()
    yield from _pushes()
    yield from _uploads(provider)
    yield from _money(provider)


def _says(status: int, body: Any, **headers: str) -> api.HttpResponse:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return api.HttpResponse(status=status, headers=named, body=json.dumps(body).encode())


def _post(provider: Any, path: str, body: Mapping[str, Any], **more: str) -> api.HttpRequest:
    headers = {"x-api-key": provider.api_key, "accept": "application/json", **more}
    url = f"{provider.base_url.removesuffix('/v1')}/{path}"
    return api.HttpRequest(method="POST", url=url, headers=headers, body=api.Json(body))


def _get(provider: Any, path: str) -> api.HttpRequest:
    url = f"{provider.base_url}/{path}"
    headers = {"x-api-key": provider.api_key, "accept": "application/json"}
    return api.HttpRequest(method="GET", url=url, headers=headers)


def _job(status: str | None, **more: Any) -> dict[str, Any]:
    return {"id": "t1", "status": status, "error": None, "output": None, **more}


def _accepted() -> Iterator[api.Example]:
    read = "read_submit"
    queued = api.Pending(task=_T, state=api.State.QUEUED, trace_id="tr")
    for status in (200, 201, 409, 500):
        answer = _says(status, _job("queued"), x_request_id="tr")
        yield api.Example(read, (answer, _PLAIN), queued)
    yield api.Example(read, (_says(200, {"id": "t1"}), _PLAIN), api.Pending(task=_T))
    yield api.Example(read, (_says(500, {"id": "t1"}), _PLAIN), api.SubmitUnknown)
    for code, error in (
        ("content_moderation", api.ContentBlocked("", code="content_moderation", trace_id="tr")),
        ("insufficient_balance", api.InsufficientBalance("", code="insufficient_balance", trace_id="tr")),
        ("rate_limited", api.RateLimited("", code="rate_limited", trace_id="tr")),
    ):
        job = _job("failed", error={"code": code, "message": "why"})
        yield api.Example(read, (_says(200, job, x_request_id="tr"), _PLAIN), error)
        flat = {"code": code, "message": "why"}
        yield api.Example(read, (_says(400, flat, x_request_id="tr"), _PLAIN), error)
        both = {"code": "another", "error": {"code": code, "message": "why"}}
        yield api.Example(read, (_says(400, both, x_request_id="tr"), _PLAIN), error)
    unmade = _says(403, {"message": "caller_plan_required"})
    yield api.Example(read, (unmade, _PLAIN), api.AuthError("", code="caller_plan_required"))


def _jobs(provider: Any) -> Iterator[api.Example]:
    bill = {"state": "settled", "charge_micro_usd": 250_000}
    open_bill = {"state": "open", "charge_micro_usd": 250_000}
    free = {"state": "settled", "charge_micro_usd": 0}
    wrong = {"code": "provider_error", "message": "why"}
    blocked = {"code": "content_moderation", "message": "no"}
    output = {"media_type": "video", "video": {"url": _VIDEO}}
    video = api.VideoResult("t1", _VIDEO, None, None, api.State.SUCCEEDED)
    over = api.Pending(task=api.Task("t1", {"completed": True, "cost": 0.25}), poll_after=0, cost=0.25)
    failed: dict[str, Any] = {"message": "why", "code": "provider_error"}
    cases: list[tuple[dict[str, Any], api.Snapshot]] = [
        (_job("queued"), api.Pending(task=_T, state=api.State.QUEUED)),
        (_job("running"), api.Pending(task=_T)),
        (_job("another"), api.Pending(task=_T)),
        (_job("running", billing=open_bill), api.Pending(task=_T)),
        (_job("completed", output=output, billing=bill), api.Succeeded(task=_T, results=(video,), cost=0.25)),
        (_job("completed", output=output), api.Succeeded(task=_T, results=(video,))),
        (_job("completed", billing=bill), over),
        (
            _job("completed"),
            api.Pending(task=api.Task("t1", {"completed": True, "cost": None}), poll_after=0),
        ),
        (_job("failed", error=wrong), api.Failed(task=_T, charged="no", **failed)),
        (_job("failed", error=wrong, billing=open_bill), api.Failed(task=_T, charged="unknown", **failed)),
        (_job("failed", error=wrong, billing=bill), api.Failed(task=_T, charged="yes", cost=0.25, **failed)),
        (_job("failed", error=wrong, billing=free), api.Failed(task=_T, charged="no", cost=0.0, **failed)),
        (_job("cancelled"), api.Failed(task=_T, charged="no")),
        (
            _job("failed", error=blocked),
            api.Failed(task=_T, reason="content", message="no", code="content_moderation", charged="no"),
        ),
    ]
    for body, told in cases:
        yield api.Example("read_poll", (_says(200, body), [_T]), {"t1": told})
    refused = _says(422, _job("failed", error=wrong))
    yield api.Example("read_poll", (refused, [_T]), {"t1": api.Failed(task=_T, charged="no", **failed)})
    echo = {**_job("running"), "note": f"of {provider.api_key.reveal()}"}
    hidden = api.Pending(task=_T, raw={**echo, "note": "of ***"})
    yield api.Example("read_poll", (_says(200, echo), [_T]), {"t1": hidden})
    kept = api.Pending(task=_T, raw=_job("running"))
    yield api.Example("read_poll", (_says(200, _job("running")), [_T]), {"t1": kept})
    for nothing in (
        _says(200, {**_job("completed"), "id": "t9"}),
        _says(404, {"message": "not found"}),
        _says(200, {"id": "t1"}),
    ):
        yield api.Example("read_poll", (nothing, [_T]), {})
    for status, body, kind in (
        (401, {"message": "x"}, api.ProviderUnavailable),
        (401, {"message": "x", "code": "no_key"}, api.AuthError),
        (
            403,
            {"message": "caller_plan_required"},
            api.AuthError("plan and membership", code="caller_plan_required", charged="unknown"),
        ),
        (402, {"message": "x"}, api.InsufficientBalance),
        (429, {"message": "x"}, api.RateLimited),
        (500, _job("running"), api.ProviderUnavailable),
        (404, {}, api.BadReply),
        (200, {}, api.BadReply),
        (400, {**_job("failed", error=wrong), "id": "t9"}, api.BadReply),
    ):
        yield api.Example("read_poll", (_says(status, body), [_T]), kind)


def _contents() -> Iterator[api.Example]:
    """Return the second answers of a look-up in two steps: a link, a redirect, or not done after all."""
    task = api.Task("t1", {"completed": True, "cost": 0.25})
    video = api.VideoResult("t1", _VIDEO, None, None, api.State.SUCCEEDED)
    done = api.Succeeded(task=task, results=(video,), cost=0.25)
    again = api.Pending(task=api.Task("t1", {"completed": False}))
    for answer, told in (
        (_says(200, {"url": _VIDEO}), done),
        *((_says(status, {}, location=_VIDEO), done) for status in (302, 303, 307)),
        (_says(200, {"url": None}), again),
        (_says(200, {"url": "no link"}), again),
        (_says(409, {"message": "x"}), again),
    ):
        yield api.Example("read_poll", (answer, [task]), {"t1": told})
    yield api.Example("read_poll", (_says(404, {"message": "x"}), [task]), {})
    for status, kind in ((500, api.ProviderUnavailable), (429, api.RateLimited)):
        yield api.Example("read_poll", (_says(status, {"message": "x"}), [task]), kind)


def _pushes() -> Iterator[api.Example]:
    """Return signed callbacks, whose words may stand in several places, and the same with one thing wrong."""
    video = api.VideoResult("t1", _VIDEO, None, None, api.State.SUCCEEDED)
    output = {"video": {"url": _VIDEO}}
    failed = api.Failed(task=_T, message="why", code="provider_error", charged="no")
    wrong = {"code": "provider_error", "message": "why"}
    event = "media.job.completed"
    unlinked = api.Task("t1", {"completed": True, "cost": None})
    cases: list[tuple[Any, api.Snapshot | None]] = [
        ({"type": event, "data": _job("completed", output=output)}, api.Succeeded(task=_T, results=(video,))),
        ({"type": event, "data": {"id": "t1"}}, api.Failed(task=unlinked, reason="no_output")),
        ({"type": "media.job.failed", "source_id": "t1", "error": wrong, "id": "evt"}, failed),
        ({"type": "media.job.running", "id": "t1"}, api.Pending(task=_T)),
        ({"type": event}, None),
        ([], None),
    ]
    for told, snapshot in cases:
        body = json.dumps(told).encode()
        yield api.Example("read_callback", (body, _signed(body), _AT, _SECRET), snapshot)
    body = json.dumps({"type": event, "data": {"id": "t1"}}).encode()
    headers = _signed(body)
    for forged in (
        (body + b" ", headers, _AT, _SECRET),
        (body, {}, _AT, _SECRET),
        (body, headers, _AT + 3600, _SECRET),
        (body, headers, _AT - 3600, _SECRET),
        (body, headers, _AT, None),
        (body, headers, _AT, b"whsec_YW5vdGhlci1zZWNyZXQ="),
    ):
        yield api.Example("read_callback", forged, None)


def _signed(body: bytes) -> dict[str, str]:
    mac = hmac.digest(
        base64.b64decode(_SECRET.removeprefix(b"whsec_")), f"msg.{_AT}.".encode() + body, hashlib.sha256
    )
    signature = f"v1,{base64.b64encode(mac).decode()}"
    return {"webhook-id": "msg", "webhook-timestamp": str(_AT), "webhook-signature": signature}


def _uploads(provider: Any) -> Iterator[api.Example]:
    blob, first = api.Blob(b"png", "image/png", "a.png"), api.Uploading()
    asked = _post(provider, "v1/media/uploads", {"content_type": "image/png", "size_bytes": 3})
    yield api.Example("build_upload", (blob, first), asked)
    links = {"upload_url": "https://up.test/a?sig=s", "url": "https://up.test/a"}
    granted = {**links, "headers": {"Content-Type": "image/png", "Content-Length": "3", "x-a": "1", "b": 5}}
    told = api.Uploading(told={**links, "headers": {"Content-Type": "image/png", "x-a": "1"}})
    yield api.Example("read_upload", (_says(200, granted), blob, first), told)
    put = api.HttpRequest(
        method="PUT",
        url="https://up.test/a",
        query={"sig": "s"},
        headers={"Content-Type": "image/png", "x-a": "1"},
        body=blob,
    )
    yield api.Example("build_upload", (blob, told), put)
    yield api.Example("read_upload", (_says(200, {}), blob, told), api.Uploaded("https://up.test/a"))
    for status, body, step, kind in (
        (200, {"url": "https://up.test/a"}, first, api.ProviderUnavailable),
        (200, {**links, "url": "no link"}, first, api.ProviderUnavailable),
        (401, {"message": "x", **links}, first, api.AuthError),
        (413, {"message": "x"}, first, api.SubmitRefused),
        (403, {}, told, api.AuthError),
        (500, {}, told, api.ProviderUnavailable),
        (300, {}, told, api.ProviderUnavailable),
        (199, {}, told, api.ProviderUnavailable),
    ):
        yield api.Example("read_upload", (_says(status, body), blob, step), kind)


def _money(provider: Any) -> Iterator[api.Example]:
    """Return links that open with the key, the balance, and prices of the catalogue."""
    own = f"{provider.base_url}/v1/files/a.mp4"
    yield api.Example("build_download", (own,), _get(provider, "v1/files/a.mp4"))
    for link in (_VIDEO, own.replace("://", "://evil."), own.replace("/v1", ".evil.test/v1")):
        yield api.Example("build_download", (link,), None)
    yield api.Example("build_balance", (), _get(provider, "billing/balance"))
    cycle = {"remaining_micro_usd": 1_500_000}
    for status, body, told in (
        (200, {"balance_micro_usd": 2_000_000, "postpaid": None}, api.Balance(2.0, "USD")),
        (200, {"balance_micro_usd": 0}, api.Balance(0.0, "USD")),
        (
            200,
            {"balance_micro_usd": 2_000_000, "postpaid": {"active": True, "cycle": cycle}},
            api.Balance(1.5, "USD"),
        ),
        (
            200,
            {"balance_micro_usd": 2_000_000, "postpaid": {"active": False, "cycle": cycle}},
            api.Balance(2.0, "USD"),
        ),
        (200, {}, api.BadReply),
        (401, {"balance_micro_usd": 1, "code": "x"}, api.AuthError),
        (500, {"balance_micro_usd": 1}, api.ProviderUnavailable),
    ):
        yield api.Example("read_balance", (_says(status, body),), told)
    request = api.Generate("A cat", image=_PICTURE, duration=10, resolution="720p")
    quoted = {"prompt": "A cat", "image": _PICTURE, "duration_s": 10, "resolution": "720p"}
    path = f"{provider.base_url}/catalog/apis/pika%2Fpika-2.5%2Fimage-to-video/quote"
    sent = api.HttpRequest(method="POST", url=path, body=api.Json(quoted))
    yield api.Example("build_estimate", (request,), sent)
    blob = api.Generate(image=api.Blob(b"png", "image/png", "a.png"))
    yield api.Example("build_estimate", (blob,), None)
    same: Any = {"unit": "USD", "source": "Pika's catalogue", "model": "2.5"}
    price = _says(200, {"micro_usd": 300_000})
    long = api.Estimate(amount=0.3, duration=10, resolution="720p", **same)
    yield api.Example("read_estimate", (price, request), long)
    usual = api.Estimate(amount=0.3, duration=5, resolution="1080p", **same)
    yield api.Example("read_estimate", (price, _PLAIN), usual)
    free = api.Estimate(amount=0.0, duration=5, resolution="1080p", **same)
    yield api.Example("read_estimate", (_says(200, {"micro_usd": 0}), _PLAIN), free)
    for nothing in (None, _says(404, {"micro_usd": 1}), _says(200, {})):
        yield api.Example("read_estimate", (nothing, _PLAIN), None)
