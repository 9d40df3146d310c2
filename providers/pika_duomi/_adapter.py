"""Duomi (多米API): our requests as its Pika wire, and its answers as our values."""

import re
import warnings
from collections.abc import Mapping, Sequence
from ipaddress import ip_address
from typing import Any, ClassVar
from urllib.parse import urlsplit

from attrs import asdict, field, frozen

import pika_async.provider as api
from pika_duomi import _refusals as refusals
from pika_duomi import _wire as wire

_STYLES = (
    *("Inflate", "Melt", "Explode", "Squish", "Crush", "Cake-ify", "Ta-da"),
    *("Deflate", "Crumble", "Dissolve", "Levitate", "Decapitate", "Eye-pop"),
)
_FIELDS = frozenset(
    {"negative_prompt", "model", "aspect_ratio", "seed", "frame_rate", "guidance_scale"}
    | {"motion", "camera", "sound_effects", "image", "video"}
)
_RATIO, _FRAME_RATE = "16:9", 24
_RANGES = {"frame_rate": (8, 24), "guidance_scale": (5, 25), "motion": (0, 4)}


def _base_url(url: str | None) -> str:
    return (url or "https://duomiapi.com").rstrip("/")


@frozen(kw_only=True)
class Duomi:
    """Speak Duomi's dialect; *success_codes* are the codes of good answers, 0 at some of its resellers.

    The key travels inside the body, so a plain http *base_url* off this machine is warned of.
    """

    api_key: api.Secret = field(converter=api.Secret)
    base_url: str = field(default=None, converter=_base_url)
    success_codes: tuple[int, ...] = (200,)
    capabilities: ClassVar[api.Capabilities] = api.Capabilities(
        name="duomi",
        kinds=frozenset({api.Generate, api.Style}),
        fields=_FIELDS,
        models=("1.5",),
        styles=_STYLES,
        closed_styles=True,
        callbacks="required",
        key_variables=("DUOMI_API_KEY",),
        url_variable="DUOMI_BASE_URL",
    )

    def __attrs_post_init__(self) -> None:
        if not self.api_key:
            raise api.ConfigError("api_key is empty; set DUOMI_API_KEY or pass api_key.")
        self.build_balance()  # HTTP refuses some keys and addresses: better here than after the purchase
        url = urlsplit(self.base_url)
        if url.scheme == "http" and not _is_loopback(url.hostname or ""):
            message = "base_url is plain http: Duomi's key travels in clear text; use https."
            warnings.warn(message, UserWarning, stacklevel=3)

    def build_submit(self, request: api.VideoRequest, call: api.Call, /) -> api.HttpRequest:
        """Build the paid POST.

        What the wire requires and the caller left out is ours: ratio 16:9 for words alone, frame rate 24
        for words and for video, no sound for video.
        """
        if isinstance(request, api.Ingredients):
            raise api.UnsupportedRequest("Ingredients is not offered by Duomi; acedata has it.")
        if call.callback_url is None:
            raise api.ConfigError("callback_url is required by Duomi; leave it at its default or give yours.")
        _check(request)
        options = {
            "frameRate": request.frame_rate or (None if request.image else _FRAME_RATE),
            "camera": _given(**asdict(request.camera)) or None if request.camera else None,
            "parameters": _given(
                guidanceScale=request.guidance_scale,
                motion=request.motion,
                negativePrompt=request.negative_prompt,
                seed=request.seed,
            )
            or None,
        }
        body = {
            "key": self.api_key,
            "callback_url": call.callback_url,
            "style": _style(request),
            "ratio": None if request.image or request.video else request.aspect_ratio or _RATIO,
            "prompt": request.prompt,
            "sfx": False if request.video and request.sound_effects is None else request.sound_effects,
            "image": request.image,
            "video": request.video,
            "model": None if request.model is None else float(request.model),
            "options": _given(**options) or None,
        }
        return api.HttpRequest(
            method="POST",
            url=f"{self.base_url}/api/video/pika/pro/generate",
            headers={"accept": "application/json", "content-type": "application/json"},
            body=api.Json({**_given(**body), **(request.extra_body or {})}),
        )

    def read_submit(self, response: api.HttpResponse, _request: api.VideoRequest, /) -> api.Snapshot:
        """Read the answer; one that names a task is evidence of it, whatever its code."""
        body = wire.envelope(wire.decoded(response.body))
        for id_, (_, raw) in wire.tasks(body.data).items():
            return api.Pending(task=api.Task(id_), state=api.State.QUEUED, raw=wire.cleaned(raw))
        kind = refusals.of_submit(response.status, body.code, body.msg, self.success_codes)
        raise refusals.worded(kind, response, body.msg, code=body.code, key=self.api_key, phase="submit")

    def build_poll(self, tasks: Sequence[api.Task], /) -> api.HttpRequest:
        (task,) = tasks
        return self._get("video/pika/feed", {"task_id": task.id})

    def read_poll(
        self, response: api.HttpResponse, tasks: Sequence[api.Task], /
    ) -> Mapping[str, api.Snapshot]:
        """Read the feed of one task; another one's is not ours to conclude from."""
        told = wire.tasks(self._data(response))
        return {
            task.id: wire.snapshot(task, *told[task.id], self.api_key) for task in tasks if task.id in told
        }

    def read_callback(
        self, body: bytes, _headers: Mapping[str, str], _received_at: float, _keys: bytes | None, /
    ) -> api.Snapshot | None:
        """Read a push, one of several for each task: JSON or form, bare or in the envelope; unsigned."""
        raw = wire.decoded(body, form=True)
        for id_, (told, item) in (wire.tasks(raw) or wire.tasks(wire.envelope(raw).data)).items():
            return wire.snapshot(api.Task(id_), told, item, self.api_key)
        return None

    def build_balance(self) -> api.HttpRequest:
        return self._get("account/get", {})

    def read_balance(self, response: api.HttpResponse, /) -> api.Balance:
        """Read the points left; one account serves all of Duomi's products."""
        data = self._data(response)
        account = api.structure(data if isinstance(data, Mapping) else {}, wire.Account)
        if account.total is None:
            raise refusals.worded(api.BadReply, response, "", code=None, key=self.api_key, phase="poll")
        return api.Balance(account.total, "points")

    def _data(self, response: api.HttpResponse) -> Any:
        """Return the data of a look-up's answer, None for "not known"; raises what speaks of the call."""
        body = wire.envelope(wire.decoded(response.body))
        if 200 <= response.status < 300 and (body.code in self.success_codes or wire.tasks(body.data)):
            return body.data
        kind = refusals.of_lookup(response.status, body.code, body.msg)
        if kind:
            raise refusals.worded(kind, response, body.msg, code=body.code, key=self.api_key, phase="poll")
        return None

    def _get(self, path: str, query: Mapping[str, str]) -> api.HttpRequest:
        # The bare key, without Bearer: that is how the feed's page has it.
        headers: dict[str, str | api.Secret] = {"accept": "application/json", "Authorization": self.api_key}
        return api.HttpRequest(method="GET", url=f"{self.base_url}/api/{path}", headers=headers, query=query)


def _check(request: api.Generate | api.Style) -> None:
    """Refuse the combinations and values that the wire cannot carry."""
    problem = None
    if request.video and not isinstance(request, api.Style):
        problem = "video needs a style on Duomi's wire; use Style(style, prompt, video=...)"
    elif request.image and request.video:
        problem = "image and video cannot go together; leave one out"
    elif request.aspect_ratio and (request.image or request.video):
        problem = "aspect_ratio goes with words alone, media have one; leave it out"
    elif not all(isinstance(media, str | None) for media in (request.image, request.video)):
        problem = "image and video must be links; Duomi takes no files"
    elif request.model is not None and not re.fullmatch(r"[0-9]+(\.[0-9]+)?", request.model):
        problem = "model must be a number such as 1.5"
    for name in {"key", "callback_url"} & (request.extra_body or {}).keys():
        problem = f"{name} cannot be in extra_body; give it to the client"
    for name, (least, most) in _RANGES.items():
        value = getattr(request, name)
        if value is not None and not least <= value <= most:
            problem = f"{name} must be {least} to {most}"
    if problem:
        raise api.UnsupportedRequest(f"{problem}.")


def _style(request: api.Generate | api.Style) -> str | None:
    if not isinstance(request, api.Style):
        return None
    spelled = {style.casefold(): style for style in _STYLES}.get(request.style.casefold())
    if spelled is None:
        raise api.UnsupportedRequest(f"style must be one of {', '.join(_STYLES)}.")
    return spelled


def _given(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
