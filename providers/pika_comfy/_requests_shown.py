"""The requests that the documents of Comfy Router show, for the conformance kit; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from attrs import evolve

import pika_async.provider as api

_CALL: Final = api.Call(callback_url=None, attempt_id="attempt-1", now=0.0)
_PICTURE: Final = "https://media.test/cat.png"
_PLAIN: Final = api.Generate("A cat")
_LOCATOR: Final = {"model": "pika-2.5-text-to-video"}
_T: Final = api.Task("t1", _LOCATOR)
_DONE: Final = api.Task("t1", {**_LOCATOR, "completed": True})


def examples(provider: Any) -> Iterator[api.Example]:
    """Return what the adapter must send, and what it must refuse."""
    if not provider.held:
        yield from _submits(provider)
    yield from _refused()
    yield from _calls(provider)


def _submits(provider: Any) -> Iterator[api.Example]:
    reference = {"type": "image", "url": _PICTURE}
    cases: list[tuple[api.VideoRequest, str, dict[str, Any]]] = [
        (_PLAIN, "2.5-text", {}),
        (
            api.Generate("A cat", model="2.5", negative_prompt="blur", seed=0, resolution="720p", duration=5),
            "2.5-text",
            {"negative_prompt": "blur", "seed": 0, "resolution": "720p", "duration_s": 5},
        ),
        (
            api.Generate("A cat", image=_PICTURE, duration=10, resolution="1080p"),
            "2.5-image",
            {"image": _PICTURE, "duration_s": 10, "resolution": "1080p"},
        ),
        (
            api.Generate("A cat", model="h3-flex", aspect_ratio="21:9", duration=15, resolution="4k"),
            "h3-flex-text",
            {"aspect_ratio": "21:9", "duration": 15, "resolution": "4k"},
        ),
        (
            api.Generate("A cat", model="h3-flex", image=_PICTURE, duration=6),
            "h3-flex-image",
            {"image": _PICTURE, "duration": 6},
        ),
        (api.Ingredients("A cat", (_PICTURE,)), "h3-flex-reference", {"references": [reference]}),
        (
            api.Ingredients("A cat", (_PICTURE, _PICTURE), duration=7, aspect_ratio="9:16", seed=3),
            "h3-flex-reference",
            {"references": [reference] * 2, "duration": 7, "aspect_ratio": "9:16", "seed": 3},
        ),
        (api.Generate("A cat", extra_body={"seed": 9}), "2.5-text", {"seed": 9}),
    ]
    headers = {
        "x-api-key": provider.api_key,
        "accept": "application/json",
        "idempotency-key": "attempt-1",
    }
    for request, model, body in cases:
        url = f"{provider.base_url}/v2/models/pika/pika-{model}-to-video"
        whole = api.Json({"prompt": "A cat", **body})
        for held, end in ((False, "/requests"), (True, "")):
            sent = api.HttpRequest(
                method="POST",
                url=f"{url}{end}",
                headers=headers,
                query={"fallback_provider": "false"},
                body=whole,
                held=held,
            )
            yield api.Example("build_submit", (request, _CALL), sent, options={"held": True} if held else {})


def _refused() -> Iterator[api.Example]:
    flex: Any = {"model": "h3-flex"}
    for wrong in (
        api.Ingredients("A cat", (_PICTURE,), model="2.5"),
        api.Ingredients("A cat", (_PICTURE,), duration=5.5),
        api.Generate("A cat", negative_prompt="blur", **flex),
        api.Generate(image=_PICTURE, **flex),
        api.Generate("A cat", resolution="720p", **flex),
        api.Generate("A cat", duration=5.5, **flex),
        api.Generate("A cat", aspect_ratio="1:1"),
        api.Generate("A cat", resolution="4k"),
        api.Generate("A cat", duration=10),
        api.Generate("A cat", image=_PICTURE, duration=6),
    ):
        yield api.Example("check_request", (wrong,), api.UnsupportedRequest)
    for right in (
        api.Generate("A cat", duration=5, resolution="1080p"),
        api.Generate(image=_PICTURE, duration=5),
        api.Generate("A cat", duration=11, aspect_ratio="1:1", **flex),
        api.Ingredients("A cat", (_PICTURE,), model="h3-flex", duration=15),
    ):
        yield api.Example("check_request", (right,), None)


def _calls(provider: Any) -> Iterator[api.Example]:
    home = f"{provider.base_url}/v2/models/pika/pika-2.5-text-to-video/requests"
    headers = {"x-api-key": provider.api_key, "accept": "application/json"}

    def call(method: Any, path: str) -> api.HttpRequest:
        return api.HttpRequest(method=method, url=f"{home}/{path}", headers=headers)

    again = api.Task("t1", {**_LOCATOR, "completed": False})
    odd = api.Task("a/b", _LOCATOR)
    yield api.Example("build_poll", ([_T],), call("GET", "t1/status"))
    usual = "https://api.comfy.org/v2/models/pika/pika-2.5-text-to-video/requests/t1/status"
    sent = evolve(call("GET", "t1/status"), url=usual)
    yield api.Example("build_poll", ([_T],), sent, options={"base_url": None})
    yield api.Example("build_poll", ([again],), call("GET", "t1/status"))
    yield api.Example("build_poll", ([odd],), call("GET", "a%2Fb/status"))
    yield api.Example("build_poll", ([_DONE],), call("GET", "t1"))
    slashed = call("GET", "t1/status")
    slashed = evolve(slashed, url=slashed.url.replace("pika-2.5-text-to-video", "a%2Fb"))
    yield api.Example("build_poll", ([api.Task("t1", {"model": "a/b"})],), slashed)
    yield api.Example("build_cancel", (_T,), call("PUT", "t1/cancel"))
