"""Duomi (多米API): our requests as its Pika wire, and its answers as our values."""

import re
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal
from urllib.parse import urlsplit

from attrs import asdict, evolve, frozen

import pika_async.provider as api

_STYLES = (
    *("Inflate", "Melt", "Explode", "Squish", "Crush", "Cake-ify", "Ta-da"),
    *("Deflate", "Crumble", "Dissolve", "Levitate", "Decapitate", "Eye-pop"),
)
_SPELLED = {style.casefold(): style for style in _STYLES}
_FIELDS = {"negative_prompt", "model", "aspect_ratio", "seed", "frame_rate", "guidance_scale"}
_RATIO, _FRAME_RATE = "16:9", 24
_MODERATED = "违规|敏感|审核"

# Its codes are undocumented but for 200, 400 and 404, so its words decide.
REFUSALS = api.Refusals(
    provider="duomi",
    words={
        "权限": api.AuthError,
        "点数|余额|不足": api.InsufficientBalance,
        "key|密钥|token|授权": api.AuthError,
        _MODERATED: api.ContentBlocked,
        "频繁|频率|限流|过快": api.RateLimited,
    },
    bare={404},
    advice={
        api.InsufficientBalance: "buy points, then call again",
        api.SubmitUnknown: "it may have been accepted: check Duomi's own records, never resubmit blindly",
    },
)
# The feed's page says `succeeded` and its own example `success`; `status` is the older number.
_STATUSES = {
    **dict.fromkeys([2, -1, 4], api.State.FAILED),
    3: api.State.SUCCEEDED,
    1: api.State.RUNNING,
    0: api.State.QUEUED,
}


@frozen
class Envelope:
    """What every answer comes in; its `ip` is the caller's address and goes no further."""

    code: int | None = None
    msg: Any = api.text()
    data: Any = None

    @property
    def wrong(self) -> api.ErrorInfo:
        code = None if self.code is None else str(self.code)
        return api.ErrorInfo(code=code, message=self.msg, status=self.code)


@frozen
class Told:
    """A task as the feed and callbacks tell it; `state` is the newer word, `status` the older number."""

    task_id: Any = api.text()
    state: Any = api.text()
    status: int | None = None
    video_url: Any = api.text()
    image_url: Any = api.text()
    poster: Any = api.text()
    msg: Any = api.text()
    point: float | None = None
    refund: int | None = None

    @property
    def charged(self) -> Literal["no", "yes", "unknown"]:
        """Return whether a failure cost points, as far as `refund` can: only its `0` is documented."""
        if self.refund == 1 or re.search("退还|退款", self.msg):
            return "no"
        return "yes" if self.refund == 0 and self.point else "unknown"


def _envelope(body: Any) -> Envelope:
    return api.structure(api.members(body), Envelope)


def _tasks(data: Any) -> dict[str, tuple[Told, Any]]:
    """Read `data`, an object or a list of them, by the ids of the tasks they name."""
    items = [item for item in (data if isinstance(data, list) else [data]) if isinstance(item, Mapping)]
    told = [(api.structure(item, Told), item) for item in items]
    return {one.task_id: (one, item) for one, item in told if one.task_id}


@frozen(kw_only=True)
class Duomi:
    """Translates to Duomi's API; *success_codes* are the codes of good answers, 0 at some of its resellers.

    The key travels inside the body, so a plain http *base_url* off this machine is warned of.
    """

    api_key: api.Secret = api.key("DUOMI_API_KEY")
    base_url: str = api.base_url("https://duomiapi.com")
    success_codes: tuple[int, ...] = (200,)
    capabilities: ClassVar[api.Capabilities] = api.Capabilities(
        name="duomi",
        cost_unit="points",
        kinds={api.Generate, api.Style},
        fields=_FIELDS | {"motion", "camera", "sound_effects", "image", "video"},
        models=("1.5",),
        styles=_STYLES,
        closed_styles=True,
        ranges={"frame_rate": (8, 24), "guidance_scale": (5, 25), "motion": (0, 4)},
        words_only={"aspect_ratio"},
        reserved={"key", "callback_url"},
        private={"ip", "key", "callback_url"},
        callbacks="required",
        key_variables=("DUOMI_API_KEY",),
        url_variable="DUOMI_BASE_URL",
    )

    def __attrs_post_init__(self) -> None:
        url = urlsplit(self.base_url)
        if url.scheme == "http" and not re.fullmatch(r"localhost|127\.[0-9.]+|::1", url.hostname or ""):
            message = "base_url is plain http: Duomi's key travels in clear text; use https."
            warnings.warn(message, UserWarning, stacklevel=3)

    def check_request(self, request: api.VideoRequest, /) -> None:
        if isinstance(request, api.Generate) and request.video:
            raise api.UnsupportedRequest(
                "video needs a style on this wire; use Style(prompt, style=..., video=...)."
            )
        if api.fields_set(request).keys() >= {"image", "video"}:
            raise api.UnsupportedRequest("image and video cannot go together; leave one out.")
        if request.model is not None and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", request.model):
            raise api.UnsupportedRequest("model must be a number such as 1.5.")

    def build_submit(self, request: api.VideoRequest, call: api.Call, /) -> api.HttpRequest:
        """Build the paid POST.

        What the wire requires and the caller left out is ours: ratio 16:9 for words alone, frame rate 24
        for words and for video, no sound for video.
        """
        self.capabilities.check(request)
        self.check_request(request)
        if call.callback_url is None:
            raise api.ConfigError("callback_url is required by Duomi; leave it at its default or give yours.")
        image, video = getattr(request, "image", None), getattr(request, "video", None)
        parameters = api.given(
            guidanceScale=request.guidance_scale,
            motion=request.motion,
            negativePrompt=request.negative_prompt,
            seed=request.seed,
        )
        options = api.given(
            frameRate=request.frame_rate or (None if image else _FRAME_RATE),
            camera=api.given(**asdict(request.camera)) or None if request.camera else None,
            parameters=parameters or None,
        )
        body = api.given(
            key=self.api_key,
            callback_url=call.callback_url,
            style=_SPELLED[request.style.casefold()] if isinstance(request, api.Style) else None,
            ratio=None if image or video else request.aspect_ratio or _RATIO,
            prompt=request.prompt,
            sfx=False if video and request.sound_effects is None else request.sound_effects,
            image=image,
            video=video,
            model=None if request.model is None else float(request.model),
            options=options or None,
        )
        return api.HttpRequest(
            method="POST",
            url=f"{self.base_url}/api/video/pika/pro/generate",
            headers={"accept": "application/json", "content-type": "application/json"},
            body=api.Json(api.merged(body, request.extra_body)),
        )

    def read_submit(self, response: api.HttpResponse, _request: api.VideoRequest, /) -> api.Snapshot:
        """Read the answer; one that names a task is evidence of it, whatever its code."""
        body = _envelope(api.decoded(response.body))
        for id_, (_, raw) in _tasks(body.data).items():
            return api.Pending(task=api.Task(id_), state=api.State.QUEUED, raw=self._kept(raw))
        good = {str(code) for code in self.success_codes}
        raise evolve(REFUSALS, open_codes=good).at_submit(response, body.wrong, self.api_key)

    def build_poll(self, tasks: Sequence[api.Task], /) -> api.HttpRequest:
        (task,) = tasks
        return self._get("video/pika/feed", {"task_id": task.id})

    def read_poll(self, response: api.HttpResponse, tasks: Sequence[api.Task], /) -> api.Snapshots:
        """Read the feed of one task; another one's is not ours to conclude from."""
        told = _tasks(self._data(response))
        return {task.id: self._snapshot(task, *told[task.id]) for task in tasks if task.id in told}

    def read_callback(self, body: bytes, *_: Any) -> api.Snapshot | None:
        """Read a push, one of several for each task: JSON or form, bare or in the envelope; unsigned."""
        raw = api.decoded(body, form=True)
        for id_, (told, item) in (_tasks(raw) or _tasks(_envelope(raw).data)).items():
            return self._snapshot(api.Task(id_), told, item)
        return None

    def build_balance(self) -> api.HttpRequest:
        return self._get("account/get", {})

    def read_balance(self, response: api.HttpResponse, /) -> api.Balance:
        """Read the points left; one account serves all of Duomi's products."""
        total = api.number(api.members(self._data(response)).get("total"))
        if total is None:
            raise REFUSALS.at_lookup(response, api.ErrorInfo(), self.api_key)
        return api.Balance(total, "points")

    def _data(self, response: api.HttpResponse) -> Any:
        """Return the data of a look-up's answer, None for "not known"; raises what speaks of the call."""
        body, good = _envelope(api.decoded(response.body)), 200 <= response.status < 300
        if good and (body.code in self.success_codes or _tasks(body.data)):
            return body.data
        error = REFUSALS.at_lookup(response, body.wrong, self.api_key)
        if type(error) is api.BadReply and (response.status == 404 or (good and body.code in {400, 404})):
            return None
        raise error

    def _snapshot(self, task: api.Task, told: Told, raw: Mapping[str, Any]) -> api.Snapshot:
        """Decide what *told* says: `state` and `status` may differ, and a link alone is no success."""
        number = None if told.status is None else _STATUSES.get(told.status, api.State.RUNNING)
        said = {api.state(told.state), number} - {None}
        linked = api.is_link(told.video_url)
        shared: dict[str, Any] = {"task": task, "cost": told.point, "raw": self._kept(raw)}
        if linked and api.State.SUCCEEDED in said:
            cover = told.poster or told.image_url or None
            video = api.VideoResult(task.id, told.video_url, cover, None, api.State.SUCCEEDED)
            return api.Succeeded(results=(video,), **shared)
        message = api.shown(told.msg, self.api_key)
        if said == {api.State.SUCCEEDED}:
            return api.Failed(reason="no_output", message=message, **shared)
        if said == {api.State.FAILED} or (api.State.FAILED in said and not linked):
            reason: Any = "content" if re.search(_MODERATED, told.msg) else "provider"
            return api.Failed(reason=reason, message=message, charged=told.charged, **shared)
        waits = api.State.QUEUED in said and api.State.RUNNING not in said
        return api.Pending(state=api.State.QUEUED if waits else api.State.RUNNING, **shared)

    def _kept(self, raw: Mapping[str, Any]) -> api.Raw:
        return api.Raw(raw, without=self.capabilities.private, secrets=[self.api_key])

    def _get(self, path: str, query: Mapping[str, str]) -> api.HttpRequest:
        # The bare key, without Bearer: that is how the feed's page has it.
        headers: dict[str, str | api.Secret] = {"accept": "application/json", "Authorization": self.api_key}
        return api.HttpRequest(method="GET", url=f"{self.base_url}/api/{path}", headers=headers, query=query)
