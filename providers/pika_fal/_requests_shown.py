"""The requests that fal's documents show, for the conformance kit; pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pika_async.provider as api

_BACK: Final = "https://callback.invalid/token"
_CALL: Final = api.Call(callback_url=api.Secret(_BACK), attempt_id="a", now=0.0)
_MUTE: Final = api.Call(callback_url=None, attempt_id="a", now=0.0)
_PICTURE, _CLIP, _SEA = "https://media.test/cat.png", "https://media.test/cat.mp4", "https://media.test/s.png"
_PLAIN: Final = api.Generate("A cat")
_T: Final = api.Task("t1")


def examples(provider: Any) -> Iterator[api.Example]:
    """Return what the adapter must send, and what it must refuse."""
    yield from _submits(provider)
    yield from _refused()
    yield from _calls(provider)


def _call(provider: Any, method: Any, url: str, **more: Any) -> api.HttpRequest:
    headers = {"authorization": f"Key {provider.api_key.reveal()}", "accept": "application/json"}
    return api.HttpRequest(method=method, url=url, headers=headers, **more)


def _submits(provider: Any) -> Iterator[api.Example]:
    blob, inline = api.Blob(b"png", "image/png"), "data:image/png;base64,cG5n"
    between = (api.Frame(_PICTURE, seconds=3, prompt="dusk"), api.Frame(_SEA))
    cases: list[tuple[api.VideoRequest, str, dict[str, Any]]] = [
        (_PLAIN, "v2.2/text-to-video", {}),
        (
            api.Generate(
                "A cat",
                negative_prompt="blur",
                seed=0,
                aspect_ratio="9:16",
                resolution="720p",
                duration=10,
            ),
            "v2.2/text-to-video",
            {
                "negative_prompt": "blur",
                "seed": 0,
                "aspect_ratio": "9:16",
                "resolution": "720p",
                "duration": 10,
            },
        ),
        (api.Generate("A cat", model="2.1"), "v2.1/text-to-video", {}),
        (api.Generate("A cat", model="2-turbo"), "v2/turbo/text-to-video", {}),
        (
            api.Generate("A cat", image=_PICTURE, duration=5),
            "v2.2/image-to-video",
            {"image_url": _PICTURE, "duration": 5},
        ),
        (api.Generate("A cat", image=blob, model="2.1"), "v2.1/image-to-video", {"image_url": inline}),
        (
            api.Generate("A cat", image=_PICTURE, last_image=blob),
            "v2.2/pikaframes",
            {"image_urls": [_PICTURE, inline]},
        ),
        (
            api.Generate("A cat", image=_PICTURE, last_image=_SEA, duration=25, model="2.2"),
            "v2.2/pikaframes",
            {"image_urls": [_PICTURE, _SEA], "transitions": [{"duration": 25}]},
        ),
        (
            api.Generate("A cat", frames=(*between, api.Frame(_CLIP)), seed=3),
            "v2.2/pikaframes",
            {
                "image_urls": [_PICTURE, _SEA, _CLIP],
                "seed": 3,
                "transitions": [{"duration": 3, "prompt": "dusk"}, {}],
            },
        ),
        (
            api.Style("A cat", style="Ta-da", image=_PICTURE),
            "v1.5/pikaffects",
            {"pikaffect": "Ta-da", "image_url": _PICTURE},
        ),
        (
            api.Ingredients("A cat", (_PICTURE, blob), mode="precise", duration=10, aspect_ratio="1:1"),
            "v2.2/pikascenes",
            {
                "image_urls": [_PICTURE, inline],
                "ingredients_mode": "precise",
                "duration": 10,
                "aspect_ratio": "1:1",
            },
        ),
        (
            api.Edit("A cat", _CLIP, image=_PICTURE),
            "v2/pikadditions",
            {"video_url": _CLIP, "image_url": _PICTURE},
        ),
        (
            api.Edit("A cat", _CLIP, region="hat", image=_PICTURE),
            "v2/pikaswaps",
            {"video_url": _CLIP, "modify_region": "hat", "image_url": _PICTURE},
        ),
        (api.Generate("A cat", extra_body={"seed": 9}), "v2.2/text-to-video", {"seed": 9}),
    ]
    for request, path, body in cases:
        url = f"{provider.base_url}/fal-ai/pika/{path}"
        whole = api.Json({"prompt": "A cat", **body})
        sent = _call(provider, "POST", url, query={"fal_webhook": _BACK}, body=whole)
        yield api.Example("build_submit", (request, _CALL), sent)
    sent = _call(
        provider,
        "POST",
        f"{provider.base_url}/fal-ai/pika/v2.2/text-to-video",
        body=api.Json({"prompt": "A cat"}),
    )
    yield api.Example("build_submit", (_PLAIN, _MUTE), sent)


def _refused() -> Iterator[api.Example]:
    """Return requests that an endpoint cannot express, and the nearest that it can."""
    frames = tuple(api.Frame(_PICTURE) for _ in range(6))
    long = (api.Frame(_PICTURE, seconds=13), api.Frame(_SEA, seconds=13), api.Frame(_PICTURE))
    for wrong in (
        api.Style(style="Melt", video=_CLIP),
        api.Edit("A cat", _CLIP),
        api.Generate("A cat", frames=frames),
        api.Generate("A cat", frames=frames[:2], model="2.1"),
        api.Generate("A cat", frames=frames[:2], aspect_ratio="1:1"),
        api.Generate("A cat", frames=long),
        api.Generate("A cat", frames=(api.Frame(_PICTURE, seconds=2.5), api.Frame(_SEA))),
        api.Generate("A cat", frames=(api.Frame(_PICTURE), api.Frame(_SEA, seconds=3))),
        api.Generate("A cat", image=_PICTURE, last_image=_SEA, duration=26),
        api.Generate("A cat", duration=7),
        api.Generate("A cat", image=_PICTURE, aspect_ratio="1:1"),
        api.Generate(image=_PICTURE),
    ):
        yield api.Example("check_request", (wrong,), api.UnsupportedRequest)
    for right in (
        api.Generate("A cat", frames=frames[:5]),
        api.Generate("A cat", frames=(api.Frame(_PICTURE, seconds=10), *frames[:4])),
        api.Generate("A cat", frames=(api.Frame(_PICTURE, seconds=25), api.Frame(_SEA))),
        api.Generate("A cat", image=_PICTURE, last_image=_SEA, duration=25),
        api.Edit("A cat", _CLIP, region="hat"),
    ):
        yield api.Example("check_request", (right,), None)


def _calls(provider: Any) -> Iterator[api.Example]:
    """Return calls about a task: to the addresses it was told, and to no host but ours."""
    home = f"{provider.base_url}/fal-ai/pika/requests/t1"
    told = {name: f"{home}/told/{name}" for name in ("status_url", "response_url", "cancel_url")}
    strange = {name: f"https://evil.test/{name}" for name in told}
    near = {name: f"{provider.base_url}.evil.test/{name}" for name in told}
    for locator, status, result, cancel in (
        ({}, f"{home}/status", home, f"{home}/cancel"),
        (told, told["status_url"], told["response_url"], told["cancel_url"]),
        (strange, f"{home}/status", home, f"{home}/cancel"),
        (near, f"{home}/status", home, f"{home}/cancel"),
    ):
        task = api.Task("t1", locator)
        done = api.Task("t1", {**locator, "completed": True})
        yield api.Example("build_poll", ([task],), _call(provider, "GET", status))
        yield api.Example("build_poll", ([done],), _call(provider, "GET", result))
        yield api.Example("build_cancel", (task,), _call(provider, "PUT", cancel))
    usual = _call(provider, "GET", "https://queue.fal.run/fal-ai/pika/requests/t1/status")
    yield api.Example("build_poll", ([_T],), usual, options={"base_url": None})
    odd = f"{provider.base_url}/fal-ai/pika/requests/a%2Fb/status"
    yield api.Example("build_poll", ([api.Task("a/b")],), _call(provider, "GET", odd))
    for default, rest, own in (
        (False, provider.base_url, provider.base_url),
        (True, "https://rest.fal.ai", "https://api.fal.ai"),
    ):
        options = {"base_url": "https://queue.fal.run"} if default else {}
        keys = api.HttpRequest(method="GET", url=f"{rest}/.well-known/jwks.json")
        yield api.Example("build_keys", (), keys, options=options)
        url = f"{own}/v1/account/billing"
        sent = _call(provider, "GET", url, query={"expand": "credits"})
        yield api.Example("build_balance", (), sent, options=options)
        url, query = f"{rest}/storage/auth/token", {"storage_type": "fal-cdn-v3"}
        sent = _call(provider, "POST", url, query=query, body=api.Json({}))
        blob = api.Blob(b"png", "image/png", "a b.png")
        yield api.Example("build_upload", (blob, api.Uploading()), sent, options=options)
        step = api.Uploading(told={"files": "https://up.test/files/upload", "ticket": api.Secret("Bearer x")})
        headers = {"authorization": "Bearer x", "x-fal-file-name": "a%20b.png"}
        sent = api.HttpRequest(method="POST", url="https://up.test/files/upload", headers=headers, body=blob)
        yield api.Example("build_upload", (blob, step), sent, options=options)
