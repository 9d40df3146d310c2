"""How our requests look on fal's wire, and what its answers amount to.

One entry for each row of its tables in docs/providers.md, from fal's own documents.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from pika_async import (
    AuthError,
    ContentBlocked,
    Edit,
    Frame,
    Generate,
    Ingredients,
    InsufficientBalance,
    JobTimeout,
    PikaError,
    RateLimited,
    Style,
    SubmitRefused,
    SubmitUnknown,
)
from pika_async.emulator import Outcome
from tests.provider_errors import PAGE, Answer, Ends, Key, failure, refusal, response, silent
from tests.provider_table import (
    CLIP,
    PICTURE,
    PNG,
    PROMPT,
    Case,
    Refuses,
    Sends,
    inflate,
    inlined,
    text,
    together,
)

_SEA = "https://media.example.test/sea.png"
_FOREIGN: Mapping[str, Any] = {
    "frame_rate": 12,
    "guidance_scale": 12.5,
    "motion": 3,
    "camera": {"pan": "left"},
    "sound_effects": True,
}


def _sends(request: Any, to: str, **body: Any) -> Sends:
    return Sends(request, {"POST": to, **body})


_TEXT, _IMAGE, _SCENES = "v2.2/text-to-video", "v2.2/image-to-video", "v2.2/pikascenes"
_FRAMES, _EFFECT = "v2.2/pikaframes", "v1.5/pikaffects"

WIRE: Mapping[str, tuple[Case, ...]] = {
    "Generate(prompt)": (_sends(text(), _TEXT, prompt=PROMPT),),
    "Generate(image=)": (
        _sends(text(image=PICTURE), _IMAGE, prompt=PROMPT, image_url=PICTURE),
        _sends(text(image="http://m.test/a.png"), _IMAGE, prompt=PROMPT, image_url="http://m.test/a.png"),
        _sends(text(image=PNG), _IMAGE, prompt=PROMPT, image_url=inlined("image/png", PNG)),
    ),
    "Generate(image=) without prompt": (
        Refuses(Generate(image=PICTURE), "prompt must come with an image", "comfy pika"),
    ),
    "Generate(video=)": (Refuses(text(video=CLIP), "video cannot be expressed", "acedata"),),
    "last_image": (
        _sends(text(image=PICTURE, last_image=_SEA), _FRAMES, prompt=PROMPT, image_urls=[PICTURE, _SEA]),
        _sends(
            text(image=PICTURE, last_image=_SEA, duration=9),
            _FRAMES,
            prompt=PROMPT,
            image_urls=[PICTURE, _SEA],
            transitions=[{"duration": 9}],
        ),
    ),
    "frames": (
        _sends(
            Generate(frames=[Frame(PICTURE, seconds=5, prompt="dusk"), Frame(_SEA, seconds=6), PICTURE]),
            _FRAMES,
            image_urls=[PICTURE, _SEA, PICTURE],
            transitions=[{"duration": 5, "prompt": "dusk"}, {"duration": 6}],
        ),
    ),
    "frames of more than 25 seconds, or more than five": (
        Refuses(text(frames=[PICTURE] * 3, duration=13), "25 whole seconds at most", None),
        Refuses(text(frames=[PICTURE] * 6), "frames must be 2 to 5", None),
    ),
    "frames or last_image with aspect_ratio or another model": (
        Refuses(text(frames=[PICTURE, _SEA], aspect_ratio="1:1"), "cannot go with frames", None),
        Refuses(text(image=PICTURE, last_image=_SEA, model="2.1"), "cannot go with frames", None),
    ),
    "Style(style=, image=)": (
        _sends(inflate(image=PICTURE), _EFFECT, pikaffect="Inflate", image_url=PICTURE, prompt=PROMPT),
        _sends(Style(style="Melt", image=PICTURE), _EFFECT, pikaffect="Melt", image_url=PICTURE),
    ),
    "Style(prompt, style=)": (Refuses(inflate(), "image must come with an effect", "acedata duomi"),),
    "Style(style=, video=)": (
        Refuses(Style(style="Pink Hair", video=CLIP), "video cannot be expressed", "pika"),
    ),
    "Ingredients(prompt, images, mode=)": (
        _sends(together(), _SCENES, prompt=PROMPT, image_urls=[PICTURE, inlined("image/png", PNG)]),
        _sends(
            Ingredients(PROMPT, [PICTURE], mode="creative", aspect_ratio="4:5", duration=10),
            _SCENES,
            prompt=PROMPT,
            image_urls=[PICTURE],
            ingredients_mode="creative",
            aspect_ratio="4:5",
            duration=10,
        ),
    ),
    "Edit(prompt, video, image=)": (
        _sends(
            Edit(PROMPT, CLIP, image=PICTURE),
            "v2/pikadditions",
            prompt=PROMPT,
            video_url=CLIP,
            image_url=PICTURE,
        ),
    ),
    "Edit(prompt, video, region=)": (
        _sends(
            Edit(PROMPT, CLIP, region="the hat"),
            "v2/pikaswaps",
            prompt=PROMPT,
            video_url=CLIP,
            modify_region="the hat",
        ),
    ),
    "Edit(prompt, video) without image and region": (
        Refuses(Edit(PROMPT, CLIP), "image or region must say", "pika"),
    ),
    "Edit(prompt, video, mask=)": (
        Refuses(Edit(PROMPT, CLIP, mask=PICTURE), "mask cannot be expressed", "pika"),
    ),
    "duration": (
        _sends(text(duration=10), _TEXT, prompt=PROMPT, duration=10),
        _sends(text(image=PICTURE, duration=5), _IMAGE, prompt=PROMPT, image_url=PICTURE, duration=5),
    ),
    "duration other than 5 or 10": (
        Refuses(text(duration=8), "duration must be 5 or 10", None),
        Refuses(Edit(PROMPT, CLIP, image=PICTURE, duration=5), "duration cannot be expressed", "pika"),
    ),
    "resolution": (_sends(text(resolution="720p"), _TEXT, prompt=PROMPT, resolution="720p"),),
    "resolution other than 720p or 1080p": (
        Refuses(text(resolution="4k"), "resolution must be 720p or 1080p", None),
    ),
    "aspect_ratio": (_sends(text(aspect_ratio="2:3"), _TEXT, prompt=PROMPT, aspect_ratio="2:3"),),
    "aspect_ratio other than its seven, or with an image": (
        Refuses(text(aspect_ratio="21:9"), "aspect_ratio must be 16:9", "acedata duomi"),
        Refuses(text(image=PICTURE, aspect_ratio="1:1"), "aspect_ratio cannot", None),
    ),
    "model": (
        _sends(text(model="2-turbo"), "v2/turbo/text-to-video", prompt=PROMPT),
        _sends(text(model=2.1, image=PICTURE), "v2.1/image-to-video", prompt=PROMPT, image_url=PICTURE),
    ),
    "model of another name": (
        Refuses(text(model="2.0"), "model must be 2.2 or 2.1 or 2-turbo", "acedata duomi"),
    ),
    "negative_prompt": (_sends(text(negative_prompt="blur"), _TEXT, prompt=PROMPT, negative_prompt="blur"),),
    "seed": (_sends(text(seed=0), _TEXT, prompt=PROMPT, seed=0),),
    **{
        name: (Refuses(text(**{name: value}), f"{name} cannot be expressed", "duomi"),)
        for name, value in _FOREIGN.items()
    },
    "extra_body": (_sends(text(extra_body={"mirror": True}), _TEXT, prompt=PROMPT, mirror=True),),
}


def _model(kind: type[PikaError], codes: str, *statuses: int) -> Iterable[tuple[Key, Answer]]:
    """Return errors of a model's own check, which are lists."""
    for code, status in product(codes.split(), statuses):
        body = {"detail": [{"loc": ["body", "prompt"], "msg": "why", "type": code}]}
        yield (code, "a list", str(status)), Answer(response(status, body), kind, "waits on", code)


def _flat(kind: type[PikaError], codes: str, *statuses: int) -> Iterable[tuple[Key, Answer]]:
    """Return errors of the platform."""
    for code, status in product(codes.split(), statuses):
        body = {"detail": "why", "error_type": code}
        yield (code, "a type", str(status)), Answer(response(status, body), kind, "waits on", code)


def _bare(kind: type[PikaError], detail: str, *statuses: int) -> Iterable[tuple[Key, Answer]]:
    for status in statuses:
        yield (
            ("none", detail, str(status)),
            Answer(response(status, {"detail": f"User is {detail}"}), kind, "waits on", None),
        )


ERRORS: Mapping[Key, Answer] = dict(
    [
        *_model(SubmitRefused, "another", 422),
        *_model(ContentBlocked, "content_policy_violation", 422),
        *_model(RateLimited, "another", 429),
        *_flat(SubmitRefused, "bad_request", 400),
        *_flat(SubmitUnknown, "client_disconnected client_cancelled", 499),
        *_flat(SubmitUnknown, "runner_server_error internal_error", 500),
        *_flat(SubmitUnknown, "runner_incomplete_response", 502),
        *_flat(
            SubmitUnknown,
            "runner_scheduling_failure runner_connection_timeout runner_disconnected "
            "runner_connection_refused runner_connection_error",
            503,
        ),
        *_flat(SubmitUnknown, "request_timeout startup_timeout", 504),
        *_bare(InsufficientBalance, "locked", 403),
        *_bare(AuthError, "another", 401, 403),
        *_bare(SubmitRefused, "another", 400, 404, 413),
        *_bare(RateLimited, "another", 429),
        *_bare(SubmitUnknown, "another", 302, 408, 409, 500),
        (("none", "no JSON", "200"), silent(200, PAGE)),
        (("none", "no JSON", "403"), silent(403, PAGE)),
        (("none", "no JSON", "502"), silent(502, PAGE)),
        (("none", "no request", "200"), silent(200, {})),
    ]
)

MAGIC: Mapping[Outcome, Ends] = {
    Outcome.RENDER_FAILS: failure("no", "runner_disconnected"),
    Outcome.MODERATED: refusal(ContentBlocked, 422, "content_policy_violation"),
    Outcome.MODERATED_LATE: failure("unknown", "content_policy_violation"),
    Outcome.NO_LINK: failure("unknown", "no_output"),
    Outcome.NEVER_FINISHES: Ends(JobTimeout, "yes", billed=1),
    Outcome.RATE_LIMITED: Ends(RateLimited, "no", status=429),
    Outcome.RETRY_AFTER: Ends(RateLimited, "no", status=429),
    Outcome.NO_BALANCE: Ends(InsufficientBalance, "no", status=403),
    Outcome.SERVER_ERROR: Ends(SubmitUnknown, "unknown", code="internal_error", status=500),
    Outcome.HTML: Ends(SubmitUnknown, "unknown", status=502),
    Outcome.DROPPED: Ends(SubmitUnknown, "unknown", billed=1),
}
