"""Comfy Router: our requests as its wire for Pika's models, and its answers as our values."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlsplit

from attrs import evolve, field, frozen

import pika_async.provider as api
from pika_comfy._submit import model

_RATIOS = ("21:9", "16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16", "9:21")
_FINE = ("480p", "720p", "768p", "1080p", "2k", "4k")
_MODELS = ("2.5", "h3-flex")
_PIKAS_OWN = "api.dev.pika.art"
_SLOWEST = 60.0
"""The longest pace of look-ups that Comfy's own client honours, in seconds."""

REFUSALS = api.Refusals(
    provider="comfy",
    codes={
        api.SubmitRefused: "invalid_input",
        api.AuthError: "unauthorized forbidden",
        api.ProviderUnavailable: "not_enabled model_not_found",
        api.InsufficientBalance: "insufficient_credits",
        api.ContentBlocked: "content_policy_violation content_moderation",
        api.RateLimited: "rate_limited concurrency_limit_exceeded queue_backlog_full",
    },
    # Whether a model charges for a request that its policy rejects is not known for Pika's.
    open_codes="""content_policy_violation internal_error provider_error service_unavailable deadline_exceeded
    provider_timeout""".split(),  # noqa: SIM905 - a list would take six lines
    bare={413},
    lasting={"not_enabled", "model_not_found"},
    advice={api.SubmitUnknown: "it may have been accepted: look at Comfy's console, never resubmit blindly"},
)


@frozen
class Told:
    """What Comfy's own envelope says: of a submit, a status or an error."""

    request_id: Any = api.text()
    status: Any = api.text()
    error_type: Any = api.text()
    queue_position: int | None = None
    detail: Any = None


@frozen
class Job:
    """Pika's job document, which is the result."""

    id: Any = api.text()
    status: Any = api.text()
    error: Any = None
    output: Any = None


def _wrong(body: Any, response: api.HttpResponse) -> api.ErrorInfo:
    """Return what an answer says went wrong; without a bucket it says nothing that can be relied on."""
    told = api.structure(api.members(body), Told)
    code = told.error_type.strip() or response.headers.get("x-comfy-error-type", "").strip()
    items = [api.members(item).get("msg") for item in told.detail] if isinstance(told.detail, list) else []
    message = api.first_text([*items, told.detail]) if code else ""
    return api.ErrorInfo(code=code or None, message=message, trace_id=_trace(response))


def _trace(response: api.HttpResponse) -> str | None:
    return response.headers.get("x-comfy-request-id")


def _capabilities(*, held: bool) -> api.Capabilities:
    # The key rules of the queue route are not published, those of the held one are.
    replay = api.Replay(seconds=86_400, after={"no_answer", 409, 500, 502, 503, 504}) if held else None
    return api.Capabilities(
        name="comfy",
        cost_unit="credits",
        kinds={api.Generate, api.Ingredients},
        fields={"image", "duration", "resolution", "aspect_ratio", "negative_prompt", "seed", "model"},
        lacks={api.Ingredients: {"negative_prompt"}},
        prompt_optional={api.Generate},
        models=_MODELS,
        max_images=9,
        choices={"model": _MODELS, "resolution": _FINE, "aspect_ratio": _RATIOS},
        ranges={"duration": (5, 15)},
        media={"image": api.Takes(https_only=True)},
        replay=replay,
        free_results=True,
        key_variables=("COMFY_API_KEY",),
        url_variable="COMFY_BASE_URL",
    )


@frozen(kw_only=True)
class Comfy:
    """Translates to the API of Comfy Router's queue; *held* waits for the video in the submit's own answer.

    The queue is switched on for each workspace. Where it is not, the adapter goes on as if *held* were given.
    """

    api_key: api.Secret = api.key("COMFY_API_KEY")
    base_url: str = api.base_url("https://api.comfy.org")
    held: bool = False
    capabilities: api.Capabilities = field(init=False)

    @capabilities.default
    def _able(self) -> api.Capabilities:
        return _capabilities(held=self.held)

    def check_request(self, request: api.VideoRequest, /) -> None:
        model(request)

    def other_route(self, error: api.PikaError, /) -> "Comfy | None":
        """Return the held route, for a workspace without a queue and for nothing else."""
        return evolve(self, held=True) if error.code == "not_enabled" and not self.held else None

    def build_submit(self, request: api.VideoRequest, call: api.Call, /) -> api.HttpRequest:
        """Build the paid POST; another seller is never let in, for it would have another price."""
        self.capabilities.check(request)
        name, fields = model(request)
        return api.HttpRequest(
            method="POST",
            url=f"{self._home(name)}{'' if self.held else '/requests'}",
            headers=self._headers | {"idempotency-key": call.attempt_id},
            query={"fallback_provider": "false"},
            body=api.Json(api.merged(fields, request.extra_body)),
            held=self.held,
        )

    def read_submit(self, response: api.HttpResponse, request: api.VideoRequest, /) -> api.Snapshot:
        """Read the answer: a request id of the queue, or the job itself on the held route."""
        body = api.decoded(response.body)
        told = api.structure(api.members(body), Told)
        locator: Any = {"model": model(request)[0]}
        good, trace = response.status // 100 == 2, _trace(response)
        if _is_id(told.request_id) and (good or not told.error_type):
            task = api.Task(told.request_id, locator)
            return api.Pending(task=task, state=api.State.QUEUED, trace_id=trace, raw=self._kept(body))
        job = api.structure(api.members(body), Job)
        if good and job.id:
            # By Pika's id: that of Comfy is another one when the same bytes are sent again.
            return self._job(api.Task(job.id, locator), job, body, response)
        error = _wrong(body, response)
        if error.code == "content_policy_violation" and response.status == 400 and trace:
            # Refused for good, and perhaps charged: a failure, and no refusal that may go on elsewhere.
            task = api.Task(trace, locator)
            return REFUSALS.failure(task, error, self.api_key, charged="unknown", raw=self._kept(body))
        raise REFUSALS.at_submit(response, error, self.api_key)

    def build_poll(self, tasks: Sequence[api.Task], /) -> api.HttpRequest:
        """Build the look-up of a status, or of a completed request's result."""
        (task,) = tasks
        return self._about(task, "" if task.locator.get("completed") else "/status")

    def read_poll(self, response: api.HttpResponse, tasks: Sequence[api.Task], /) -> api.Snapshots:
        (task,) = tasks
        body, good = api.decoded(response.body), response.status // 100 == 2
        told, error = api.structure(api.members(body), Told), _wrong(body, response)
        finished = bool(task.locator.get("completed"))
        if response.status == 404 and error.code == "request_not_found":
            return {}
        if finished and response.status in {409, 410} and (error.code or response.status == 410):
            return {task.id: self._failed(task, error, body)}
        if good and told.status == "COMPLETED" and told.error_type.strip():
            return {task.id: self._failed(task, error, body)}
        if good and finished and isinstance(body, dict):
            return {task.id: self._job(task, api.structure(body, Job), body, response)}
        if good and told.status:
            return {task.id: self._waiting(task, told, body, response)}
        raise REFUSALS.at_lookup(response, error, self.api_key)

    def build_cancel(self, task: api.Task, /) -> api.HttpRequest:
        return self._about(task, "/cancel", "PUT")

    def read_cancel(self, response: api.HttpResponse, _task: api.Task, /) -> api.Cancelled:
        """Read the answer; a generation that the partner finishes all the same is billed."""
        if response.status in {202, 204}:
            return api.Cancelled.REQUESTED
        if response.status in {404, 409}:
            return api.Cancelled.TOO_LATE
        raise REFUSALS.at_lookup(response, _wrong(api.decoded(response.body), response), self.api_key)

    def build_download(self, link: str, /) -> api.HttpRequest | None:
        """Refuse a link to Pika's own API, which opens with a key of Pika's alone."""
        if urlsplit(link).hostname == _PIKAS_OWN:
            raise api.DownloadError(
                "The video's link is at Pika's own API and opens with a key of Pika's alone; ask Comfy.",
                provider="comfy",
                retryable=False,
            )
        return None

    def _waiting(self, task: api.Task, told: Told, body: Any, response: api.HttpResponse) -> api.Pending:
        if told.status == "COMPLETED":
            result = api.Task(task.id, {"completed": True})
            return api.Pending(task=result, poll_after=0, raw=self._kept(body))
        wish = api.number(response.headers.get("retry-after"))
        return api.Pending(
            task=task,
            state=api.State.QUEUED if told.status == "IN_QUEUE" else api.State.RUNNING,
            queue_position=told.queue_position,
            poll_after=min(wish, _SLOWEST) if wish is not None and wish > 0 else None,
            raw=self._kept(body),
        )

    def _job(self, task: api.Task, job: Job, body: Any, response: api.HttpResponse) -> api.Snapshot:
        """Decide what Pika's document says; its cost is what Comfy's header reports, in credits."""
        cost = api.number(response.headers.get("x-comfy-credits-used"))
        shared: dict[str, Any] = {"raw": self._kept(body), "cost": cost}
        if links := api.video_links(job.output):
            return api.succeeded(task, links, trace_id=_trace(response), **shared)
        if api.state(job.status) is api.State.FAILED:
            error = api.members(job.error)
            code = api.first_text(error.get("code")) or None
            why = api.ErrorInfo(code=code, message=api.first_text(error), trace_id=_trace(response))
            return REFUSALS.failure(task, why, self.api_key, charged="unknown", **shared)
        if api.state(job.status) not in {None, api.State.SUCCEEDED}:
            return api.Pending(task=api.Task(task.id, {"completed": False}), **shared)
        return api.Failed(task=task, reason="no_output", trace_id=_trace(response), **shared)

    def _failed(self, task: api.Task, error: api.ErrorInfo, body: Any) -> api.Failed:
        """Make a failure; only a request that never left the queue is surely free."""
        free: api.Charged = "no" if error.code == "queue_timeout" else "unknown"
        return REFUSALS.failure(task, error, self.api_key, charged=free, raw=self._kept(body))

    @property
    def _headers(self) -> dict[str, str | api.Secret]:
        return {"x-api-key": self.api_key, "accept": "application/json"}

    def _home(self, name: object) -> str:
        return f"{self.base_url}/v2/models/pika/{quote(str(name), safe='')}"

    def _about(self, task: api.Task, what: str, method: Any = "GET") -> api.HttpRequest:
        url = f"{self._home(task.locator.get('model'))}/requests/{quote(task.id, safe='')}{what}"
        return api.HttpRequest(method=method, url=url, headers=self._headers)

    def _kept(self, body: Any) -> api.Raw:
        return api.Raw(body, secrets=[self.api_key])


def _is_id(text: str) -> bool:
    """Return whether *text* can be a request id, by the rule of Comfy's own client."""
    return 0 < len(text) <= 256 and "/" not in text
