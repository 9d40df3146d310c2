"""The requests that Duomi's documents show, for the conformance kit; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from attrs import evolve

import pika_async.provider as api

_BACK: Final = "https://callback.invalid/token"
_CALL: Final = api.Call(callback_url=api.Secret(_BACK), attempt_id="a", now=0.0)
_PICTURE, _CLIP = "https://media.test/cat.png", "https://media.test/cat.mp4"
_PLAIN: Final = api.Generate("A cat")
_T: Final = api.Task("t1")


def examples(provider: Any) -> Iterator[api.Example]:
    """Return what the adapter must send, and what it must refuse."""
    yield from _submits(provider)
    yield from _look_ups(provider)


def _submits(provider: Any) -> Iterator[api.Example]:
    url = f"{provider.base_url}/api/video/pika/pro/generate"
    whole = api.Generate(
        "A cat",
        negative_prompt="blur",
        model="1.5",
        aspect_ratio="9:16",
        seed=7,
        frame_rate=12,
        guidance_scale=7.5,
        motion=3,
        camera=api.Camera(pan="left", zoom="in"),
        sound_effects=True,
    )
    options = {
        "frameRate": 12,
        "camera": {"pan": "left", "zoom": "in"},
        "parameters": {"guidanceScale": 7.5, "motion": 3, "negativePrompt": "blur", "seed": 7},
    }
    rate = {"options": {"frameRate": 24}}
    cases: list[tuple[api.VideoRequest, dict[str, Any]]] = [
        (_PLAIN, {"ratio": "16:9", **rate}),
        (whole, {"ratio": "9:16", "model": 1.5, "sfx": True, "options": options}),
        (
            api.Generate("A cat", motion=0),
            {"ratio": "16:9", "options": {"frameRate": 24, "parameters": {"motion": 0}}},
        ),
        (api.Generate("A cat", sound_effects=False), {"ratio": "16:9", "sfx": False, **rate}),
        (api.Generate("A cat", image=_PICTURE), {"image": _PICTURE}),
        (
            api.Generate("A cat", image=_PICTURE, frame_rate=8),
            {"image": _PICTURE, "options": {"frameRate": 8}},
        ),
        (api.Style("A cat", style="melt"), {"style": "Melt", "ratio": "16:9", **rate}),
        (api.Style("A cat", style="Cake-ify", image=_PICTURE), {"style": "Cake-ify", "image": _PICTURE}),
        (
            api.Style("A cat", style="Ta-da", video=_CLIP),
            {"style": "Ta-da", "video": _CLIP, "sfx": False, **rate},
        ),
        (
            api.Style("A cat", style="Ta-da", video=_CLIP, sound_effects=True),
            {"style": "Ta-da", "video": _CLIP, "sfx": True, **rate},
        ),
        (api.Generate("A cat", extra_body={"ratio": "1:1"}), {"ratio": "1:1", **rate}),
        (
            api.Generate("A cat", seed=3, extra_body={"options": {"extend": True}}),
            {"ratio": "16:9", "options": {"frameRate": 24, "parameters": {"seed": 3}, "extend": True}},
        ),
    ]
    for request, body in cases:
        told = {"key": provider.api_key, "callback_url": _BACK, "prompt": "A cat", **body}
        sent = api.HttpRequest(
            method="POST",
            url=url,
            headers=dict.fromkeys(("accept", "content-type"), "application/json"),
            body=api.Json(told),
        )
        yield api.Example("build_submit", (request, _CALL), sent)
    mute = api.Call(callback_url=None, attempt_id="a", now=0.0)
    yield api.Example("build_submit", (_PLAIN, mute), api.ConfigError)
    both = api.Style("A cat", style="Melt", image=_PICTURE, video=_CLIP)
    for wrong in (api.Generate("A cat", video=_CLIP), both, api.Generate("A cat", model="2.0b")):
        yield api.Example("check_request", (wrong,), api.UnsupportedRequest)
    for right in (
        api.Style("A cat", style="Melt", video=_CLIP),
        api.Generate("A cat", model="2"),
        api.Generate("A cat", image=_PICTURE),
    ):
        yield api.Example("check_request", (right,), None)


def _look_ups(provider: Any) -> Iterator[api.Example]:
    for function, arguments, path, query in (
        ("build_poll", ([_T],), "video/pika/feed", {"task_id": "t1"}),
        ("build_balance", (), "account/get", {}),
    ):
        headers = {"authorization": provider.api_key, "accept": "application/json"}
        url = f"{provider.base_url}/api/{path}"
        sent = api.HttpRequest(method="GET", url=url, query=query, headers=headers)
        yield api.Example(function, arguments, sent)
        usual = evolve(sent, url=f"https://duomiapi.com/api/{path}")
        yield api.Example(function, arguments, usual, options={"base_url": None})
