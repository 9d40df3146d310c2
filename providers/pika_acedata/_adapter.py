"""AceData Cloud: our requests as its Pika wire, and its answers as our values."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import frozen

import pika_async.provider as api

_PAGE, _WITHDRAWN = 50, "api_not_implemented no_api"
# By code first, since the documents differ on statuses.
REFUSALS = api.Refusals(
    provider="acedata",
    codes={
        api.AuthError: "no_token token_mismatched invalid_token token_expired authorization_missing "
        "authentication_failed disabled not_applied",
        api.ProviderUnavailable: _WITHDRAWN,
        api.SubmitRefused: "bad_request request_too_large content_too_large",
        api.InsufficientBalance: "used_up",
        api.ContentBlocked: "forbidden",
        api.RateLimited: "too_many_requests",
    },
    statuses={402: api.InsufficientBalance},
    # `busy` is called safe to repeat, but by inference alone; the rest may hide a task that goes on.
    open_codes={"api_error", "busy", "timeout", "duplication", "canceled", "unknown"},
    lookups={"forbidden": api.AuthError},
    lasting=_WITHDRAWN.split(),
    advice={api.AuthError: "check the key and that its application may use Pika"},
)


@frozen
class Output:
    """One video of `data`."""

    id: Any = api.text()
    video_url: Any = api.text()
    image_url: Any = api.text()
    duration: float | None = None
    state: Any = api.text()


@frozen
class Told:
    """What a submit answers and a callback pushes; a record wraps the same as its `response`."""

    id: Any = api.text()
    task_id: Any = api.text()
    trace_id: Any = api.text()
    success: Any = None
    error: Any = None
    data: Any = None
    created_at: float | None = None
    finished_at: float | None = None
    request: Any = None
    count: int | None = None

    @property
    def outputs(self) -> tuple[Output, ...]:
        items = self.data if isinstance(self.data, list) else [self.data]
        return tuple(api.structure(item, Output) for item in items if isinstance(item, dict))

    @property
    def wrong(self) -> api.ErrorInfo:
        """Return what `error` says, which may be an object, bare text or null."""
        code = self.error.get("code") if isinstance(self.error, dict) else self.error
        known = isinstance(self.error, dict) or code in [*REFUSALS.codes, *REFUSALS.open_codes]
        code = code if known and isinstance(code, str) and code.isprintable() else None
        return api.ErrorInfo(code=code or None, message=api.first_text(self.error), trace_id=self.trace_id)

    def sent(self, name: str) -> str | None:
        """Return a field of the echoed request: empty if it had none, None without an echo."""
        value = self.request.get(name) or "" if isinstance(self.request, dict) else None
        return value if isinstance(value, str | None) else ""


def _read(body: Any) -> Told:
    """Read any JSON, unwrapping a record's `response` or an envelope's `data`; nonsense tells nothing."""
    outer = body if isinstance(body, dict) else {}
    inner = outer.get("response") or outer.get("data")
    if isinstance(inner, dict) and ("task_id" in inner or "response" in outer):
        outer = {**outer, **inner, "id": outer.get("id")}
    return api.structure(outer, Told)


@frozen(kw_only=True)
class AceData:
    """Translates to AceData's API; *held* waits for the video in the submit's own answer."""

    api_key: api.Secret = api.key("ACEDATA_API_KEY")
    base_url: str = api.base_url("https://api.acedata.cloud")
    held: bool = False  # a held answer that gets lost cannot be reconciled: its request bears no token
    capabilities: ClassVar[api.Capabilities] = api.Capabilities(
        name="acedata",
        kinds={api.Generate, api.Ingredients, api.Style},
        fields={"negative_prompt", "model", "aspect_ratio", "image", "video", "mode"},
        models=("2.0", "1.5"),
        styles=(*api.IMAGE_EFFECTS, *api.VIDEO_EFFECTS[:5]),
        inline_media=True,
        words_only={"aspect_ratio"},
        reserved={"callback_url"},
        private={"request", "callback_url"},
        poll_batch=50,
        callbacks="optional",
        echoes_token=True,
        render_time=90,
        key_variables=("ACEDATA_API_KEY", "ACEDATACLOUD_API_TOKEN"),
        url_variable="ACEDATA_BASE_URL",
    )

    def check_request(self, request: api.VideoRequest, /) -> None:
        newest = isinstance(request, api.Ingredients) or request.video
        if newest and request.model not in {None, "2.0"}:
            raise api.UnsupportedRequest("model must be 2.0 with a video or ingredients; leave it out.")

    def build_submit(self, request: api.VideoRequest, call: api.Call, /) -> api.HttpRequest:
        """Build the paid POST.

        The sources contradict on models, so the defaults are ours: `1.5` for an effect on words or an image
        (the documented example), else `2.0` (every other one, and all there is for video and ingredients).
        """
        self.capabilities.check(request)
        self.check_request(request)
        images = [getattr(request, "image", None), *getattr(request, "images", ())]
        video = getattr(request, "video", None)
        body = {
            "action": "generate",
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            "model": request.model or ("1.5" if isinstance(request, api.Style) and not video else "2.0"),
            "aspect_ratio": request.aspect_ratio,
            "image_url": [api.inlined(image) for image in images if image] or None,
            "video_url": api.inlined(video) if video else None,
            "effect": getattr(request, "style", None),
            "ingredients": isinstance(request, api.Ingredients) or None,
            "ingredients_mode": getattr(request, "mode", None),
            "async": None if self.held else True,
            "callback_url": None if self.held else call.callback_url,
        }
        return self._post("videos", api.merged(api.given(**body), request.extra_body))

    def read_submit(self, response: api.HttpResponse, request: api.VideoRequest, /) -> api.Snapshot:
        """Read the answer; one that names a task is evidence of it, whatever error stands beside it."""
        raw = api.decoded(response.body)
        told = _read(raw)
        if id_ := told.task_id or next((output.id for output in told.outputs if output.id), None):
            seen = self._snapshot(api.Task(id_), told, raw, getattr(request, "video", None) or "")
            doubtful = told.error or isinstance(seen, api.Failed)
            return api.Pending(task=seen.task, trace_id=seen.trace_id, raw=seen.raw) if doubtful else seen
        raise REFUSALS.at_submit(response, told.wrong, self.api_key)

    def build_poll(self, tasks: Sequence[api.Task], /) -> api.HttpRequest:
        ids = [task.id for task in tasks]
        one = {"action": "retrieve", "id": ids[0]}
        return self._post("tasks", one if len(ids) == 1 else {"action": "retrieve_batch", "ids": ids})

    def read_poll(self, response: api.HttpResponse, tasks: Sequence[api.Task], /) -> api.Snapshots:
        """Read one record or many, each for itself; what we did not ask about is ignored."""
        asked = {task.id: task for task in tasks}
        return {
            task.id: self._snapshot(task, told, raw, told.sent("video_url"))
            for told, raw in self._records(response, alone=len(asked) == 1)
            if (task := asked.get(told.id or told.task_id))
        }

    def build_find(self, since: float, until: float, cursor: str | None, /) -> api.HttpRequest:
        """Build the look-up of a page of history; *cursor* is the oldest time seen so far."""
        span = {"created_at_min": since, "created_at_max": float(cursor) if cursor else until}
        page = {"action": "retrieve_batch", "limit": _PAGE, "offset": 0, "type": "videos"}
        return self._post("tasks", page | span)

    def read_find(self, response: api.HttpResponse, /) -> api.Page:
        """Read a page, newest first; pages go by time, since an answer does not tell its offset."""
        records, found = self._records(response), []
        for told, raw in records:
            if id_ := told.id or told.task_id:
                seen = self._snapshot(api.Task(id_), told, raw, told.sent("video_url"))
                found.append(api.Found(snapshot=seen, callback_url=seen.callback_url))
        count = _read(api.decoded(response.body)).count or 0
        if not records or (len(records) < _PAGE and count <= len(records)):
            return api.Page(found=tuple(found), next_cursor=None)
        times = [told.created_at for told, _ in records if told.created_at is not None]
        if not times:
            raise REFUSALS.at_lookup(response, api.ErrorInfo(), self.api_key)
        # A page of one and the same time must not be asked for for ever.
        oldest = min(times) if min(times) < max(times) else min(times) - 0.001
        return api.Page(found=tuple(found), next_cursor=repr(oldest))

    def read_callback(self, body: bytes, *_: Any) -> api.Snapshot | None:
        """Read a push, JSON or form. It is unsigned and echoes no request: a look-up must confirm it."""
        raw = api.decoded(body, form=True)
        told = _read(raw)
        return self._snapshot(api.Task(told.task_id), told, raw, None) if told.task_id else None

    def _records(self, response: api.HttpResponse, *, alone: bool = False) -> list[tuple[Told, Any]]:
        """Return the readable records; *alone* takes a 404 for "not known"."""
        body = api.decoded(response.body)
        told = _read(body)
        if alone and response.status == 404 and told.wrong.code not in _WITHDRAWN.split():
            return []
        if isinstance(body, dict) and "items" not in body and (not body or {"id", "response"} & body.keys()):
            items: Any = [body]
        else:
            items = [] if body is None else body.get("items") if isinstance(body, dict) else None
        if not (200 <= response.status < 300 and isinstance(items, list)):
            raise REFUSALS.at_lookup(response, told.wrong, self.api_key)
        return [(_read(item), item) for item in items if isinstance(item, dict)]

    def _snapshot(self, task: api.Task, told: Told, raw: Any, source: str | None) -> api.Snapshot:
        """Decide what *told* says of *task*.

        *source* is the video of the request, whose return proves nothing; None when the request is not at
        hand, and then no link proves anything without a state word.
        """
        finished = told.finished_at is not None
        failed = bool(told.error) or (told.success is False and finished)
        states, results = set(), []
        for output in told.outputs:
            linked = api.is_link(output.video_url) and output.video_url != source
            settled = finished or (linked and source is not None and told.success is not False)
            state = api.state(output.state or "finished" * settled) or api.State.RUNNING
            states.add(state)
            if linked and state is api.State.SUCCEEDED:
                id_, cover = output.id or task.id, output.image_url or None
                results.append(api.VideoResult(id_, output.video_url, cover, output.duration, state))
        still_open = states & {api.State.QUEUED, api.State.RUNNING}
        kept = api.Raw(raw, without=self.capabilities.private, secrets=[self.api_key])
        trace_id = api.shown(told.trace_id, self.api_key) or None
        echoed = api.Secret(url) if (url := told.sent("callback_url")) else None
        shared: dict[str, Any] = {"task": task, "trace_id": trace_id, "raw": kept, "callback_url": echoed}
        if results and (failed or not still_open):
            return api.Succeeded(results=tuple(results), **shared)
        if failed or (not still_open and (states or finished)):
            code = api.shown(told.wrong.code or "", self.api_key)
            message = api.shown(told.wrong.message, self.api_key)
            moderated = code == "forbidden" or re.search("(?i)moderat|community standards", message)
            empty = not failed and states != {api.State.FAILED}
            reason: Any = "content" if moderated else "no_output" if empty else "provider"
            return api.Failed(reason=reason, message=message, code=code or None, **shared)
        state = api.State.QUEUED if still_open == {api.State.QUEUED} else api.State.RUNNING
        return api.Pending(state=state, **shared)

    def _post(self, path: str, body: Mapping[str, Any]) -> api.HttpRequest:
        headers: dict[str, str | api.Secret] = {"authorization": self.api_key.within("Bearer {}")}
        headers |= dict.fromkeys(("accept", "content-type"), "application/json")
        url, held = f"{self.base_url}/pika/{path}", self.held and path == "videos"
        return api.HttpRequest(method="POST", url=url, headers=headers, body=api.Json(body), held=held)
