"""The requests that AceData Cloud's documents show, for the conformance kit; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import evolve

import pika_async.provider as api

_BACK: Final = "https://callback.invalid/token"
_CALL: Final = api.Call(callback_url=api.Secret(_BACK), attempt_id="a", now=0.0)
_MUTE: Final = api.Call(callback_url=None, attempt_id="a", now=0.0)
_PICTURE, _CLIP = "https://media.test/cat.png", "https://media.test/cat.mp4"
_PLAIN: Final = api.Generate("A cat")


def examples(provider: Any) -> Iterator[api.Example]:
    """Return what the adapter must send, and what it must refuse."""
    if not provider.held:
        yield from _submits(provider)
    yield from _look_ups(provider)


def _post(provider: Any, path: str, body: Mapping[str, Any], *, held: bool = False) -> api.HttpRequest:
    headers = {
        "authorization": f"Bearer {provider.api_key.reveal()}",
        **dict.fromkeys(("accept", "content-type"), "application/json"),
    }
    url = f"{provider.base_url}/pika/{path}"
    return api.HttpRequest(method="POST", url=url, headers=headers, body=api.Json(body), held=held)


def _submits(provider: Any) -> Iterator[api.Example]:
    blob = api.Blob(b"png", "image/png")
    inline = "data:image/png;base64,cG5n"
    cases: list[tuple[api.VideoRequest, dict[str, Any]]] = [
        (_PLAIN, {"model": "2.0"}),
        (
            api.Generate("A cat", negative_prompt="blur", model="1.5", aspect_ratio="9:16"),
            {"model": "1.5", "negative_prompt": "blur", "aspect_ratio": "9:16"},
        ),
        (api.Generate("A cat", image=_PICTURE), {"model": "2.0", "image_url": [_PICTURE]}),
        (api.Generate("A cat", image=blob), {"model": "2.0", "image_url": [inline]}),
        (api.Generate("A cat", video=_CLIP), {"model": "2.0", "video_url": _CLIP}),
        (api.Generate("A cat", extra_body={"model": "3.0"}), {"model": "3.0"}),
        (api.Style("A cat", style="Melt"), {"model": "1.5", "effect": "Melt"}),
        (api.Style("A cat", style="Melt", model="2.0"), {"model": "2.0", "effect": "Melt"}),
        (
            api.Style("A cat", style="Melt", video=_CLIP),
            {"model": "2.0", "effect": "Melt", "video_url": _CLIP},
        ),
        (
            api.Ingredients("A cat", (_PICTURE, blob), mode="precise"),
            {
                "model": "2.0",
                "image_url": [_PICTURE, inline],
                "ingredients": True,
                "ingredients_mode": "precise",
            },
        ),
    ]
    common: dict[str, Any] = {"action": "generate", "prompt": "A cat"}
    for request, body in cases:
        sent = _post(provider, "videos", {**common, **body, "async": True, "callback_url": _BACK})
        yield api.Example("build_submit", (request, _CALL), sent)
    plain = {**common, "model": "2.0"}
    yield api.Example("build_submit", (_PLAIN, _MUTE), _post(provider, "videos", {**plain, "async": True}))
    sent = _post(provider, "videos", plain, held=True)
    yield api.Example("build_submit", (_PLAIN, _CALL), sent, options={"held": True})
    for wrong in (
        api.Generate("A cat", video=_CLIP, model="1.5"),
        api.Ingredients("A cat", (_PICTURE,), model="1.5"),
    ):
        yield api.Example("check_request", (wrong,), api.UnsupportedRequest)
    for right in (
        api.Generate("A cat", model="1.5"),
        api.Generate("A cat", video=_CLIP, model="2.0"),
        api.Generate("A cat", video=_CLIP),
    ):
        yield api.Example("check_request", (right,), None)


def _look_ups(provider: Any) -> Iterator[api.Example]:
    one, two = api.Task("t1"), api.Task("t2")
    sent = _post(provider, "tasks", {"action": "retrieve", "id": "t1"})
    yield api.Example("build_poll", ([one],), sent)
    yield api.Example("build_poll", ([one],), sent, options={"held": True})
    usual = evolve(sent, url="https://api.acedata.cloud/pika/tasks")
    yield api.Example("build_poll", ([one],), usual, options={"base_url": None})
    sent = _post(provider, "tasks", {"action": "retrieve_batch", "ids": ["t1", "t2"]})
    yield api.Example("build_poll", ([one, two],), sent)
    page: dict[str, Any] = {"action": "retrieve_batch", "limit": 50, "offset": 0, "type": "videos"}
    for cursor, until in ((None, 20.0), ("12.5", 12.5)):
        sent = _post(provider, "tasks", {**page, "created_at_min": 10.0, "created_at_max": until})
        yield api.Example("build_find", (10.0, 20.0, cursor), sent)
