"""How our requests look on Comfy Router's wire, and what its answers amount to.

One entry for each row of its tables in docs/providers.md, from Comfy's documents and its client.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

from pika_async import (
    AuthError,
    Edit,
    Generate,
    Ingredients,
    InsufficientBalance,
    JobTimeout,
    PikaError,
    ProviderUnavailable,
    RateLimited,
    Style,
    SubmitRefused,
    SubmitUnknown,
)
from pika_async.emulator import Outcome
from tests.provider_errors import PAGE, Answer, Ends, Key, Looks, failure, refusal, response, silent
from tests.provider_table import CLIP, PICTURE, PNG, PROMPT, Case, Refuses, Sends, inflate, text, together

_SEA = "https://media.example.test/sea.png"
_FOREIGN: Mapping[str, Any] = {
    "frame_rate": 12,
    "guidance_scale": 12.5,
    "motion": 3,
    "camera": {"pan": "left"},
    "sound_effects": True,
}


def _sends(request: Any, to: str, **body: Any) -> Sends:
    return Sends(request, {"POST": f"pika-{to}-to-video", **body})


WIRE: Mapping[str, tuple[Case, ...]] = {
    "Generate(prompt)": (_sends(text(), "2.5-text", prompt=PROMPT),),
    "Generate(image=)": (
        _sends(text(image=PICTURE), "2.5-image", prompt=PROMPT, image=PICTURE),
        _sends(Generate(image=PICTURE), "2.5-image", image=PICTURE),
    ),
    "image= that is no https link": (
        Refuses(text(image=PNG), "image must be a link", "acedata fal pika"),
        Refuses(
            text(image="http://media.example.test/a.png"), "image must be an https link", "acedata duomi fal"
        ),
    ),
    "Generate(video=)": (Refuses(text(video=CLIP), "video cannot be expressed", "acedata"),),
    "last_image": (
        Refuses(text(image=PICTURE, last_image=_SEA), "last_image cannot be expressed", "fal pika"),
    ),
    "frames": (Refuses(text(frames=[PICTURE, _SEA]), "frames cannot be expressed", "fal pika"),),
    "Style(prompt, style=)": (
        Refuses(inflate(), "Style is not offered", "acedata duomi"),
        Refuses(Style(style="Melt", image=PICTURE), "Style is not offered", "fal pika"),
    ),
    "Ingredients(prompt, images)": (
        _sends(
            Ingredients(PROMPT, [PICTURE, _SEA], duration=8, resolution="480p", aspect_ratio="1:1"),
            "h3-flex-reference",
            prompt=PROMPT,
            references=[{"type": "image", "url": PICTURE}, {"type": "image", "url": _SEA}],
            duration=8,
            resolution="480p",
            aspect_ratio="1:1",
        ),
    ),
    "Ingredients(prompt, images, mode=)": (
        Refuses(together(mode="precise"), "mode cannot be expressed", "acedata fal"),
    ),
    "Edit(prompt, video, region=, mask=)": (
        Refuses(Edit(PROMPT, CLIP, region="the hat"), "Edit is not offered", "fal pika"),
        Refuses(Edit(PROMPT, CLIP, mask=PICTURE), "Edit is not offered", "pika"),
    ),
    "model": (
        _sends(text(model=2.5), "2.5-text", prompt=PROMPT),
        _sends(text(model="h3-flex"), "h3-flex-text", prompt=PROMPT),
        _sends(text(model="h3-flex", image=PICTURE), "h3-flex-image", prompt=PROMPT, image=PICTURE),
        _sends(
            Ingredients(PROMPT, [PICTURE], model="h3-flex"),
            "h3-flex-reference",
            prompt=PROMPT,
            references=[{"type": "image", "url": PICTURE}],
        ),
    ),
    "model of another name, or 2.5 with ingredients": (
        Refuses(text(model="2.2"), "model must be 2.5 or h3-flex", "acedata duomi fal"),
        Refuses(Ingredients(PROMPT, [PICTURE], model="2.5"), "model must be h3-flex", None),
    ),
    "Generate(image=, model=) of h3-flex without prompt": (
        Refuses(Generate(image=PICTURE, model="h3-flex"), "prompt is required", None),
    ),
    "duration": (
        _sends(text(duration=5), "2.5-text", prompt=PROMPT, duration_s=5),
        _sends(text(image=PICTURE, duration=10), "2.5-image", prompt=PROMPT, image=PICTURE, duration_s=10),
        _sends(text(model="h3-flex", duration=15), "h3-flex-text", prompt=PROMPT, duration=15),
    ),
    "duration that the model does not make": (
        Refuses(text(duration=10), "duration must be 5", "fal"),
        Refuses(text(model="h3-flex", duration=16), "duration must be 5 to 15", None),
        Refuses(text(model="h3-flex", duration=7.5), "whole seconds", None),
    ),
    "resolution": (
        _sends(text(resolution="720p"), "2.5-text", prompt=PROMPT, resolution="720p"),
        _sends(text(model="h3-flex", resolution="4k"), "h3-flex-text", prompt=PROMPT, resolution="4k"),
    ),
    "resolution that the model does not make": (
        Refuses(text(resolution="4k"), "need model h3-flex", None),
        Refuses(text(model="h3-flex", resolution="720p"), "resolution 720p cannot go", None),
        Refuses(text(resolution="360p"), "resolution must be", None),
    ),
    "aspect_ratio": (
        _sends(
            text(model="h3-flex", aspect_ratio="21:9"), "h3-flex-text", prompt=PROMPT, aspect_ratio="21:9"
        ),
    ),
    "aspect_ratio without h3-flex": (
        Refuses(text(aspect_ratio="9:16"), "need model h3-flex", "acedata duomi fal"),
    ),
    "negative_prompt": (
        _sends(text(negative_prompt="blur"), "2.5-text", prompt=PROMPT, negative_prompt="blur"),
    ),
    "negative_prompt with h3-flex": (
        Refuses(text(model="h3-flex", negative_prompt="blur"), "negative_prompt and resolution", "acedata"),
        Refuses(
            Ingredients(PROMPT, [PICTURE], negative_prompt="blur"), "negative_prompt cannot", "acedata fal"
        ),
    ),
    "seed": (_sends(text(seed=0), "2.5-text", prompt=PROMPT, seed=0),),
    **{
        name: (Refuses(text(**{name: value}), f"{name} cannot be expressed", "duomi"),)
        for name, value in _FOREIGN.items()
    },
    "extra_body": (
        _sends(
            text(model="h3-flex", extra_body={"rewrite": False}), "h3-flex-text", prompt=PROMPT, rewrite=False
        ),
    ),
}


def _bucket(
    kind: type[PikaError], codes: str, *statuses: int, looks: Looks = "waits on"
) -> Iterable[tuple[Key, Answer]]:
    for code, status in product(codes.split(), statuses):
        answer = response(status, {"detail": "why", "error_type": code})
        yield (code, str(status)), Answer(answer, kind, looks, code)


def _none(kind: type[PikaError], *statuses: int) -> Iterable[tuple[Key, Answer]]:
    for status in statuses:
        yield ("none", str(status)), Answer(response(status, {"detail": "why"}), kind, "waits on", None)


ERRORS: Mapping[Key, Answer] = dict(
    [
        *_bucket(SubmitRefused, "invalid_input", 400, 413, 422),
        *_bucket(SubmitUnknown, "content_policy_violation", 400),
        *_bucket(AuthError, "unauthorized", 401, looks="AuthError"),
        *_bucket(InsufficientBalance, "insufficient_credits", 402),
        *_bucket(AuthError, "forbidden", 403, looks="AuthError"),
        *_bucket(ProviderUnavailable, "model_not_found", 404),
        *_bucket(SubmitRefused, "another", 400),
        *_bucket(RateLimited, "concurrency_limit_exceeded rate_limited queue_backlog_full", 429),
        *_bucket(SubmitUnknown, "concurrency_limit_exceeded invalid_input", 409),
        *_bucket(SubmitUnknown, "internal_error", 500),
        *_bucket(SubmitUnknown, "provider_error", 502),
        *_bucket(SubmitUnknown, "service_unavailable", 503),
        *_bucket(SubmitUnknown, "deadline_exceeded provider_timeout", 504),
        *_none(SubmitRefused, 413),
        *_none(SubmitUnknown, 302, 400, 401, 403, 404, 409, 422, 429, 500),
        (("no JSON", "200"), silent(200, PAGE)),
        (("no JSON", "403"), silent(403, PAGE)),
        (("no JSON", "502"), silent(502, PAGE)),
        (("no request", "200"), silent(200, {})),
    ]
)

MAGIC: Mapping[Outcome, Ends] = {
    Outcome.RENDER_FAILS: failure("unknown", "provider_error"),
    Outcome.MODERATED: failure("unknown", "content_policy_violation"),
    Outcome.MODERATED_LATE: failure("unknown", "content_policy_violation"),
    Outcome.NO_LINK: failure("unknown", "no_output"),
    Outcome.NEVER_FINISHES: Ends(JobTimeout, "yes", billed=1),
    Outcome.RATE_LIMITED: refusal(RateLimited, 429, "queue_backlog_full"),
    Outcome.RETRY_AFTER: refusal(RateLimited, 429, "rate_limited"),
    Outcome.NO_BALANCE: refusal(InsufficientBalance, 402, "insufficient_credits"),
    Outcome.SERVER_ERROR: Ends(SubmitUnknown, "unknown", code="internal_error", status=500),
    Outcome.HTML: Ends(SubmitUnknown, "unknown", status=502),
    Outcome.DROPPED: Ends(SubmitUnknown, "unknown", billed=1),
}
