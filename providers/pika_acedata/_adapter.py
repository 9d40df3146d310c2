"""AceData Cloud: our requests as its Pika wire, and its answers as our values."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from attrs import field, frozen

import pika_async.provider as api
from pika_acedata import _refusals as refusals
from pika_acedata import _wire as wire

_EFFECTS = """Bald Me, Looong Hair, Squish, Poke, Cake-ify, Baby Me, Inflate, Explode, Peel, Epic Me, Crush, \
Melt, Decapitate, Crumble, Ta-da, Princess Me, Warrior Me, Dissolve, Hero Me, Museum Me, Levitate, Deflate, \
Fairytale Me, Mrs Me, Eye-pop, VIP Me, Jungle Me, Puppy Me, Classy Me, Tear, Leprechaun Me, Royal Me, \
Captain Me, Rose, Mona Me, Zen Me, Cupid Strike, Hearts Bouquet, Love Bomb, Proposal, Crazy in Love, \
Pink Hair, Its Computer, Its Alive, Duplicate it, Wizard Cat"""
_PAGE = 50


def _base_url(url: str | None) -> str:
    return (url or "https://api.acedata.cloud").rstrip("/")


@frozen(kw_only=True)
class AceData:
    """Speak AceData's dialect; *held* waits for the video in the submit's own answer.

    A held answer that gets lost cannot be reconciled: the request then bears no token.
    """

    api_key: api.Secret = field(converter=api.Secret)
    base_url: str = field(default=None, converter=_base_url)
    held: bool = False
    capabilities: ClassVar[api.Capabilities] = api.Capabilities(
        name="acedata",
        kinds=frozenset({api.Generate, api.Ingredients, api.Style}),
        fields=frozenset({"negative_prompt", "model", "aspect_ratio", "image", "video", "mode"}),
        models=("2.0", "1.5"),
        styles=tuple(_EFFECTS.split(", ")),
        inline_media=True,
        poll_batch=50,
        callbacks="optional",
        echoes_token=True,
        render_time=90,
        key_variables=("ACEDATA_API_KEY", "ACEDATACLOUD_API_TOKEN"),
        url_variable="ACEDATA_BASE_URL",
    )

    def __attrs_post_init__(self) -> None:
        if not self.api_key:
            raise api.ConfigError("api_key is empty; set ACEDATA_API_KEY or pass api_key.")
        self._post("tasks", {})  # HTTP refuses some keys and addresses: better here than on the way

    def build_submit(self, request: api.VideoRequest, call: api.Call, /) -> api.HttpRequest:
        """Build the paid POST.

        The sources contradict on models, so the defaults are ours: `1.5` for an effect on words or an
        image, as in the documented example; else `2.0`, as in every other example, and the only one for
        a video or ingredients.
        """
        if isinstance(request, api.Ingredients):
            images, video = request.images, None
            own: dict[str, Any] = {"ingredients": True, "ingredients_mode": request.mode}
        else:
            images, video = (request.image,) if request.image else (), request.video
            own = {"effect": request.style} if isinstance(request, api.Style) else {}
        only_newest = isinstance(request, api.Ingredients) or video
        if only_newest and request.model not in {None, "2.0"}:
            raise api.UnsupportedRequest("model must be 2.0 with a video or ingredients; leave it out.")
        if request.aspect_ratio and (images or video):
            raise api.UnsupportedRequest("aspect_ratio goes with words alone, media have one; leave it out.")
        if "callback_url" in (request.extra_body or {}):
            raise api.UnsupportedRequest("callback_url cannot be in extra_body; give it to the client.")
        body = {
            "action": "generate",
            "prompt": request.prompt,
            "negative_prompt": request.negative_prompt,
            "model": request.model or ("2.0" if only_newest or "effect" not in own else "1.5"),
            "aspect_ratio": request.aspect_ratio,
            "image_url": [_link(image) for image in images] or None,
            "video_url": _link(video) if video else None,
            "async": None if self.held else True,
            "callback_url": None if self.held else call.callback_url,
            **own,
        }
        given = {name: value for name, value in body.items() if value is not None}
        return self._post("videos", {**given, **(request.extra_body or {})}, held=self.held)

    def read_submit(self, response: api.HttpResponse, request: api.VideoRequest, /) -> api.Snapshot:
        """Read the answer; one that names a task is evidence of it, never a refusal."""
        raw = wire.decoded(response.body)
        told = wire.read(raw)
        if id_ := told.task_id or next((output.id for output in told.outputs if output.id), None):
            if told.error and not refusals.proven(response, told.error):
                # A gateway that gave up says nothing of the task behind it; a look-up will.
                return api.Pending(task=api.Task(id_), trace_id=told.trace_id, raw=wire.cleaned(raw))
            source = getattr(request, "video", None)
            source = source if isinstance(source, str) else ""
            return wire.snapshot(api.Task(id_), told, raw, self.api_key, source)
        raise refusals.at_submit(response, told.error, told.trace_id, self.api_key)

    def build_poll(self, tasks: Sequence[api.Task], /) -> api.HttpRequest:
        ids = [task.id for task in tasks]
        one = {"action": "retrieve", "id": ids[0]}
        return self._post("tasks", one if len(ids) == 1 else {"action": "retrieve_batch", "ids": ids})

    def read_poll(
        self, response: api.HttpResponse, tasks: Sequence[api.Task], /
    ) -> Mapping[str, api.Snapshot]:
        """Read one record or many, each for itself; what we did not ask about is ignored."""
        asked = {task.id: task for task in tasks}
        records = self._records(response, alone=len(asked) == 1)
        return {
            task.id: wire.snapshot(task, told, raw, self.api_key, told.sent("video_url"))
            for told, raw in records
            if (task := asked.get(told.id or told.task_id or ""))
        }

    def build_find(self, since: float, until: float, cursor: str | None, /) -> api.HttpRequest:
        """Build the look-up of a page of history; *cursor* is the oldest time seen so far."""
        span = {"created_at_min": since, "created_at_max": float(cursor) if cursor else until}
        page = {"action": "retrieve_batch", "limit": _PAGE, "offset": 0, "type": "videos"}
        return self._post("tasks", page | span)

    def read_find(self, response: api.HttpResponse, /) -> api.Page:
        """Read a page, newest first; pages go by time, since an answer does not tell its offset."""
        records = self._records(response)
        found = []
        for told, raw in records:
            if id_ := told.id or told.task_id:
                url, source = told.sent("callback_url"), told.sent("video_url")
                seen = wire.snapshot(api.Task(id_), told, raw, self.api_key, source)
                found.append(api.Found(snapshot=seen, callback_url=api.Secret(url) if url else None))
        count = wire.read(wire.decoded(response.body)).count or 0
        if not records or (len(records) < _PAGE and count <= len(records)):
            return api.Page(found=tuple(found), next_cursor=None)
        times = [told.created_at for told, _ in records if told.created_at is not None]
        if not times:
            raise refusals.at_lookup(response, None, None, self.api_key)
        # A page of one and the same time must not be asked for for ever.
        oldest = min(times) if min(times) < max(times) else min(times) - 0.001
        return api.Page(found=tuple(found), next_cursor=repr(oldest))

    def read_callback(
        self, body: bytes, _headers: Mapping[str, str], _received_at: float, _keys: bytes | None, /
    ) -> api.Snapshot | None:
        """Read a push, JSON or form. It is unsigned and echoes no request: a look-up must confirm it."""
        raw = wire.decoded(body, form=True)
        told = wire.read(raw)
        return wire.snapshot(api.Task(told.task_id), told, raw, self.api_key, None) if told.task_id else None

    def _records(self, response: api.HttpResponse, *, alone: bool = False) -> list[tuple[wire.Told, Any]]:
        """Return the readable records; *alone* takes a 404 for "not known"."""
        body = wire.decoded(response.body)
        told = wire.read(body)
        if alone and response.status == 404 and refusals.error_code(told.error) not in refusals.WITHDRAWN:
            return []
        match body:
            case None:
                items: Any = []
            case {"items": items}:
                pass
            case dict():
                items = [body] if not body or {"id", "response"} & body.keys() else None
            case _:
                items = None
        if not (200 <= response.status < 300 and isinstance(items, list)):
            raise refusals.at_lookup(response, told.error, told.trace_id, self.api_key)
        return [(wire.read(item), item) for item in items if isinstance(item, Mapping)]

    def _post(self, path: str, body: Mapping[str, Any], *, held: bool = False) -> api.HttpRequest:
        json_type = "application/json"
        bearer = self.api_key.within("Bearer {}")
        return api.HttpRequest(
            method="POST",
            url=f"{self.base_url}/pika/{path}",
            headers={"accept": json_type, "content-type": json_type, "authorization": bearer},
            body=api.Json(body),
            held=held,
        )


def _link(media: Any) -> str:
    match media:
        case str():
            return media
        case api.Blob(data=data, content_type=kind):
            return f"data:{kind};base64,{base64.b64encode(data).decode()}"
    raise api.UnsupportedRequest("image and video reach an adapter as a link or a Blob; read the file first.")
