"""Comfy Router's side of the wire as its documents and its client tell it, for the sandbox; pure.

A key that begins with `sandbox-unqueued` is of a workspace without a queue, which only the held route serves.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final
from urllib.parse import urlsplit

from attrs import evolve, frozen

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
from pika_comfy import _answers_shown, _documents, _requests_shown
from pika_comfy._models import MODELS, invalid

_CREDITS: Final = "4.22"
_FAILS: Final[Mapping[Outcome | None, str]] = {
    Outcome.RENDER_FAILS: "provider_error",
    Outcome.MODERATED_LATE: "content_moderation",
}
"""Pika's own codes for renders that fail, in its job document."""


@frozen(kw_only=True)
class _Call:
    id: str
    model: str
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


@frozen
class _First:
    """The first call under an `Idempotency-Key`: its path and body, and what it made."""

    path: str
    body: Mapping[str, Any]
    call: str


class ComfyEmulator:
    """Answer as Comfy Router is documented to; keys that begin with `sandbox` are good."""

    paths = ("/v2/models",)
    names = _documents.NAMES

    def refusals(self) -> Iterator[tuple[HttpResponse, type[PikaError]]]:
        """Return the documented refusals of a submit, and what each means."""
        return _documents.refusals()

    def examples(self, provider: Any, /) -> Iterator[Example]:
        """Return what the documents show of requests and answers."""
        return chain(_requests_shown.examples(provider), _answers_shown.examples(provider))

    def limits(self, provider: Any, /) -> Mapping[str, object]:
        """Return what the documents say of capabilities; keys are kept on the held route."""
        return {**_documents.LIMITS, "replay": _documents.REPLAY if provider.held else None}

    def answer(self, request: HttpRequest, world: World, /) -> HttpResponse | Held:
        key = str(request.headers.get("x-api-key") or request.headers.get("authorization", ""))
        if not key.removeprefix("Bearer ").startswith("sandbox"):
            return _error(401, "unauthorized", "A credential is needed.", world)
        match request.method, urlsplit(request.url).path.split("/")[3:]:
            case "GET", []:
                models: list[JSON] = [
                    {"id": f"pika/{name}", "provider": "pika", "model": name} for name in MODELS
                ]
                page: dict[str, JSON] = {"data": models, "has_more": False, "next_cursor": None}
                return _json(200, {**page, "limit": 20}, world)
            case "POST", ["pika", model]:
                return _submit(model, request, world, queued=False)
            case "POST", ["pika", _, "requests"] if key.startswith("sandbox-unqueued"):
                why = "Queued delivery is not switched on for this workspace."
                return _error(403, "not_enabled", why, world)
            case "POST", ["pika", model, "requests"]:
                return _submit(model, request, world, queued=True)
            case _, ["pika", model, "requests", id_, *rest]:
                return _request(request.method, model, id_, rest, world)
            case _:
                return _error(404, "model_not_found", "No such model.", world)


def _submit(model: str, request: HttpRequest, world: World, *, queued: bool) -> HttpResponse | Held:
    if model not in MODELS:
        return _error(
            404, "model_not_found", "No such model. Did you mean pika/pika-2.5-text-to-video?", world
        )
    body = request.body.value if isinstance(request.body, Json) else None
    if not isinstance(body, Mapping):
        return _error(400, "invalid_input", "Malformed request body.", world)
    if why := invalid(model, body):
        return _json(422, {"detail": [why]}, world, {"x-comfy-error-type": "invalid_input"})
    path, key = urlsplit(request.url).path, str(request.headers.get("idempotency-key", ""))
    first = world.tasks.get(f"key {key}")
    if isinstance(first, _First):
        if (first.path, first.body) != (path, body):
            return _error(409, "invalid_input", "This key was used for a different request.", world)
        return _answer(world.tasks[first.call], world, queued=queued, replayed=True)
    match outcome := Outcome.chosen_by(str(body.get("prompt", ""))):
        case Outcome.MODERATED:
            # A model may charge for what its policy rejects, and Pika's do not say whether they do.
            world.bill(str(body.get("prompt", "")))
            return _error(400, "content_policy_violation", "The partner refused the request.", world)
        case Outcome.NO_BALANCE:
            return _error(402, "insufficient_credits", "Not enough credits.", world)
        case Outcome.RATE_LIMITED:
            return _error(429, "queue_backlog_full", "Too many queued requests.", world)
        case Outcome.RETRY_AFTER:
            return _error(429, "rate_limited", "Request allowance used up.", world, {"retry-after": "2"})
        case Outcome.SERVER_ERROR:
            return _error(500, "internal_error", "Router failed.", world)
        case Outcome.HTML:
            page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            return HttpResponse(status=502, headers={"content-type": "text/html"}, body=page)
    call = _Call(
        id=world.new_id(),
        model=model,
        created_at=world.now,
        render_time=world.render_time,
        outcome=outcome,
    )
    world.tasks[call.id] = call
    if key:
        world.tasks[f"key {key}"] = _First(path, body, call.id)
    world.bill(str(body.get("prompt", "")))
    return Held(until=world.now) if outcome is Outcome.DROPPED else _answer(call, world, queued=queued)


def _answer(call: _Call, world: World, *, queued: bool, replayed: bool = False) -> HttpResponse | Held:
    """Answer a submit: at once with an id on the queue route, on the held one with the finished job."""
    headers = {"idempotent-replayed": "true"} if replayed else {}
    if queued:
        home = f"{world.base_url}/v2/models/pika/{call.model}/requests/{call.id}"
        urls: dict[str, JSON] = {"status_url": f"{home}/status", "response_url": home}
        body: dict[str, JSON] = {"request_id": call.id, "status": "IN_QUEUE", **urls}
        return _json(201, {**body, "cancel_url": f"{home}/cancel"}, world, headers)
    if not replayed and call.outcome not in _FAILS:
        headers["x-comfy-credits-used"] = _CREDITS
    if call.outcome is Outcome.NEVER_FINISHES:
        late = _error(
            504, "deadline_exceeded", "The connection bound was reached.", world, {"retry-after": "5"}
        )
        return Held(until=call.created_at + 2 * call.render_time, answer=lambda: late)
    return Held(
        until=call.created_at + call.render_time,
        answer=lambda: _json(200, _result(call, world), world, headers),
    )


def _request(method: str, model: str, id_: str, rest: list[str], world: World) -> HttpResponse:
    """Answer under a request's three addresses: status, result and cancel."""
    call = world.tasks.get(id_)
    if not isinstance(call, _Call) or call.model != model:
        return _error(404, "request_not_found", "No such request.", world)
    status = call.status(world.now)
    match method, rest:
        case "GET", ["status"]:
            return _json(200, _status(call, status), world)
        case "GET", [] if call.cancelled:
            return _error(409, "cancelled", "The request was cancelled.", world)
        case "GET", [] if status == "COMPLETED":
            return _json(200, _result(call, world), world, {"x-comfy-credits-used": _CREDITS})
        case "GET", []:
            return _json(200, _status(call, status), world)
        case "PUT", ["cancel"] if status == "COMPLETED":
            return _json(409, {"status": "ALREADY_COMPLETED"}, world)
        case "PUT", ["cancel"]:
            if status == "IN_QUEUE":
                world.tasks[id_] = evolve(call, cancelled=True)
            return _json(202, {"status": "CANCELLATION_REQUESTED"}, world)
    return _error(404, "request_not_found", "No such request.", world)


def _status(call: _Call, status: str) -> dict[str, JSON]:
    body: dict[str, JSON] = {"status": status, "request_id": call.id}
    if status == "IN_QUEUE":
        return {**body, "queue_position": 0}
    if status != "COMPLETED":
        return body
    if call.cancelled:
        return {**body, "error_type": "cancelled", "detail": "The request was withdrawn."}
    match call.outcome:
        case Outcome.RENDER_FAILS:
            return {**body, "error_type": "provider_error", "detail": "The partner reported a failure."}
        case Outcome.MODERATED_LATE:
            return {**body, "error_type": "content_policy_violation", "detail": "The partner refused it."}
        case _:
            return body


def _result(call: _Call, world: World) -> dict[str, JSON]:
    """Return Pika's own job document, which Comfy passes on."""
    body: dict[str, JSON] = {"id": f"media_{call.id}", "status": "completed", "error": None}
    if call.outcome in _FAILS:
        why: JSON = {"code": _FAILS[call.outcome], "message": "The partner reported a failure."}
        return {**body, "status": "failed", "error": why, "output": None}
    if call.outcome is Outcome.NO_LINK:
        return {**body, "output": None}
    video: JSON = {"url": world.media_url("video.mp4", call.id), "content_type": "video/mp4"}
    return {**body, "output": {"media_type": "video", "video": video}}


def _error(
    status: int, bucket: str, detail: str, world: World, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    named = {"x-comfy-error-type": bucket, **(headers or {})}
    return _json(status, {"detail": detail, "error_type": bucket}, world, named)


def _json(
    status: int, body: Mapping[str, JSON], world: World, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    common = {"content-type": "application/json", "x-comfy-request-id": world.new_id()}
    return HttpResponse(
        status=status,
        headers=common | dict(headers or {}),
        body=json.dumps(body, ensure_ascii=False).encode(),
    )
