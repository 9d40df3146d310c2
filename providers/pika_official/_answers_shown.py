"""The answers that the clients and partners of Pika's own API show, for the conformance kit; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pika_async.provider as api
from pika_official._documents import job, says
from pika_official._requests_shown import get, post

_PICTURE, _CLIP, _SEA = "https://media.test/cat.png", "https://media.test/cat.mp4", "https://media.test/s.png"
_PLAIN: Final = api.Generate("A cat")
_T: Final = api.Task("t1")
_VIDEO: Final = "https://cdn.test/v.mp4"


def examples(provider: Any) -> Iterator[api.Example]:
    """Return what the adapter must make of answers."""
    yield from _accepted()
    yield from _jobs(provider)
    yield from _contents()
    yield from _uploads(provider)
    yield from _money(provider)


def _accepted() -> Iterator[api.Example]:
    read = "read_submit"
    queued = api.Pending(task=_T, state=api.State.QUEUED, trace_id="tr")
    for status in (200, 201, 409, 500):
        answer = says(status, job("queued"), x_request_id="tr")
        yield api.Example(read, (answer, _PLAIN), queued)
    yield api.Example(read, (says(200, {"id": "t1"}), _PLAIN), api.Pending(task=_T))
    yield api.Example(read, (says(500, {"id": "t1"}), _PLAIN), api.SubmitUnknown)
    for code, error in (
        ("content_moderation", api.ContentBlocked("", code="content_moderation", trace_id="tr")),
        ("insufficient_balance", api.InsufficientBalance("", code="insufficient_balance", trace_id="tr")),
        ("rate_limited", api.RateLimited("", code="rate_limited", trace_id="tr")),
    ):
        failed = job("failed", error={"code": code, "message": "why"})
        yield api.Example(read, (says(200, failed, x_request_id="tr"), _PLAIN), error)
        flat = {"code": code, "message": "why"}
        yield api.Example(read, (says(400, flat, x_request_id="tr"), _PLAIN), error)
        both = {"code": "another", "error": {"code": code, "message": "why"}}
        yield api.Example(read, (says(400, both, x_request_id="tr"), _PLAIN), error)
    unmade = says(403, {"message": "caller_plan_required"})
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
        (job("queued"), api.Pending(task=_T, state=api.State.QUEUED)),
        (job("running"), api.Pending(task=_T)),
        (job("another"), api.Pending(task=_T)),
        (job("running", billing=open_bill), api.Pending(task=_T)),
        (
            job("completed", output=output, billing=bill),
            api.Succeeded(task=_T, results=(video,), cost=0.25),
        ),
        (job("completed", output=output), api.Succeeded(task=_T, results=(video,))),
        (job("completed", billing=bill), over),
        (
            job("completed"),
            api.Pending(task=api.Task("t1", {"completed": True, "cost": None}), poll_after=0),
        ),
        (job("failed", error=wrong), api.Failed(task=_T, charged="no", **failed)),
        (
            job("failed", error=wrong, billing=open_bill),
            api.Failed(task=_T, charged="unknown", **failed),
        ),
        (
            job("failed", error=wrong, billing=bill),
            api.Failed(task=_T, charged="yes", cost=0.25, **failed),
        ),
        (
            job("failed", error=wrong, billing=free),
            api.Failed(task=_T, charged="no", cost=0.0, **failed),
        ),
        (job("cancelled"), api.Failed(task=_T, charged="no")),
        (
            job("failed", error=blocked),
            api.Failed(task=_T, reason="content", message="no", code="content_moderation", charged="no"),
        ),
    ]
    for body, told in cases:
        yield api.Example("read_poll", (says(200, body), [_T]), {"t1": told})
    refused = says(422, job("failed", error=wrong))
    yield api.Example("read_poll", (refused, [_T]), {"t1": api.Failed(task=_T, charged="no", **failed)})
    echo = {**job("running"), "note": f"of {provider.api_key.reveal()}"}
    hidden = api.Pending(task=_T, raw={**echo, "note": "of ***"})
    yield api.Example("read_poll", (says(200, echo), [_T]), {"t1": hidden})
    kept = api.Pending(task=_T, raw=job("running"))
    yield api.Example("read_poll", (says(200, job("running")), [_T]), {"t1": kept})
    for nothing in (
        says(200, {**job("completed"), "id": "t9"}),
        says(404, {"message": "not found"}),
        says(200, {"id": "t1"}),
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
        (500, job("running"), api.ProviderUnavailable),
        (404, {}, api.BadReply),
        (200, {}, api.BadReply),
        (400, {**job("failed", error=wrong), "id": "t9"}, api.BadReply),
    ):
        yield api.Example("read_poll", (says(status, body), [_T]), kind)


def _contents() -> Iterator[api.Example]:
    """Return the second answers of a look-up in two steps: a link, a redirect, or not done after all."""
    task = api.Task("t1", {"completed": True, "cost": 0.25})
    video = api.VideoResult("t1", _VIDEO, None, None, api.State.SUCCEEDED)
    done = api.Succeeded(task=task, results=(video,), cost=0.25)
    again = api.Pending(task=api.Task("t1", {"completed": False}))
    for answer, told in (
        (says(200, {"url": _VIDEO}), done),
        *((says(status, {}, location=_VIDEO), done) for status in (302, 303, 307)),
        (says(200, {"url": None}), again),
        (says(200, {"url": "no link"}), again),
        (says(409, {"message": "x"}), again),
    ):
        yield api.Example("read_poll", (answer, [task]), {"t1": told})
    yield api.Example("read_poll", (says(404, {"message": "x"}), [task]), {})
    for status, kind in ((500, api.ProviderUnavailable), (429, api.RateLimited)):
        yield api.Example("read_poll", (says(status, {"message": "x"}), [task]), kind)


def _uploads(provider: Any) -> Iterator[api.Example]:
    blob, first = api.Blob(b"png", "image/png", "a.png"), api.Uploading()
    asked = post(provider, "v1/media/uploads", {"content_type": "image/png", "size_bytes": 3})
    yield api.Example("build_upload", (blob, first), asked)
    links = {"upload_url": "https://up.test/a?sig=s", "url": "https://up.test/a"}
    granted = {**links, "headers": {"Content-Type": "image/png", "Content-Length": "3", "x-a": "1", "b": 5}}
    told = api.Uploading(told={**links, "headers": {"Content-Type": "image/png", "x-a": "1"}})
    yield api.Example("read_upload", (says(200, granted), blob, first), told)
    put = api.HttpRequest(
        method="PUT",
        url="https://up.test/a",
        query={"sig": "s"},
        headers={"Content-Type": "image/png", "x-a": "1"},
        body=blob,
    )
    yield api.Example("build_upload", (blob, told), put)
    yield api.Example("read_upload", (says(200, {}), blob, told), api.Uploaded("https://up.test/a"))
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
        yield api.Example("read_upload", (says(status, body), blob, step), kind)


def _money(provider: Any) -> Iterator[api.Example]:
    """Return links that open with the key, the balance, and prices of the catalogue."""
    own = f"{provider.base_url}/v1/files/a.mp4"
    yield api.Example("build_download", (own,), get(provider, "v1/files/a.mp4"))
    for link in (_VIDEO, own.replace("://", "://evil."), own.replace("/v1", ".evil.test/v1")):
        yield api.Example("build_download", (link,), None)
    yield api.Example("build_balance", (), get(provider, "billing/balance"))
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
        yield api.Example("read_balance", (says(status, body),), told)
    request = api.Generate("A cat", image=_PICTURE, duration=10, resolution="720p")
    quoted = {"prompt": "A cat", "image": _PICTURE, "duration_s": 10, "resolution": "720p"}
    path = f"{provider.base_url}/catalog/apis/pika%2Fpika-2.5%2Fimage-to-video/quote"
    sent = api.HttpRequest(method="POST", url=path, body=api.Json(quoted))
    yield api.Example("build_estimate", (request,), sent)
    blob = api.Generate(image=api.Blob(b"png", "image/png", "a.png"))
    yield api.Example("build_estimate", (blob,), None)
    same: Any = {"unit": "USD", "source": "Pika's catalogue", "model": "2.5"}
    price = says(200, {"micro_usd": 300_000})
    long = api.Estimate(amount=0.3, duration=10, resolution="720p", **same)
    yield api.Example("read_estimate", (price, request), long)
    usual = api.Estimate(amount=0.3, duration=5, resolution="1080p", **same)
    yield api.Example("read_estimate", (price, _PLAIN), usual)
    free = api.Estimate(amount=0.0, duration=5, resolution="1080p", **same)
    yield api.Example("read_estimate", (says(200, {"micro_usd": 0}), _PLAIN), free)
    for nothing in (None, says(404, {"micro_usd": 1}), says(200, {})):
        yield api.Example("read_estimate", (nothing, _PLAIN), None)
