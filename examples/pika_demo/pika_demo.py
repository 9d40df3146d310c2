"""A whole provider: copy this file to write your own.

The imagined API: `POST /v1/videos` answers `{"id": ...}`, `GET /v1/videos/<id>` tells its state. The
adapter translates between that and pika_async's values; it never sends, waits, reads files or logs.
"""

import json
from collections.abc import Mapping, Sequence
from typing import ClassVar

from attrs import field, frozen

import pika_async.provider as api

REFUSALS = {401: api.AuthError, 402: api.InsufficientBalance, 422: api.SubmitRefused, 429: api.RateLimited}


@frozen
class Video:
    """The one shape of the wire; whatever else the provider sends is ignored."""

    id: str | None = None
    state: str | None = None
    url: str | None = None
    error: str | None = None


def _base_url(url: str | None) -> str:
    return (url or "https://api.demo.invalid").rstrip("/")


@frozen(kw_only=True)
class Demo:
    """Speak Demo's dialect."""

    api_key: api.Secret = field(converter=api.Secret)
    base_url: str = field(default=None, converter=_base_url)
    capabilities: ClassVar[api.Capabilities] = api.Capabilities(
        kinds={api.Generate}, fields={"seed", "aspect_ratio"}, key_variables=("DEMO_API_KEY",)
    )

    @property
    def _headers(self) -> dict[str, str | api.Secret]:
        return {"authorization": self.api_key.within("Bearer {}")}

    def build_submit(self, request: api.VideoRequest, _call: api.Call, /) -> api.HttpRequest:
        """Send what the caller set; a field that the wire calls something else would be renamed here."""
        given = api.fields_set(request)
        body = {**given, **given.pop("extra_body", {})}
        url = f"{self.base_url}/v1/videos"
        return api.HttpRequest(method="POST", url=url, headers=self._headers, body=api.Json(body))

    def read_submit(self, response: api.HttpResponse, _request: api.VideoRequest, /) -> api.Snapshot:
        """Raise a refusal only for what the provider documents as one: it proves that nothing was bought."""
        video = api.read_json(response, Video)
        if video.id:
            return api.Pending(task=api.Task(video.id))
        refusal = REFUSALS.get(response.status) if video.error else None
        raise (refusal or api.SubmitUnknown)(f"Demo answered HTTP {response.status} without a video.")

    def build_poll(self, tasks: Sequence[api.Task], /) -> api.HttpRequest:
        url = f"{self.base_url}/v1/videos/{tasks[0].id}"
        return api.HttpRequest(method="GET", url=url, headers=self._headers)

    def read_poll(
        self, response: api.HttpResponse, tasks: Sequence[api.Task], /
    ) -> Mapping[str, api.Snapshot]:
        """Return what is known of the task: nothing after a 404, an error for what speaks of the call."""
        if response.status == 404:
            return {}
        if response.status != 200:
            kind = REFUSALS.get(response.status, api.BadReply)
            raise kind(f"Demo answered HTTP {response.status}; look again later.")
        video = api.read_json(response, Video)
        return {task.id: snapshot(task, video) for task in tasks if task.id == video.id}


def snapshot(task: api.Task, video: Video) -> api.Snapshot:
    """Translate the provider's words for where *task* stands; a word we do not know is still running."""
    match video:
        case Video(state="done", url=str(url)):
            result = api.VideoResult(task.id, url, None, None, api.State.SUCCEEDED)
            return api.Succeeded(task=task, results=(result,))
        case Video(state="done"):
            return api.Failed(task=task, reason="no_output")
        case Video(state="failed", error=why):
            return api.Failed(task=task, message=why or "")
        case _:
            return api.Pending(task=task)


class DemoEmulator:
    """The provider's side of the same wire, for the sandbox; keys that begin with `sandbox` are good."""

    paths = ("/v1/videos",)

    def answer(self, request: api.HttpRequest, world: api.World, /) -> api.HttpResponse | api.Held:
        if not str(request.headers.get("authorization")).startswith("Bearer sandbox"):
            return answer(401, {"error": "unknown key"})
        match request.method, request.body:
            case "GET", _:
                id_ = request.url.rpartition("/")[2]
                done_at = world.tasks.get(id_)
                if done_at is None:
                    return answer(404, {"error": "unknown video"})
                if world.now < done_at:
                    return answer(200, {"id": id_, "state": "running"})
                return answer(200, {"id": id_, "state": "done", "url": world.media_url("video.mp4", id_)})
            case "POST", api.Json(value={"prompt": str(prompt)}):
                id_ = world.new_id()
                world.tasks[id_] = world.now + world.render_time
                world.bill(prompt)
                return answer(200, {"id": id_, "state": "running"})
            case _:
                return answer(422, {"error": "prompt is missing"})


def answer(status: int, body: Mapping[str, api.JSON]) -> api.HttpResponse:
    """Make the provider's answer."""
    return api.HttpResponse(
        status=status, headers={"content-type": "application/json"}, body=json.dumps(body).encode()
    )
