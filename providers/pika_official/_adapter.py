"""Pika's own API, as its clients and partners show it: our requests as its wire, its answers as values."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import quote

from attrs import frozen

import pika_async.provider as api
from pika_official._submit import operation

_IMAGES = api.Takes(https_only=True, uploads=True, upload_limit=20 * 1024 * 1024)
_VIDEOS = api.Takes(https_only=True, uploads=True, upload_limit=50 * 1024 * 1024)
_UNMADE = "caller_plan_required"
REFUSALS = api.Refusals(
    provider="pika",
    codes={
        api.SubmitRefused: "invalid_input provider_error provider_timeout timed_out internal",
        api.ContentBlocked: "content_moderation",
        api.InsufficientBalance: "insufficient_balance cycle_limit_exceeded usage_limit_exceeded",
        api.AuthError: f"membership_required admission_suspended {_UNMADE}",
        api.RateLimited: "rate_limited",
        api.ProviderUnavailable: "provider_unavailable",
    },
    statuses={402: api.InsufficientBalance},
    advice={api.AuthError: "check the key, and the plan and membership of its organization"},
)


@frozen
class Job:
    """The document of a job; keys without a value may be null or absent."""

    id: Any = api.text()
    status: Any = api.text()
    output: Any = None
    billing: Any = None

    @property
    def charge(self) -> float | None:
        """Return the US dollars that were charged; None while that is not settled."""
        bill = api.members(self.billing)
        return _dollars(bill.get("charge_micro_usd")) if bill.get("state") == "settled" else None

    @property
    def charged(self) -> api.Charged:
        """Return whether a failed job was billed: one without a bill never is."""
        if self.billing is None:
            return "no"
        return "unknown" if self.charge is None else "yes" if self.charge else "no"


def _dollars(value: Any) -> float | None:
    micro = api.number(value)
    return None if micro is None else micro / 1_000_000


def _wrong(body: Any, response: api.HttpResponse) -> api.ErrorInfo:
    """Return what an answer says went wrong: `error.code` before `code`, `error.message` before `message`."""
    outer = api.members(body)
    inner = api.members(outer.get("error"))
    code = next((c for c in (inner.get("code"), outer.get("code")) if isinstance(c, str) and c), None)
    code = _UNMADE if _UNMADE.encode() in response.body else code
    message = api.first_text(inner) or api.first_text(outer.get("message"))
    return api.ErrorInfo(code=code, message=message, trace_id=response.headers.get("x-request-id"))


@frozen(kw_only=True)
class PikaOfficial:
    """Translates to Pika's own API.

    A submit bears an `Idempotency-Key` of its attempt: the same bytes under it reach the same job again.
    """

    api_key: api.Secret = api.key("PIKA_API_KEY")
    base_url: str = api.base_url("https://api.dev.pika.art")
    capabilities: ClassVar[api.Capabilities] = api.Capabilities(
        name="pika",
        cost_unit="USD",
        kinds={api.Generate, api.Style, api.Edit},
        fields={"image", "last_image", "frames", "video", "region", "mask", "duration", "resolution"}
        | {"negative_prompt", "seed", "model"},
        lacks={
            api.Generate: {"video"},
            api.Style: {"prompt", "duration", "resolution", "negative_prompt", "model"},
            api.Edit: {"model"},
        },
        prompt_optional={api.Generate, api.Style},
        models=("2.5",),
        styles=(*api.IMAGE_EFFECTS, *api.NEWER_EFFECTS, *api.VIDEO_EFFECTS),
        choices={"model": ("2.5",), "resolution": ("720p", "1080p")},
        media={"image": _IMAGES, "video": _VIDEOS},
        replay=api.Replay(),
        refuses_by_body=True,
        callbacks="account",
        secret_variable="PIKA_WEBHOOK_SECRET",  # noqa: S106 - its name
        hosts={"*": ()},
        key_variables=("PIKA_API_KEY",),
        url_variable="PIKA_BASE_URL",
    )

    def check_request(self, request: api.VideoRequest, /) -> None:
        operation(request)

    def build_submit(self, request: api.VideoRequest, call: api.Call, /) -> api.HttpRequest:
        name, body = operation(request)
        whole, url = api.Json(api.merged(body, request.extra_body)), self._url(f"v1/media/pika/{name}")
        return self._call("POST", url, whole, **{"idempotency-key": call.attempt_id})

    def read_submit(self, response: api.HttpResponse, _request: api.VideoRequest, /) -> api.Snapshot:
        """Read the answer. A failed job is a refusal at any status: nothing is billed for it."""
        body = api.decoded(response.body)
        job = api.structure(api.members(body), Job)
        if job.id and (job.status or response.status < 300):
            if api.state(job.status) is not api.State.FAILED:
                return self._snapshot(api.Task(job.id), job, body, response.headers.get("x-request-id"))
            # Of a replay as well: its key leads to the job that the first send made.
            raise REFUSALS.by_body(response, _wrong(body, response), self.api_key, settles_key=True)
        raise REFUSALS.at_submit(response, _wrong(body, response), self.api_key)

    def build_poll(self, tasks: Sequence[api.Task], /) -> api.HttpRequest:
        """Build the look-up; a completed job without a link is asked for its content."""
        (task,) = tasks
        content = "/content" if task.locator.get("completed") else ""
        return self._call("GET", self._url(f"v1/media/jobs/{quote(task.id, safe='')}{content}"))

    def read_poll(self, response: api.HttpResponse, tasks: Sequence[api.Task], /) -> api.Snapshots:
        (task,) = tasks
        body, good = api.decoded(response.body), 200 <= response.status < 300
        told = api.members(body)
        if task.locator.get("completed"):
            link = response.headers.get("location") if response.status in {302, 303, 307} else told.get("url")
            if isinstance(link, str) and api.is_link(link):
                cost: Any = task.locator.get("cost")
                return {task.id: api.succeeded(task, [link], cost=cost, raw=self._kept(body))}
            if good or response.status == 409:
                # Not done after all, so the job itself is looked up next.
                return {task.id: api.Pending(task=api.Task(task.id, {"completed": False}))}
        job = api.structure(told, Job)
        said = job.status and (good or api.state(job.status) is api.State.FAILED)
        if said and job.id == task.id:
            return {task.id: self._snapshot(task, job, body)}
        if (good and job.id) or (response.status == 404 and told):
            return {}
        error = api.ErrorInfo() if said else _wrong(body, response)
        raise REFUSALS.at_lookup(response, error, self.api_key)

    def read_callback(
        self, body: bytes, headers: Mapping[str, str], received_at: float, keys: bytes | None, /
    ) -> api.Snapshot | None:
        """Read a push of the account, signed with the organization's secret; its words are hints.

        The names of its events and members are unpublished, so the job is sought where it may be.
        """
        if not api.signed_by_secret(body, headers, received_at, keys):
            return None
        outer = api.members(api.decoded(body))
        event = api.first_text(outer.get("type")).rpartition(".")[2]
        told = {"status": event, **outer, "id": outer.get("source_id") or outer.get("id")}
        told |= api.members(outer.get("data"))
        job = api.structure(told, Job)
        if not job.id:
            return None
        seen = self._snapshot(api.Task(job.id), job, told)
        ended = isinstance(seen, api.Pending) and seen.poll_after == 0
        return api.Failed(task=seen.task, reason="no_output", raw=self._kept(told)) if ended else seen

    def build_upload(self, blob: api.Blob, step: api.Uploading, /) -> api.HttpRequest:
        """Ask for a place, then put the bytes there with exactly the headers that were told, and no key."""
        if not step.told:
            what = {"content_type": blob.content_type, "size_bytes": len(blob.data)}
            return self._call("POST", self._url("v1/media/uploads"), api.Json(what))
        url, query = api.signed(step.told["upload_url"])
        headers = step.told["headers"]
        return api.HttpRequest(method="PUT", url=url, query=query, headers=headers, body=blob)

    def read_upload(
        self, response: api.HttpResponse, _blob: api.Blob, step: api.Uploading, /
    ) -> api.Uploading | api.Uploaded:
        told, good = api.members(api.decoded(response.body)), 200 <= response.status < 300
        if step.told and good:
            return api.Uploaded(link=step.told["url"])
        links = {n: told[n] for n in ("upload_url", "url") if api.is_link(str(told.get(n)))}
        if step.told or not good or len(links) < 2:
            raise REFUSALS.at_upload(response, _wrong(told, response), self.api_key)
        given = api.members(told.get("headers")).items()
        # The transport counts the bytes itself.
        headers = {n: v for n, v in given if isinstance(v, str) and n.lower() != "content-length"}
        return api.Uploading(told={**links, "headers": headers})

    def build_download(self, link: str, /) -> api.HttpRequest | None:
        """Build the GET of a link to the API itself, which redirects to one that needs no key."""
        request = self._call("GET", link)
        return request if request.origin == api.HttpRequest(method="GET", url=self.base_url).origin else None

    def build_balance(self) -> api.HttpRequest:
        return self._call("GET", self._url("billing/balance"))

    def read_balance(self, response: api.HttpResponse, /) -> api.Balance:
        """Read what is left, in US dollars: of the cycle, for an organization that pays later."""
        told = api.members(api.decoded(response.body))
        later = api.members(told.get("postpaid"))
        cycle = api.members(later.get("cycle")).get("remaining_micro_usd")
        left = _dollars(cycle if later.get("active") is True else told.get("balance_micro_usd"))
        if response.status != 200 or left is None:
            raise REFUSALS.at_lookup(response, _wrong(told, response), self.api_key)
        return api.Balance(left, "USD")

    def build_estimate(self, request: api.VideoRequest, /) -> api.HttpRequest | None:
        """Ask the public catalogue for a quote; media that are not uploaded yet have none."""
        if not all(isinstance(medium, str) for _, medium in api.media_of(request)):
            return None
        name, body = operation(request)
        url = self._url(f"catalog/apis/{quote(f'pika/{name}', safe='')}/quote")
        return api.HttpRequest(method="POST", url=url, body=api.Json(api.merged(body, request.extra_body)))

    def read_estimate(
        self, response: api.HttpResponse | None, request: api.VideoRequest, /
    ) -> api.Estimate | None:
        body = response.body if response is not None and response.status == 200 else b""
        price = _dollars(api.members(api.decoded(body)).get("micro_usd"))
        what: Any = {"duration": request.duration or 5, "resolution": request.resolution or "1080p"}
        found = api.Estimate(amount=price or 0, unit="USD", source="Pika's catalogue", model="2.5", **what)
        return found if price is not None else None

    def _url(self, path: str) -> str:
        return f"{self.base_url.removesuffix('/v1')}/{path}"

    def _call(self, method: Any, url: str, body: Any = None, **more: str) -> api.HttpRequest:
        headers: Any = {"x-api-key": self.api_key, "accept": "application/json", **more}
        return api.HttpRequest(method=method, url=url, headers=headers, body=body)

    def _kept(self, raw: Any) -> api.Raw:
        return api.Raw(raw, secrets=[self.api_key])

    def _snapshot(self, task: api.Task, job: Job, raw: Any, trace_id: str | None = None) -> api.Snapshot:
        """Decide what a job's document says of *task*."""
        shared: dict[str, Any] = {"raw": self._kept(raw), "cost": job.charge}
        state = api.state(job.status) or api.State.RUNNING
        if state is api.State.FAILED:
            error = _wrong(raw, api.HttpResponse(status=200))
            return REFUSALS.failure(task, error, self.api_key, charged=job.charged, **shared)
        shared["trace_id"] = trace_id
        if state is not api.State.SUCCEEDED:
            return api.Pending(task=task, state=state, **shared)
        if links := api.video_links(job.output):
            return api.succeeded(task, links, **shared)
        task = api.Task(task.id, {"completed": True, "cost": job.charge})
        return api.Pending(task=task, poll_after=0, **shared)
