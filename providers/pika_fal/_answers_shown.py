"""The answers that fal's documents show, for the conformance kit; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pika_async.provider as api
from pika_fal._documents import MEANINGS
from pika_fal._signing import published, signed

_MODERATED, _DETAIL = "content_policy_violation", "The content could not be processed."
_PLAIN: Final = api.Generate("A cat")
_T: Final = api.Task("t1")
_VIDEO: Final = "https://cdn.test/v.mp4"
_SERVERS: Final = (
    "request_timeout startup_timeout runner_scheduling_failure runner_connection_timeout runner_disconnected "
    "runner_connection_refused runner_connection_error runner_incomplete_response runner_server_error"
)


def examples(provider: Any) -> Iterator[api.Example]:
    """Return what the adapter must make of answers."""
    yield from _accepted()
    yield from _statuses(provider)
    yield from _results()
    yield from _others(provider)
    yield from _pushes()


def says(status: int, body: Any, **headers: str) -> api.HttpResponse:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return api.HttpResponse(status=status, headers=named, body=json.dumps(body).encode())


def _accepted() -> Iterator[api.Example]:
    urls = {
        "status_url": "https://q.test/s",
        "response_url": "https://q.test/r",
        "cancel_url": "https://q.test/c",
    }
    body = {"request_id": "t1", "status": "IN_QUEUE", "queue_position": 4, **urls}
    task = api.Task("t1", urls)
    queued = api.Pending(task=task, state=api.State.QUEUED, queue_position=4, trace_id="tr")
    for status in (200, 202, 422, 500):
        yield api.Example("read_submit", (says(status, body, x_fal_request_id="tr"), _PLAIN), queued)
    bare = api.Pending(task=_T, state=api.State.QUEUED)
    yield api.Example("read_submit", (says(200, {"request_id": "t1"}), _PLAIN), bare)
    for status, told, error in (
        (422, MEANINGS[api.ContentBlocked][0][1], api.ContentBlocked("", code=_MODERATED, trace_id="tr")),
        (
            500,
            {"detail": "x"},
            api.SubmitUnknown("look at fal's dashboard", code="internal_error", trace_id="tr"),
        ),
        (
            403,
            {"detail": "User is locked."},
            api.InsufficientBalance("", code="internal_error", trace_id="tr"),
        ),
    ):
        answer = says(status, told, x_fal_request_id="tr", x_fal_error_type="internal_error")
        yield api.Example("read_submit", (answer, _PLAIN), error)


def _statuses(provider: Any) -> Iterator[api.Example]:
    over = api.Pending(task=api.Task("t1", {"completed": True}), poll_after=0)
    gone = api.Failed(task=_T, message="gone", code="runner_disconnected", charged="no", trace_id="tr")
    ours = api.Failed(task=_T, message="why", code="client_cancelled", charged="unknown", trace_id="tr")
    inner = api.Failed(task=_T, message="why", code="internal_error", charged="no", trace_id="tr")
    cases: list[tuple[dict[str, Any], api.Snapshot]] = [
        (
            {"status": "IN_QUEUE", "queue_position": 2},
            api.Pending(task=_T, state=api.State.QUEUED, queue_position=2, trace_id="tr"),
        ),
        ({"status": "IN_PROGRESS"}, api.Pending(task=_T, trace_id="tr")),
        ({"status": "ANOTHER"}, api.Pending(task=_T, trace_id="tr")),
        ({"status": "COMPLETED", "request_id": "t1"}, over),
        ({"status": "COMPLETED", "error": "", "error_type": " "}, over),
        ({"status": "COMPLETED", "error": "gone", "error_type": "runner_disconnected"}, gone),
        ({"status": "COMPLETED", "error": "why", "error_type": "client_cancelled"}, ours),
        ({"status": "COMPLETED", "error": "why", "error_type": "internal_error"}, inner),
        ({"status": "COMPLETED", "error": "why"}, api.Failed(task=_T, message="why", trace_id="tr")),
    ]
    for told, snapshot in cases:
        answer = says(200, told, x_fal_request_id="tr")
        yield api.Example("read_poll", (answer, [_T]), {"t1": snapshot})
    done: Any = {"status": "COMPLETED", "metrics": {}}
    more = api.Pending(task=over.task, poll_after=0, raw=done)
    yield api.Example("read_poll", (says(200, {**done, "logs": []}), [_T]), {"t1": more})
    echo = {"status": "IN_PROGRESS", "note": f"of {provider.api_key.reveal()}"}
    hidden = api.Pending(task=_T, raw={**echo, "note": "of ***"})
    yield api.Example("read_poll", (says(200, echo), [_T]), {"t1": hidden})
    kept = api.Pending(task=_T, raw={"status": "IN_PROGRESS"})
    answer = says(202, {"status": "IN_PROGRESS", "logs": [{"message": "m"}]})
    yield api.Example("read_poll", (answer, [_T]), {"t1": kept})
    for nothing in (
        says(200, {"status": "COMPLETED", "request_id": "t9"}),
        says(404, {"detail": "Not Found"}),
    ):
        yield api.Example("read_poll", (nothing, [_T]), {})
    for status, body, kind in (
        (401, {"detail": "x"}, api.ProviderUnavailable),
        (401, {"detail": "x", "error_type": "unauthorized"}, api.AuthError),
        (429, {"detail": "x"}, api.RateLimited),
        (500, {"detail": "x"}, api.ProviderUnavailable),
        (404, {}, api.BadReply),
        (200, {}, api.BadReply),
    ):
        yield api.Example("read_poll", (says(status, body), [_T]), kind)


def _results() -> Iterator[api.Example]:
    """Return the second answer of a look-up in two steps: that of the model itself."""
    task = api.Task("t1", {"completed": True})
    video = api.VideoResult("t1", _VIDEO, None, None, api.State.SUCCEEDED)
    done = api.Succeeded(task=task, results=(video,))
    bad = [{"loc": ["body", "prompt"], "msg": _DETAIL, "type": _MODERATED}]
    blocked = api.Failed(task=task, reason="content", message=_DETAIL, code=_MODERATED)
    for status, body, told in (
        (200, {"video": {"url": _VIDEO}}, done),
        (200, {"videos": [{"url": _VIDEO}]}, done),
        (200, {"video": None}, api.Failed(task=task, reason="no_output")),
        (422, {"detail": bad}, blocked),
        (
            400,
            {"detail": "bad", "error_type": "bad_request"},
            api.Failed(task=task, message="bad", code="bad_request"),
        ),
    ):
        yield api.Example("read_poll", (says(status, body), [task]), {"t1": told})
    for code in _SERVERS.split():
        failed = api.Failed(task=task, message="why", code=code, charged="no")
        answer = says(500, {"detail": "why", "error_type": code})
        yield api.Example("read_poll", (answer, [task]), {"t1": failed})
    yield api.Example("read_poll", (says(404, {"detail": "Not Found"}), [task]), {})
    unread: tuple[tuple[int, Any, type[api.PikaError]], ...] = (
        (500, {"detail": "x", "error_type": "internal_error"}, api.ProviderUnavailable),
        (500, {"video": {"url": _VIDEO}}, api.ProviderUnavailable),
        (400, {"detail": "Request is still in progress"}, api.BadReply),
        (422, {}, api.BadReply),
        (200, [], api.BadReply),
    )
    for status, body, kind in unread:
        yield api.Example("read_poll", (says(status, body), [task]), kind)


def _others(provider: Any) -> Iterator[api.Example]:
    """Return answers to a cancellation, an upload and the question for the balance."""
    asked, late = api.Cancelled.REQUESTED, api.Cancelled.TOO_LATE
    for status, body, word in (
        (202, {"status": "CANCELLATION_REQUESTED"}, asked),
        (200, {"success": True}, asked),
        (400, {"status": "ALREADY_COMPLETED"}, late),
        (404, {"status": "NOT_FOUND"}, late),
        (200, {"success": False}, late),
        (500, {}, api.ProviderUnavailable),
        (500, {"status": "CANCELLATION_REQUESTED"}, api.ProviderUnavailable),
        (200, {}, api.BadReply),
    ):
        yield api.Example("read_cancel", (says(status, body), _T), word)
    blob = api.Blob(b"png", "image/png", "a.png")
    first, ticket = api.Uploading(), {"token": "x", "base_url": "https://up.test/"}
    home = provider.base_url
    told = api.Uploading(told={"files": f"{home}/files/upload", "ticket": api.Secret("Bearer x")})
    yield api.Example("read_upload", (says(200, ticket), blob, first), told)
    typed = api.Uploading(told={"files": "https://up.test/files/upload", "ticket": api.Secret("Own x")})
    default = {"base_url": "https://queue.fal.run"}
    answer = says(200, {**ticket, "token_type": "Own"})
    yield api.Example("read_upload", (answer, blob, first), typed, options=default)
    link = says(200, {"access_url": "https://up.test/a.png"})
    yield api.Example("read_upload", (link, blob, told), api.Uploaded("https://up.test/a.png"))
    for status, body, step, kind in (
        (200, {"base_url": "https://up.test"}, first, api.ProviderUnavailable),
        (200, {"token": "x"}, first, api.ProviderUnavailable),
        (401, {"detail": "x", **ticket}, first, api.AuthError),
        (413, {"detail": "x"}, told, api.SubmitRefused),
        (500, {"access_url": "https://up.test/a.png"}, told, api.ProviderUnavailable),
        (200, {"access_url": "no link"}, told, api.ProviderUnavailable),
    ):
        yield api.Example("read_upload", (says(status, body), blob, step), kind)
    for status, money, balance in (
        (200, {"current_balance": 12.5, "currency": "EUR"}, api.Balance(12.5, "EUR")),
        (200, {"current_balance": "3"}, api.Balance(3.0, "USD")),
        (200, {}, api.BadReply),
        (401, {"current_balance": 1}, api.AuthError),
        (403, {}, api.AuthError),
        (500, {"current_balance": 1}, api.ProviderUnavailable),
    ):
        yield api.Example("read_balance", (says(status, {"credits": money}),), balance)


def _pushes() -> Iterator[api.Example]:
    """Return signed webhooks, and the same with one thing wrong."""
    keys, at = json.dumps(published()).encode(), 1_800_000_000
    video = api.VideoResult("t1", _VIDEO, None, None, api.State.SUCCEEDED)
    bad = [{"loc": ["body"], "msg": _DETAIL, "type": _MODERATED}]
    ok: dict[str, Any] = {"request_id": "t1", "status": "OK"}
    broken = {"request_id": "t1", "status": "ERROR", "error": "Invalid status code: 422"}
    blocked: Any = {"reason": "content", "message": broken["error"], "code": _MODERATED}
    empty = {**ok, "payload": {"video": None}}
    cases: list[tuple[Any, api.Snapshot | None]] = [
        ({**ok, "payload": {"video": {"url": _VIDEO}}}, api.Succeeded(task=_T, results=(video,))),
        ({**empty, "logs": []}, api.Failed(task=_T, reason="no_output", raw=empty)),
        ({**broken, "payload": {"detail": bad}}, api.Failed(task=_T, **blocked)),
        ({**broken, "payload": None}, api.Failed(task=_T, message=broken["error"])),
        ({"status": "OK"}, None),
        ([], None),
    ]
    for told, snapshot in cases:
        body = json.dumps(told).encode()
        yield api.Example("read_callback", (body, signed(body, "t1", at), at, keys), snapshot)
    body = json.dumps(ok).encode()
    headers = signed(body, "t1", at)
    forged: tuple[tuple[bytes, Mapping[str, str], float, bytes | None], ...] = (
        (body + b" ", headers, at, keys),
        (body, {}, at, keys),
        (body, {**headers, "x-fal-webhook-request-id": "t2"}, at, keys),
        (body, headers, at + 3600, keys),
        (body, headers, at, None),
    )
    for one in forged:
        yield api.Example("read_callback", one, None)
