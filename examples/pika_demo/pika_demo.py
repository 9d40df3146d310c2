"""A whole provider: copy this file to write your own.

The imagined API: `POST /v1/videos` answers `{"id": ...}`, `GET /v1/videos/<id>` tells its state. The
adapter translates between that and pika_async's values; it never sends, waits, reads files or logs.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

from attrs import frozen

import pika_async.provider as api

REFUSALS = api.Refusals(provider="demo", statuses={402: api.InsufficientBalance})


@frozen
class Video:
    """The one shape of the wire; whatever else the provider sends is ignored."""

    id: Any = api.text()
    state: Any = api.text()
    url: Any = api.text()
    error: Any = None

    @property
    def wrong(self) -> api.ErrorInfo:
        """Return what the answer says went wrong: `{"error": {"code": ..., "message": ...}}`."""
        code = self.error.get("code") if isinstance(self.error, dict) else None
        code = code if isinstance(code, str) else None
        return api.ErrorInfo(code=code, message=api.first_text(self.error))


def read(response: api.HttpResponse) -> Video:
    """Read any answer; one that is no object tells nothing."""
    body = api.decoded(response.body)
    return api.structure(body if isinstance(body, dict) else {}, Video)


@frozen(kw_only=True)
class Demo:
    """Speak Demo's dialect."""

    api_key: api.Secret = api.key("DEMO_API_KEY")
    base_url: str = api.base_url("https://api.demo.invalid")
    capabilities: ClassVar[api.Capabilities] = api.Capabilities(
        kinds={api.Generate},
        fields={"seed", "aspect_ratio"},
        ranges={"seed": (0, 4_294_967_295)},
        key_variables=("DEMO_API_KEY",),
    )

    @property
    def _headers(self) -> dict[str, str | api.Secret]:
        return {"authorization": self.api_key.within("Bearer {}")}

    def build_submit(self, request: api.VideoRequest, _call: api.Call, /) -> api.HttpRequest:
        """Send what the caller set; a field that the wire calls something else would be renamed here."""
        given = api.fields_set(request)
        body = api.merged(given, given.pop("extra_body", None))
        url = f"{self.base_url}/v1/videos"
        return api.HttpRequest(method="POST", url=url, headers=self._headers, body=api.Json(body))

    def read_submit(self, response: api.HttpResponse, _request: api.VideoRequest, /) -> api.Snapshot:
        """Return the task if the answer names one, whatever else it says; raise what the rest proves."""
        video = read(response)
        if video.id:
            return api.Pending(task=api.Task(video.id))
        raise REFUSALS.at_submit(response, video.wrong, self.api_key)

    def build_poll(self, tasks: Sequence[api.Task], /) -> api.HttpRequest:
        url = f"{self.base_url}/v1/videos/{tasks[0].id}"
        return api.HttpRequest(method="GET", url=url, headers=self._headers)

    def read_poll(self, response: api.HttpResponse, tasks: Sequence[api.Task], /) -> api.Snapshots:
        """Return what is known of the task: nothing after a 404, an error for what speaks of the call."""
        video = read(response)
        if response.status == 404:
            return {}
        if response.status != 200:
            raise REFUSALS.at_lookup(response, video.wrong, self.api_key)
        return {task.id: self._snapshot(task, video) for task in tasks if task.id == video.id}

    def _snapshot(self, task: api.Task, video: Video) -> api.Snapshot:
        match api.state(video.state):
            case api.State.SUCCEEDED if api.is_link(video.url):
                result = api.VideoResult(task.id, video.url, None, None, api.State.SUCCEEDED)
                return api.Succeeded(task=task, results=(result,))
            case api.State.SUCCEEDED:
                return api.Failed(task=task, reason="no_output")
            case api.State.FAILED:
                return api.Failed(task=task, message=api.shown(video.wrong.message, self.api_key))
            case state:
                return api.Pending(task=task, state=state or api.State.RUNNING)


class DemoEmulator:
    """The provider's side of the same wire, for the sandbox; keys that begin with `sandbox` are good."""

    paths = ("/v1/videos",)
    names = frozenset({"prompt", "seed", "aspect_ratio"})

    def refusals(self) -> Iterator[tuple[api.HttpResponse, type[api.PikaError]]]:
        """Return what Demo's documents say of its errors, for the conformance kit."""
        yield answer(401, error("bad_key", "this key is not known")), api.AuthError
        yield answer(402, error("no_money", "top up")), api.InsufficientBalance
        yield answer(422, error("bad_request", "prompt is missing")), api.SubmitRefused
        yield answer(500, error("internal", "try later")), api.SubmitUnknown

    def examples(self, provider: Any, /) -> Iterator[api.Example]:
        """Return what the documents show: requests as they are on the wire, and what answers mean."""
        bearer = {"authorization": f"Bearer {provider.api_key.reveal()}"}
        url, task = f"{provider.base_url}/v1/videos", api.Task("t1")
        cat, call = api.Generate("A cat"), api.Call(callback_url=None, attempt_id="a", now=0.0)
        whole = api.Generate("A cat", seed=7, aspect_ratio="9:16", extra_body={"more": 1})
        body = {"prompt": "A cat", "seed": 7, "aspect_ratio": "9:16", "more": 1}
        sent = api.HttpRequest(method="POST", url=url, headers=bearer, body=api.Json(body))
        yield api.Example("build_submit", (whole, call), sent)
        sent = api.HttpRequest(method="GET", url=f"{url}/t1", headers=bearer)
        yield api.Example("build_poll", ([task],), sent)
        sent = api.HttpRequest(method="GET", url="https://api.demo.invalid/v1/videos/t1", headers=bearer)
        yield api.Example("build_poll", ([task],), sent, options={"base_url": None})
        taken = answer(200, {"id": "t1", "state": "running"})
        yield api.Example("read_submit", (taken, cat), api.Pending(task=task))
        broke = api.InsufficientBalance("", code="no_money")
        yield api.Example("read_submit", (answer(402, error("no_money", "top up")), cat), broke)
        video = api.VideoResult("t1", "https://cdn.test/v.mp4", None, None, api.State.SUCCEEDED)
        for told, meaning in (
            ({"state": "queued"}, api.Pending(task=task, state=api.State.QUEUED)),
            ({"state": "running"}, api.Pending(task=task)),
            ({}, api.Pending(task=task)),
            ({"state": "completed", "url": video.url}, api.Succeeded(task=task, results=(video,))),
            ({"state": "completed"}, api.Failed(task=task, reason="no_output")),
            ({"state": "failed", **error("bad", "it broke")}, api.Failed(task=task, message="it broke")),
        ):
            yield api.Example("read_poll", (answer(200, {"id": "t1", **told}), [task]), {"t1": meaning})
        for nothing in (answer(404, {}), answer(200, {"id": "t9", "state": "completed"})):
            yield api.Example("read_poll", (nothing, [task]), {})
        wrong_key = answer(401, error("bad_key", "this key is not known"))
        yield api.Example(
            "read_poll", (wrong_key, [task]), api.AuthError("", code="bad_key", charged="unknown")
        )

    def limits(self, _provider: Any, /) -> Mapping[str, object]:
        """Return what the documents say that the adapter declares in `Capabilities`."""
        return {
            "kinds": {api.Generate},
            "fields": {"seed", "aspect_ratio"},
            "ranges": {"seed": (0, 4_294_967_295)},
            "poll_batch": 1,
            "key_variables": ("DEMO_API_KEY",),
        }

    def answer(self, request: api.HttpRequest, world: api.World, /) -> api.HttpResponse | api.Held:
        if not str(request.headers.get("authorization")).startswith("Bearer sandbox"):
            return answer(401, error("bad_key", "this key is not known"))
        match request.method, request.body:
            case "GET", _:
                id_ = request.url.rpartition("/")[2]
                done_at = world.tasks.get(id_)
                if done_at is None:
                    return answer(404, error("unknown", "there is no such video"))
                if world.now < done_at:
                    return answer(200, {"id": id_, "state": "running"})
                return answer(
                    200, {"id": id_, "state": "completed", "url": world.media_url("video.mp4", id_)}
                )
            case "POST", api.Json(value={"prompt": str(prompt)}):
                id_ = world.new_id()
                world.tasks[id_] = world.now + world.render_time
                world.bill(prompt)
                return answer(200, {"id": id_, "state": "running"})
            case _:
                return answer(422, error("bad_request", "prompt is missing"))


def error(code: str, message: str) -> Mapping[str, api.JSON]:
    """Make the body of an error."""
    return {"error": {"code": code, "message": message}}


def answer(status: int, body: Mapping[str, api.JSON]) -> api.HttpResponse:
    """Make the provider's answer."""
    return api.HttpResponse(
        status=status, headers={"content-type": "application/json"}, body=json.dumps(body).encode()
    )
