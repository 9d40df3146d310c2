"""The requests that the clients and partners of Pika's own API show, for the conformance kit; pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import evolve

import pika_async.provider as api

_CALL: Final = api.Call(callback_url=None, attempt_id="attempt-1", now=0.0)
_PICTURE, _CLIP, _SEA = "https://media.test/cat.png", "https://media.test/cat.mp4", "https://media.test/s.png"
_PLAIN: Final = api.Generate("A cat")
_T: Final = api.Task("t1")


def examples(provider: Any) -> Iterator[api.Example]:
    """Return what the adapter must send, and what it must refuse."""
    yield from _submits(provider)
    yield from _refused()


def post(provider: Any, path: str, body: Mapping[str, Any], **more: str) -> api.HttpRequest:
    """Return a POST with the key, as its clients send it."""
    headers = {"x-api-key": provider.api_key, "accept": "application/json", **more}
    url = f"{provider.base_url.removesuffix('/v1')}/{path}"
    return api.HttpRequest(method="POST", url=url, headers=headers, body=api.Json(body))


def get(provider: Any, path: str) -> api.HttpRequest:
    """Return a GET with the key, as its clients send it."""
    url = f"{provider.base_url}/{path}"
    headers = {"x-api-key": provider.api_key, "accept": "application/json"}
    return api.HttpRequest(method="GET", url=url, headers=headers)


def _submits(provider: Any) -> Iterator[api.Example]:
    frames = (api.Frame(_PICTURE), api.Frame(_SEA))
    words: dict[str, Any] = {"prompt": "A cat"}
    cases: list[tuple[api.VideoRequest, str, dict[str, Any]]] = [
        (_PLAIN, "pika-2.5/text-to-video", words),
        (
            api.Generate("A cat", model="2.5", negative_prompt="blur", seed=0, resolution="720p", duration=5),
            "pika-2.5/text-to-video",
            {**words, "negative_prompt": "blur", "seed": 0, "resolution": "720p", "duration_s": 5},
        ),
        (api.Generate(image=_PICTURE), "pika-2.5/image-to-video", {"image": _PICTURE}),
        (
            api.Generate("A cat", image=_PICTURE, duration=10),
            "pika-2.5/image-to-video",
            {**words, "image": _PICTURE, "duration_s": 10},
        ),
        (
            api.Generate("A cat", image=_PICTURE, last_image=_SEA, duration=10),
            "pikaframes/image-to-video",
            {**words, "images": [_PICTURE, _SEA], "transition_duration_s": 10},
        ),
        (api.Generate(frames=frames), "pikaframes/image-to-video", {"images": [_PICTURE, _SEA]}),
        (
            api.Generate(frames=tuple(api.Frame(_PICTURE, seconds=5) for _ in range(3))),
            "pikaframes/image-to-video",
            {"images": [_PICTURE] * 3, "transition_duration_s": 5},
        ),
        (
            api.Style(style="Melt", image=_PICTURE, seed=3),
            "pikaffects/image-to-video",
            {"pikaffect": "Melt", "image": _PICTURE, "seed": 3},
        ),
        (
            api.Style(style="Pink Hair", video=_CLIP),
            "pikaffects/video-to-video",
            {"pikaffect": "Pink Hair", "video": _CLIP},
        ),
        (
            api.Edit("A cat", _CLIP, image=_PICTURE, duration=10),
            "pikadditions/video-to-video",
            {**words, "video": _CLIP, "image": _PICTURE, "duration_s": 10},
        ),
        (
            api.Edit("A cat", _CLIP, region="hat", resolution="1080p"),
            "pikaswaps/video-to-video",
            {**words, "video": _CLIP, "modify_region_roi": "hat", "resolution": "1080p"},
        ),
        (
            api.Edit("A cat", _CLIP, mask=_PICTURE),
            "pikaswaps/video-to-video",
            {**words, "video": _CLIP, "modify_region_mask": _PICTURE},
        ),
        (api.Generate("A cat", extra_body={"seed": 9}), "pika-2.5/text-to-video", {**words, "seed": 9}),
    ]
    for request, operation, body in cases:
        for options in ({}, {"base_url": f"{provider.base_url}/v1"}):
            sent = post(provider, f"v1/media/pika/{operation}", body, **{"idempotency-key": "attempt-1"})
            yield api.Example("build_submit", (request, _CALL), sent, options=options)
    done = api.Task("t1", {"completed": True})
    for task, path in (
        (_T, "t1"),
        (done, "t1/content"),
        (api.Task("t1", {"completed": False}), "t1"),
        (api.Task("a/b"), "a%2Fb"),
    ):
        sent = get(provider, f"v1/media/jobs/{path}")
        yield api.Example("build_poll", ([task],), sent)
        usual = evolve(sent, url=f"https://api.dev.pika.art/v1/media/jobs/{path}")
        yield api.Example("build_poll", ([task],), usual, options={"base_url": None})


def _refused() -> Iterator[api.Example]:
    frames = tuple(api.Frame(_PICTURE) for _ in range(6))
    for wrong in (
        api.Style("A cat", style="Melt"),
        api.Style(style="Melt", image=_PICTURE, video=_CLIP),
        api.Generate(frames=frames),
        api.Generate(frames=frames[:2], model="2.5"),
        api.Generate(frames=(api.Frame(_PICTURE, seconds=3), api.Frame(_PICTURE, seconds=4))),
        api.Generate(frames=(api.Frame(_PICTURE, prompt="dusk"), api.Frame(_SEA))),
        api.Generate(frames=frames[:2], duration=11),
        api.Generate(frames=frames[:2], duration=2.5),
        api.Generate(frames=frames[:3], duration=6),
        api.Generate("A cat", duration=10),
        api.Generate("A cat", image=_PICTURE, duration=7),
    ):
        yield api.Example("check_request", (wrong,), api.UnsupportedRequest)
    for right in (
        api.Generate(frames=frames[:5], duration=5),
        api.Generate(frames=frames[:2], duration=10),
        api.Generate(frames=frames[:2], duration=1),
        api.Edit("A cat", _CLIP, duration=10),
        api.Edit("A cat", _CLIP, duration=5),
        api.Generate(image=_PICTURE, duration=5),
        api.Generate("A cat", duration=5),
    ):
        yield api.Example("check_request", (right,), None)
