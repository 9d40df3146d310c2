"""fal's side of the wire as its documents tell it, for the sandbox: all of its hosts in one; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import evolve, frozen

from pika_async.provider import (
    JSON,
    Blob,
    Example,
    Held,
    HttpRequest,
    HttpResponse,
    Json,
    Outcome,
    PikaError,
    World,
)
from pika_fal import _answers_shown, _documents, _requests_shown
from pika_fal._endpoints import ENDPOINTS, invalid
from pika_fal._signing import published, signed

_APP: Final = "/fal-ai/pika/"


@frozen(kw_only=True)
class _Task:
    id: str
    endpoint: str
    prompt: str
    created_at: float
    render_time: float
    outcome: Outcome | None
    cancelled: bool = False

    def status(self, now: float) -> str:
        """Return the queue's word at the time *now*; an end of any kind is `COMPLETED`."""
        if self.cancelled:
            return "COMPLETED"
        if now < self.created_at + 0.2 * self.render_time:
            return "IN_QUEUE"
        over = now >= self.created_at + self.render_time and self.outcome is not Outcome.NEVER_FINISHES
        return "COMPLETED" if over else "IN_PROGRESS"


class FalEmulator:
    """Answer as fal is documented to; keys that begin with `sandbox` are good."""

    paths = ("/fal-ai/", "/storage/", "/files/", "/.well-known/jwks.json", "/v1/account/")
    names = _documents.NAMES

    def refusals(self) -> Iterator[tuple[HttpResponse, type[PikaError]]]:
        """Return the documented refusals of a submit, and what each means."""
        return _documents.refusals()

    def examples(self, provider: Any, /) -> Iterator[Example]:
        """Return what the documents show of requests and answers."""
        return chain(_requests_shown.examples(provider), _answers_shown.examples(provider))

    def limits(self, _provider: Any, /) -> Mapping[str, object]:
        """Return what the documents say of capabilities."""
        return _documents.LIMITS

    def answer(self, request: HttpRequest, world: World, /) -> HttpResponse | Held:
        path = urlsplit(request.url).path
        match request.method, path.split("/")[1:]:
            case "GET", [".well-known", "jwks.json"]:
                return _json(200, published())
            case "POST", ["files", "upload"]:
                return _upload(request, world)
            case "GET", ["files", *_]:
                kept = world.tasks.get(path)
                if isinstance(kept, Blob):
                    return HttpResponse(status=200, body=kept.data)
                return _json(404, {"detail": "Not Found"})
        key = str(request.headers.get("authorization", ""))
        if not key.startswith("Key sandbox"):
            app = "Authentication is required to access this application."
            return _json(401, {"detail": f'Cannot access application "fal-ai/pika". {app}'})
        match request.method, path.split("/")[1:]:
            case _, ["fal-ai", "pika", "requests", id_, *rest]:
                return _request(request.method, id_, rest, world)
            case "POST", ["fal-ai", "pika", *endpoint]:
                return _submit("/".join(endpoint), request, world)
            case "POST", ["storage", "auth", "token"]:
                token: dict[str, JSON] = {"token": f"ticket-{world.new_id()}", "token_type": "Bearer"}
                return _json(
                    200, {**token, "base_url": world.base_url, "expires_at": "2026-12-31T00:00:00+00:00"}
                )
            case "GET", ["v1", "account", "billing"]:
                credits_: JSON = {"current_balance": 100 - 0.2 * len(_tasks(world)), "currency": "USD"}
                return _json(200, {"username": "sandbox", "credits": credits_})
            case _:
                return _json(404, {"detail": "Not Found"})


def _tasks(world: World) -> list[_Task]:
    return [task for task in world.tasks.values() if isinstance(task, _Task)]


def _submit(endpoint: str, request: HttpRequest, world: World) -> HttpResponse | Held:
    if endpoint not in ENDPOINTS:
        return _json(404, {"detail": "Not Found"})
    body = request.body.value if isinstance(request.body, Json) else None
    if not isinstance(body, Mapping):
        return _typed(400, "bad_request", "Malformed request")
    if why := invalid(endpoint, body):
        return _json(422, {"detail": [why]})
    words = str(body.get("prompt") or body.get("pikaffect") or "")
    match outcome := Outcome.chosen_by(words):
        case Outcome.MODERATED:
            return _json(422, _moderated("prompt"))
        case Outcome.NO_BALANCE:
            return _json(403, {"detail": "User is locked. Reason: Exhausted balance."})
        case Outcome.RATE_LIMITED:
            return _json(429, {"detail": "Queue is longer than fal_max_queue_length"})
        case Outcome.RETRY_AFTER:
            return _json(429, {"detail": "Too many requests"}, {"retry-after": "2"})
        case Outcome.SERVER_ERROR:
            return _typed(500, "internal_error", "Internal error")
        case Outcome.HTML:
            page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            return HttpResponse(status=502, headers={"content-type": "text/html"}, body=page)
    task = _Task(
        id=world.new_id(),
        endpoint=endpoint,
        prompt=words,
        created_at=world.now,
        render_time=world.render_time,
        outcome=outcome,
    )
    world.tasks[task.id] = task
    world.bill(words)
    webhook = request.query.get("fal_webhook")
    if webhook and outcome is not Outcome.NEVER_FINISHES:
        _announce(task, str(webhook), world)
    if outcome is Outcome.DROPPED:
        return Held(until=world.now)
    home = f"{world.base_url}{_APP}requests/{task.id}"
    urls: dict[str, JSON] = {
        "response_url": home,
        "status_url": f"{home}/status",
        "cancel_url": f"{home}/cancel",
    }
    return _json(200, {"status": "IN_QUEUE", "request_id": task.id, **urls, "queue_position": 0})


def _moderated(name: str) -> dict[str, JSON]:
    kind = "content_policy_violation"
    error: dict[str, JSON] = {
        "loc": ["body", name],
        "msg": "The content could not be processed.",
        "type": kind,
    }
    return {"detail": [error]}


def _request(method: str, id_: str, rest: list[str], world: World) -> HttpResponse:
    """Answer under the three addresses of a submit's answer: status, result and cancel."""
    task = world.tasks.get(id_)
    if not isinstance(task, _Task):
        return _json(404, {"status": "NOT_FOUND"} if rest == ["cancel"] else {"detail": "Not Found"})
    status = task.status(world.now)
    match method, rest:
        case "GET", ["status"]:
            return _status(task, status, world)
        case "GET", [] | ["response"] if status == "COMPLETED":
            return _json(*_result(task, world))
        case "GET", [] | ["response"]:
            return _json(400, {"detail": "Request is still in progress"})
        case "PUT", ["cancel"] if status == "COMPLETED":
            return _json(400, {"status": "ALREADY_COMPLETED"})
        case "PUT", ["cancel"]:
            if status == "IN_QUEUE":
                world.tasks[id_] = evolve(task, cancelled=True)
            return _json(202, {"status": "CANCELLATION_REQUESTED"})
    return _json(405, {"detail": "Method Not Allowed"})


def _status(task: _Task, status: str, world: World) -> HttpResponse:
    home = f"{world.base_url}{_APP}requests/{task.id}"
    body: dict[str, JSON] = {"status": status, "request_id": task.id, "response_url": home}
    if status == "IN_QUEUE":
        return _json(202, {**body, "queue_position": 0})
    if status == "IN_PROGRESS":
        return _json(202, {**body, "logs": [{"message": "generating"}]})
    done: dict[str, JSON] = {**body, "logs": None, "metrics": {}}
    if task.cancelled:
        done |= {"error": "Request was cancelled", "error_type": "client_cancelled"}
    elif task.outcome is Outcome.RENDER_FAILS:
        done |= {"error": "Runner disconnected", "error_type": "runner_disconnected"}
    return _json(200, done)


def _result(task: _Task, world: World) -> tuple[int, dict[str, JSON]]:
    match task.outcome:
        case Outcome.MODERATED_LATE:
            return 422, _moderated("prompt")
        case Outcome.NO_LINK:
            return 200, {"video": None}
        case _:
            return 200, {"video": {"url": world.media_url("video.mp4", task.id), "content_type": "video/mp4"}}


def _announce(task: _Task, url: str, world: World) -> None:
    """Push the end of a task, signed with the key that `jwks.json` publishes."""
    at = task.created_at + task.render_time
    status, payload = _result(task, world)
    failed = status != 200 or task.outcome is Outcome.RENDER_FAILS
    body: dict[str, JSON] = {"request_id": task.id, "gateway_request_id": task.id}
    if failed:
        detail: JSON = payload if status != 200 else {"detail": "Runner disconnected"}
        body |= {"status": "ERROR", "error": f"Invalid status code: {status}", "payload": detail}
    else:
        body |= {"status": "OK", "payload": payload}
    raw = json.dumps(body).encode()
    world.call_back(url, raw, at=at, headers=signed(raw, task.id, int(at)))


def _upload(request: HttpRequest, world: World) -> HttpResponse:
    """Take raw bytes from whoever holds a ticket, not the key."""
    ticket = str(request.headers.get("authorization", ""))
    if not ticket.startswith("Bearer ticket-") or not isinstance(request.body, Blob):
        return _json(401, {"detail": "Unauthorized"})
    path = f"/files/{world.new_id()}"
    world.tasks[path] = request.body
    return _json(200, {"access_url": f"{world.base_url}{path}"})


def _typed(status: int, kind: str, detail: str) -> HttpResponse:
    headers = {"x-fal-error-type": kind, "x-fal-request-id": "sandbox"}
    return _json(status, {"detail": detail, "error_type": kind}, headers)


def _json(status: int, body: Mapping[str, JSON], headers: Mapping[str, str] | None = None) -> HttpResponse:
    return HttpResponse(
        status=status,
        headers={"content-type": "application/json", **(headers or {})},
        body=json.dumps(body, ensure_ascii=False).encode(),
    )
