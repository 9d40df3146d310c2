"""Pika's own side of the wire as its clients and partners tell it, for the sandbox; pure.

Where a result stands differs in the field and the sources do not say when, so each place has its
operations here: `/content` after a video was given, a link to the API itself after key frames, and the job's
own document for the rest. A link to the API redirects, as its clients saw it; with *serves_files* the API
sends the file itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, ClassVar, Final
from urllib.parse import unquote, urlsplit

from attrs import frozen

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
from pika_official import _answers_shown, _documents, _pushes_shown, _requests_shown
from pika_official._answered import answered
from pika_official._catalogue import catalogued
from pika_official._operations import OPERATIONS, invalid, price
from pika_official._signing import signed
from pika_official._storage import grant, stored

_START_BALANCE: Final = 1_000_000_000


@frozen(kw_only=True)
class _Job:
    id: str
    operation: str
    body: Mapping[str, Any]
    created_at: float
    render_time: float
    outcome: Outcome | None
    charge: int

    def status(self, now: float) -> str:
        """Return the word for where the job stands at the time *now*."""
        if now < self.created_at + 0.2 * self.render_time:
            return "queued"
        if self.outcome is Outcome.NEVER_FINISHES or now < self.created_at + self.render_time:
            return "running"
        failed = self.outcome in {Outcome.RENDER_FAILS, Outcome.MODERATED_LATE}
        return "failed" if failed else "completed"


@frozen
class _Replayable:
    """The first submit with an `Idempotency-Key`: what it held, and its job."""

    operation: str
    body: Mapping[str, Any]
    job: str


@frozen(kw_only=True)
class PikaEmulator:
    """Answer as Pika's clients expect it; keys that begin with `sandbox` are good."""

    serves_files: bool = False

    paths: ClassVar = ("/v1/media/", "/v1/files/", "/v1/webhooks/", "/billing/", "/catalog/")
    names: ClassVar = _documents.NAMES

    def refusals(self) -> Iterator[tuple[HttpResponse, type[PikaError]]]:
        """Return the known refusals of a submit, and what each means."""
        return _documents.refusals()

    def examples(self, provider: Any, /) -> Iterator[Example]:
        """Return what clients and partners show of requests and answers."""
        shown = _requests_shown.examples(provider), _answers_shown.examples(provider)
        return chain(*shown, _pushes_shown.examples())

    def limits(self, _provider: Any, /) -> Mapping[str, object]:
        """Return what they say of capabilities."""
        return _documents.LIMITS

    def answer(self, request: HttpRequest, world: World, /) -> HttpResponse | Held:
        path = unquote(urlsplit(request.url).path)
        body = request.body.value if isinstance(request.body, Json) else None
        if path.startswith("/catalog/apis/"):
            return catalogued(path.removeprefix("/catalog/apis/"), body)
        if path.startswith("/v1/media/storage/"):
            return stored(path, request.body, world)
        if refused := _unknown_key(request):
            return refused
        match request.method, path.split("/")[1:]:
            case "GET", ["v1", "media", "jobs", id_, *rest] if rest in ([], ["content"]):
                return _look_up(id_, world, content=bool(rest))
            case "DELETE", ["v1", "media", "jobs" | "uploads", *_]:
                return HttpResponse(status=204)
            case "POST", ["v1", "media", "uploads"]:
                return grant(body, world)
            case "POST", ["v1", "media", "pika", model, operation]:
                return _submit(f"{model}/{operation}", body, request, world)
            case "GET", ["v1", "files", _] if self.serves_files:
                return world.media("video.mp4", request)
            case "GET", ["v1", "files", name]:
                link = world.media_url("video.mp4", name.removesuffix(".mp4"))
                return HttpResponse(status=302, headers={"location": link})
            case "GET", ["v1", "webhooks", "deliveries"]:
                return answered(200, {"results": [], "next_cursor": None})
            case "GET", ["billing", "balance"]:
                spent = sum(job.charge for job in world.tasks.values() if isinstance(job, _Job))
                return answered(200, {"balance_micro_usd": _START_BALANCE - spent, "postpaid": None})
            case _:
                return answered(404, {"message": "not found"})


def _unknown_key(request: HttpRequest) -> HttpResponse | None:
    bearer = str(request.headers.get("authorization", "")).removeprefix("Bearer ")
    key = str(request.headers.get("x-api-key") or bearer)
    return None if key.startswith("sandbox") else answered(401, {"message": "Invalid API key."})


def _submit(operation: str, body: Any, request: HttpRequest, world: World) -> HttpResponse | Held:
    if operation not in OPERATIONS:
        return answered(404, {"message": "not found"})
    if why := invalid(operation, body, world.base_url):
        return answered(422, {"message": why})
    key = str(request.headers.get("idempotency-key", ""))
    first = world.tasks.get(f"key {key}")
    if first is not None:
        if (first.operation, first.body) != (operation, body):
            return answered(409, {"message": "This Idempotency-Key was used with another body."})
        return answered(200, _document(world.tasks[first.job], world))
    match outcome := Outcome.chosen_by(_words(body)):
        case Outcome.MODERATED:
            return _refused(200, "content_moderation", "The request was blocked.", world)
        case Outcome.NO_BALANCE:
            return _refused(403, "insufficient_balance", "Not enough balance for this job.", world)
        case Outcome.RATE_LIMITED:
            return answered(429, {"message": "concurrency limit exceeded: 20 video job(s) already in flight"})
        case Outcome.RETRY_AFTER:
            wrong: JSON = {"code": "rate_limited", "message": "slow down"}
            return answered(429, {"error": wrong}, {"retry-after": "2"})
        case Outcome.SERVER_ERROR:
            return answered(500, {"message": "internal error"})
        case Outcome.HTML:
            page = b"<html><body><h1>502 Bad Gateway</h1></body></html>"
            return HttpResponse(status=502, headers={"content-type": "text/html"}, body=page)
        case _:
            return _accept(operation, body, key, outcome, world)


def _accept(
    operation: str, body: Mapping[str, Any], key: str, outcome: Outcome | None, world: World
) -> HttpResponse | Held:
    job = _Job(
        id=f"media_{world.new_id()}",
        operation=operation,
        body=body,
        created_at=world.now,
        render_time=world.render_time,
        outcome=outcome,
        charge=price(operation, body),
    )
    world.tasks[job.id] = job
    if key:
        world.tasks[f"key {key}"] = _Replayable(operation, body, job.id)
    world.bill(_words(body))
    if world.account_url is not None and outcome is not Outcome.NEVER_FINISHES:
        _announce(job, world.account_url, world)
    if outcome is Outcome.DROPPED:
        return Held(until=world.now)
    return answered(200, {"id": job.id, "status": "queued", "error": None, "output": None})


def _words(body: Mapping[str, Any]) -> str:
    """Return the words of a submit, in which an outcome is chosen; an effect has no others than its name."""
    return str(body.get("prompt") or body.get("prompt_override") or body.get("pikaffect") or "")


def _look_up(id_: str, world: World, *, content: bool) -> HttpResponse:
    job = world.tasks.get(id_)
    if not isinstance(job, _Job):
        return answered(404, {"message": "not found"})
    if not content:
        return answered(200, _document(job, world))
    if job.status(world.now) != "completed":
        return answered(409, {"message": "The job is not finished."})
    linked = job.outcome is not Outcome.NO_LINK
    return answered(200, {"url": world.media_url("video.mp4", job.id) if linked else None})


def _document(job: _Job, world: World) -> dict[str, JSON]:
    status = job.status(world.now)
    body: dict[str, JSON] = {"id": job.id, "status": status, "error": None, "output": None}
    if status == "failed":
        late = job.outcome is Outcome.MODERATED_LATE
        code, message = ("content_moderation", "The request was blocked.") if late else _FAILED
        return {**body, "error": {"code": code, "message": message}}
    if status != "completed":
        return body
    body["billing"] = {"state": "settled", "charge_micro_usd": job.charge}
    if job.outcome is Outcome.NO_LINK or "video" in job.body:
        return body
    of_api = f"{world.base_url}/v1/files/{job.id}.mp4"
    link = of_api if "images" in job.body else world.media_url("video.mp4", job.id)
    video: JSON = {"url": link, "content_type": "video/mp4", "width": 1280, "height": 720}
    return {**body, "output": {"media_type": "video", "video": video}}


_FAILED: Final = ("provider_error", "The model failed.")


def _refused(status: int, code: str, message: str, world: World) -> HttpResponse:
    """Answer with a failed job, which is how a refusal looks once the job has a row."""
    error: JSON = {"code": code, "message": message}
    return answered(
        status, {"id": f"media_{world.new_id()}", "status": "failed", "error": error, "output": None}
    )


def _announce(job: _Job, url: str, world: World) -> None:
    """Push the end of a job to the account's address."""
    at = job.created_at + job.render_time
    status = job.status(at)
    told = {"type": f"media.job.{status}", "data": {"id": job.id, "status": status}}
    body = json.dumps(told, separators=(",", ":")).encode()
    world.call_back(url, body, at=at, headers=signed(body, f"msg_{world.new_id()}", int(at)))
