"""fal.ai: our requests as its queue's wire, and its answers as our values."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, ClassVar
from urllib.parse import quote

from attrs import frozen

import pika_async.provider as api
from pika_fal._submit import endpoint, inlined

_QUEUE, _REST, _API = "https://queue.fal.run", "https://rest.fal.ai", "https://api.fal.ai"
# Data links are advised for a few KB only. Over 100 MB an upload takes parts, which are not built here.
_MEDIA = api.Takes(inline=True, inline_limit=8192, uploads=True, upload_limit=100 * 1024 * 1024)
_MODELS = ("2.2", "2.1", "2-turbo")
_RATIOS = ("16:9", "9:16", "1:1", "4:5", "5:4", "3:2", "2:3")
_STYLES = """Cake-ify, Crumble, Crush, Decapitate, Deflate, Dissolve, Explode, Eye-pop, Inflate, Levitate, \
Melt, Peel, Poke, Squish, Ta-da, Tear"""
# A server's failures after the submit, which are never billed.
_SERVERS = """request_timeout startup_timeout runner_scheduling_failure runner_connection_timeout \
runner_disconnected runner_connection_refused runner_connection_error runner_incomplete_response \
runner_server_error"""

REFUSALS = api.Refusals(
    provider="fal",
    words={r"\b(balance|locked)\b": api.InsufficientBalance},
    codes={api.SubmitRefused: "bad_request", api.ContentBlocked: "content_policy_violation"},
    open_codes={"client_disconnected", "client_cancelled"},
    advice={api.SubmitUnknown: "it may have been accepted: look at fal's dashboard, never resubmit blindly"},
)


@frozen
class Told:
    """What the queue answers to a submit, a look-up or a cancel, and what a webhook wraps."""

    request_id: Any = api.text()
    status: Any = api.text()
    status_url: Any = api.text()
    response_url: Any = api.text()
    cancel_url: Any = api.text()
    queue_position: int | None = None
    error: Any = None
    error_type: Any = api.text()
    detail: Any = None


def _wrong(told: Told, response: api.HttpResponse) -> api.ErrorInfo:
    """Return what an answer says went wrong: a platform's flat error, or a model's list of details."""
    items = [*map(api.members, told.detail if isinstance(told.detail, list) else [])]
    kind = api.first_text([item.get("type") for item in items])
    message = api.first_text([told.error, *(item.get("msg") for item in items), told.detail])
    code = told.error_type.strip() or kind or response.headers.get("x-fal-error-type") or None
    return api.ErrorInfo(code=code, message=message, trace_id=response.headers.get("x-fal-request-id"))


def _read(body: Any) -> Told:
    return api.structure(api.members(body), Told)


@frozen(kw_only=True)
class Fal:
    """Translates to the API of fal's queue. A *base_url* of your own stands for all hosts of fal."""

    api_key: api.Secret = api.key("FAL_KEY")
    base_url: str = api.base_url(_QUEUE)
    capabilities: ClassVar[api.Capabilities] = api.Capabilities(
        name="fal",
        kinds={api.Generate, api.Ingredients, api.Style, api.Edit},
        fields={"image", "last_image", "frames", "region", "mode", "duration", "resolution"}
        | {"aspect_ratio", "negative_prompt", "seed", "model"},
        lacks={
            api.Style: {"duration", "resolution", "aspect_ratio", "model"},
            api.Edit: {"duration", "resolution", "aspect_ratio", "model", "mask"},
            api.Ingredients: {"model"},
        },
        prompt_optional={api.Generate, api.Style},
        models=_MODELS,
        styles=tuple(_STYLES.split(", ")),
        choices={"model": _MODELS, "resolution": ("720p", "1080p"), "aspect_ratio": _RATIOS},
        media={"image": _MEDIA, "video": _MEDIA},
        private={"logs"},
        poll_rate=10,
        free_results=True,
        callbacks="optional",
        hosts={"rest.fal.ai": {"api_key"}, "api.fal.ai": {"api_key"}, "*": ()},
        key_variables=("FAL_KEY",),
        url_variable="FAL_BASE_URL",
    )

    def check_request(self, request: api.VideoRequest, /) -> None:
        endpoint(request)

    def build_submit(self, request: api.VideoRequest, call: api.Call, /) -> api.HttpRequest:
        self.capabilities.check(request)
        name, fields = endpoint(request)
        query = api.given(fal_webhook=call.callback_url)
        body = api.Json(api.merged(inlined(fields), request.extra_body))
        return self._call("POST", f"{self.base_url}/fal-ai/pika/{name}", query=query, body=body)

    def read_submit(self, response: api.HttpResponse, _request: api.VideoRequest, /) -> api.Snapshot:
        """Read the answer. There is no key against a second purchase, so only its own words are a refusal."""
        body = api.decoded(response.body)
        told = _read(body)
        if told.request_id:
            urls = {n: getattr(told, n) for n in ("status_url", "response_url", "cancel_url")}
            task = api.Task(told.request_id, {name: url for name, url in urls.items() if url})
            return self._snapshot(task, told, body, response)
        raise REFUSALS.at_submit(response, _wrong(told, response), self.api_key)

    def build_poll(self, tasks: Sequence[api.Task], /) -> api.HttpRequest:
        """Build the look-up of a status, or of a completed task's result."""
        (task,) = tasks
        return self._about(task, "response_url" if task.locator.get("completed") else "status_url")

    def read_poll(self, response: api.HttpResponse, tasks: Sequence[api.Task], /) -> api.Snapshots:
        (task,) = tasks
        body = api.decoded(response.body)
        told = _read(body)
        if task.locator.get("completed"):
            return self._result(response, task, body, told)
        if response.status // 100 == 2 and told.status:
            mine = told.request_id in {"", task.id}
            return {task.id: self._snapshot(task, told, body, response)} if mine else {}
        if response.status == 404 and told.detail:
            return {}
        raise REFUSALS.at_lookup(response, _wrong(told, response), self.api_key)

    def read_callback(
        self, body: bytes, headers: Mapping[str, str], received_at: float, keys: bytes | None, /
    ) -> api.Snapshot | None:
        """Read a push that one of fal's published keys signed; one without a result is over all the same."""
        signed = [headers.get(f"x-fal-webhook-{name}", "") for name in ("request-id", "user-id", "timestamp")]
        message = "\n".join((*signed, sha256(body).hexdigest())).encode(errors="replace")
        signature, published = headers.get("x-fal-webhook-signature", ""), api.decoded(keys or b"")
        if not api.in_time(signed[2], received_at) or not api.signed_by_key(message, signature, published):
            return None
        pushed = api.members(api.decoded(body))
        told, payload = _read(pushed), pushed.get("payload")
        if not told.request_id:
            return None
        task = api.Task(told.request_id)
        if told.status == "ERROR":
            details = api.members(payload).get("detail")
            wrong = api.structure({**pushed, "detail": details}, Told)
            return self._failed(task, _wrong(wrong, api.HttpResponse(status=200)), pushed)
        if links := api.video_links(payload):
            return api.succeeded(task, links, raw=self._kept(pushed))
        return api.Failed(task=task, reason="no_output", raw=self._kept(pushed))

    def build_keys(self) -> api.HttpRequest:
        return api.HttpRequest(method="GET", url=f"{self._host(_REST)}/.well-known/jwks.json")

    def build_cancel(self, task: api.Task, /) -> api.HttpRequest:
        return self._about(task, "cancel_url", "PUT")

    def read_cancel(self, response: api.HttpResponse, _task: api.Task, /) -> api.Cancelled:
        """Read the answer: a status word, or only whether it worked; a started task may go on."""
        body = api.members(api.decoded(response.body))
        word, done = _read(body).status, body.get("success")
        if word in {"ALREADY_COMPLETED", "NOT_FOUND"} or done is False:
            return api.Cancelled.TOO_LATE
        if response.status in {200, 202} and (word or done is True):
            return api.Cancelled.REQUESTED
        raise REFUSALS.at_lookup(response, _wrong(_read(body), response), self.api_key)

    def build_upload(self, blob: api.Blob, step: api.Uploading, /) -> api.HttpRequest:
        """Ask for a ticket with the key, then send the raw bytes with that ticket."""
        if not step.told:
            url, query = f"{self._host(_REST)}/storage/auth/token", {"storage_type": "fal-cdn-v3"}
            return self._call("POST", url, query=query, body=api.Json({}))
        headers = {"authorization": step.told["ticket"], "x-fal-file-name": quote(blob.name)}
        return api.HttpRequest(method="POST", url=step.told["files"], headers=headers, body=blob)

    def read_upload(
        self, response: api.HttpResponse, _blob: api.Blob, step: api.Uploading, /
    ) -> api.Uploading | api.Uploaded:
        body = api.members(api.decoded(response.body))
        told = {n: v for n, v in body.items() if isinstance(v, str) and v.isascii() and v.isprintable()}
        link, token = told.get("access_url" if step.told else "base_url", ""), told.get("token", "")
        if response.status // 100 != 2 or not api.is_link(link) or not (step.told or token):
            raise REFUSALS.at_upload(response, _wrong(_read(body), response), self.api_key)
        ticket = api.Secret(f"{told.get('token_type') or 'Bearer'} {token}")
        home = {"files": f"{self._host(link.rstrip('/'))}/files/upload", "ticket": ticket}
        return api.Uploaded(link=link) if step.told else api.Uploading(told=home)

    def build_balance(self) -> api.HttpRequest:
        return self._call("GET", f"{self._host(_API)}/v1/account/billing", query={"expand": "credits"})

    def read_balance(self, response: api.HttpResponse, /) -> api.Balance:
        """Read the credits left, which fal tells an admin key only."""
        told = api.members(api.decoded(response.body))
        credits_ = api.members(told.get("credits"))
        left, unit = api.number(credits_.get("current_balance")), credits_.get("currency")
        if response.status in {401, 403}:
            raise api.AuthError("fal returns the balance only for an admin key; use one to ask for it.")
        if response.status != 200 or left is None:
            raise REFUSALS.at_lookup(response, _wrong(_read(told), response), self.api_key)
        return api.Balance(left, unit if isinstance(unit, str) else "USD")

    def _result(self, response: api.HttpResponse, task: api.Task, body: Any, told: Told) -> api.Snapshots:
        """Read the result of a completed task. It failed where the model, or fal's own types, say so."""
        error = _wrong(told, response)
        if links := api.video_links(body) if response.status == 200 else ():
            return {task.id: api.succeeded(task, links, raw=self._kept(body))}
        if (response.status == 422 and told.detail) or error.code in [*_SERVERS.split(), "bad_request"]:
            return {task.id: self._failed(task, error, body)}
        if response.status == 200 and isinstance(body, dict):
            return {task.id: api.Failed(task=task, reason="no_output", raw=self._kept(body))}
        if response.status == 404 and told.detail:
            return {}
        raise REFUSALS.at_lookup(response, error, self.api_key)

    def _snapshot(self, task: api.Task, told: Told, body: Any, response: api.HttpResponse) -> api.Snapshot:
        """Decide what a status says; `COMPLETED` beside an error is a failure."""
        error, kept = _wrong(told, response), self._kept(body)
        if told.status == "COMPLETED":
            if api.first_text(told.error).strip() or told.error_type.strip():
                return self._failed(task, error, body)
            return api.Pending(task=api.Task(task.id, {"completed": True}), poll_after=0, raw=kept)
        state = api.State.QUEUED if told.status in {"", "IN_QUEUE"} else api.State.RUNNING
        more: Any = {"queue_position": told.queue_position, "trace_id": error.trace_id}
        return api.Pending(task=task, state=state, raw=kept, **more)

    def _failed(self, task: api.Task, error: api.ErrorInfo, body: Any) -> api.Failed:
        """Make a failure: never billed if a server failed, perhaps billed otherwise (a runner worked)."""
        free = error.code in {*_SERVERS.split(), "internal_error"}
        charged: api.Charged = "no" if free else "unknown"
        return REFUSALS.failure(task, error, self.api_key, charged=charged, raw=self._kept(body))

    def _call(self, method: Any, url: str, **more: Any) -> api.HttpRequest:
        headers: Any = {"authorization": self.api_key.within("Key {}"), "accept": "application/json"}
        return api.HttpRequest(method=method, url=url, headers=headers, **more)

    def _host(self, home: str) -> str:
        """Return the address for *home*, one of fal's hosts: itself, unless our base stands for all."""
        return home if self.base_url == _QUEUE else self.base_url

    def _about(self, task: api.Task, name: str, method: Any = "GET") -> api.HttpRequest:
        """Build the call to one of the task's three addresses; the key goes to none on another host."""
        ends = {"status_url": "/status", "response_url": "", "cancel_url": "/cancel"}
        home = f"{self.base_url}/fal-ai/pika/requests/{quote(task.id, safe='')}{ends[name]}"
        url = told if (told := str(task.locator.get(name))).startswith(f"{self.base_url}/") else home
        return self._call(method, url)

    def _kept(self, body: Any) -> api.Raw:
        return api.Raw(body, without=self.capabilities.private, secrets=[self.api_key])
