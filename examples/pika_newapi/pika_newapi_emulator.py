"""The gateway's side of the same wire, for the sandbox; keys that begin with `sandbox` are good."""

import json
from collections.abc import Iterator, Mapping

import pika_async.provider as api


class NewApiEmulator:
    """Answer as a gateway does, and show the outcomes that the prompt orders."""

    paths = ("/pika/generate", "/pika/feed/")
    names = frozenset(
        {"promptText", "pikaffect", "model", "image", "options", "aspectRatio", "frameRate", "camera"}
        | {"parameters", "guidanceScale", "motion", "negativePrompt", "extend"}
    )

    def refusals(self) -> Iterator[tuple[api.HttpResponse, type[api.PikaError]]]:
        """Return what is known of a gateway's errors, for the conformance kit."""
        yield BAD_KEY, api.AuthError
        yield NO_MONEY, api.InsufficientBalance
        yield BAD_REQUEST, api.SubmitRefused
        yield BUSY, api.RateLimited
        yield BROKEN, api.SubmitUnknown

    def answer(self, request: api.HttpRequest, world: api.World, /) -> api.HttpResponse | api.Held:
        if not str(request.headers.get("authorization")).startswith("Bearer sandbox"):
            return BAD_KEY
        match request.method, request.body:
            case "GET", _:
                return look_up(request.url.rpartition("/")[2], world)
            case "POST", api.Json(value={"promptText": str(prompt)}) if prompt:
                return accept(prompt, world)
            case _:
                return BAD_REQUEST


def accept(prompt: str, world: api.World) -> api.HttpResponse | api.Held:
    """Refuse what the prompt orders to refuse, and bill the rest."""
    outcome = next((outcome for outcome in api.Outcome if outcome in prompt), None)
    match outcome:
        case api.Outcome.RATE_LIMITED:
            return BUSY
        case api.Outcome.RETRY_AFTER:
            return answer(429, error("rate_limit", "slow down"), {"retry-after": "2"})
        case api.Outcome.NO_BALANCE:
            return NO_MONEY
        case api.Outcome.SERVER_ERROR:
            return BROKEN
        case api.Outcome.HTML:
            page = {"content-type": "text/html"}
            return api.HttpResponse(status=502, headers=page, body=b"<html>Bad Gateway</html>")
    id_ = world.new_id()
    world.tasks[id_] = (world.now, world.now + world.render_time, prompt, outcome)
    world.bill(prompt)
    if outcome is api.Outcome.DROPPED:
        return api.Held(until=world.now)
    return answer(200, {"id": id_})


def look_up(id_: str, world: api.World) -> api.HttpResponse:
    """Tell how far the task is."""
    if id_ not in world.tasks:
        return answer(404, error("not_found", "there is no such task"))
    accepted_at, done_at, prompt, outcome = world.tasks[id_]
    video: dict[str, api.JSON] = {
        "id": id_,
        "status": "pending",
        "resultUrl": "",
        "error": "",
        "progress": 50,
    }
    if outcome is api.Outcome.NEVER_FINISHES or world.now < done_at:
        if world.now == accepted_at:
            video |= {"status": "queued", "progress": 0}
    elif outcome is api.Outcome.RENDER_FAILS:
        video |= {"status": "error", "error": "render failed", "progress": 0}
    elif outcome is api.Outcome.MODERATED_LATE:
        video |= {"status": "error", "error": "content violation", "progress": 0}
    elif outcome is api.Outcome.NO_LINK:
        video |= {"status": "finished", "progress": 100}
    else:
        video |= {"status": "finished", "progress": 100, "duration": 5}
        video |= {"resultUrl": world.media_url("video.mp4", id_)}
        video |= {"videoPoster": world.media_url("poster.jpg", id_)}
    return answer(200, {"id": id_, "promptText": prompt, "videos": [video]})


def error(code: str, message: str) -> Mapping[str, api.JSON]:
    """Make the body of an error."""
    return {"error": {"code": code, "message": message}}


def answer(
    status: int, body: Mapping[str, api.JSON], headers: Mapping[str, str] | None = None
) -> api.HttpResponse:
    """Make the gateway's answer."""
    headers = {"content-type": "application/json", **(headers or {})}
    return api.HttpResponse(status=status, headers=headers, body=json.dumps(body).encode())


BAD_KEY = answer(401, error("invalid_token", "this key is not known"))
NO_MONEY = answer(403, error("insufficient_user_quota", "user quota is not enough"))
BAD_REQUEST = answer(400, error("bad_request", "promptText is missing"))
BUSY = answer(429, error("rate_limit", "slow down"))
BROKEN = answer(500, error("internal", "try later"))
