"""How our requests look on the wire of Pika's own API, and what its answers amount to.

One entry for each row of its tables in docs/providers.md, from what its clients and partners show.
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
    InsufficientBalance,
    JobTimeout,
    PikaError,
    ProviderUnavailable,
    RateLimited,
    Style,
    SubmitRefused,
    SubmitUnknown,
    VideoResult,
)
from pika_async.emulator import Outcome
from tests.provider_errors import PAGE, Answer, Ends, Key, Looks, failure, refusal, response, silent
from tests.provider_table import CLIP, PICTURE, PROMPT, Case, Refuses, Sends, inflate, text, together

_SEA = "https://media.example.test/sea.png"
_FOREIGN: Mapping[str, Any] = {
    "aspect_ratio": "9:16",
    "frame_rate": 12,
    "guidance_scale": 12.5,
    "motion": 3,
    "camera": {"pan": "left"},
    "sound_effects": True,
}
_ABLE = {"aspect_ratio": "acedata duomi fal"}


def _sends(request: Any, to: str, **body: Any) -> Sends:
    return Sends(request, {"POST": to, **body})


def _frames(*seconds: float | None, **fields: Any) -> Generate:
    return text(frames=[Frame(PICTURE, seconds=each) for each in seconds], **fields)


_TEXT, _IMAGE = "pika-2.5/text-to-video", "pika-2.5/image-to-video"
_FRAMES, _EFFECT = "pikaframes/image-to-video", "pikaffects/image-to-video"
_ADD, _SWAP = "pikadditions/video-to-video", "pikaswaps/video-to-video"

WIRE: Mapping[str, tuple[Case, ...]] = {
    "Generate(prompt)": (_sends(text(), _TEXT, prompt=PROMPT),),
    "Generate(image=)": (
        _sends(text(image=PICTURE), _IMAGE, prompt=PROMPT, image=PICTURE),
        _sends(Generate(image=PICTURE), _IMAGE, image=PICTURE),
    ),
    "image= as a link that is not https": (
        Refuses(
            text(image="http://media.example.test/cat.png"),
            "image must be an https link",
            "acedata duomi fal",
        ),
    ),
    "Generate(video=)": (Refuses(text(video=CLIP), "video cannot be expressed", "acedata"),),
    "last_image": (
        _sends(
            text(image=PICTURE, last_image=_SEA, duration=9),
            _FRAMES,
            prompt=PROMPT,
            images=[PICTURE, _SEA],
            transition_duration_s=9,
        ),
    ),
    "frames": (
        _sends(_frames(None, None, None), _FRAMES, prompt=PROMPT, images=[PICTURE] * 3),
        _sends(_frames(4, 4, None), _FRAMES, prompt=PROMPT, images=[PICTURE] * 3, transition_duration_s=4),
        _sends(
            _frames(None, None, duration=10),
            _FRAMES,
            prompt=PROMPT,
            images=[PICTURE] * 2,
            transition_duration_s=10,
        ),
    ),
    "frames of other times, with prompts, or more than five": (
        Refuses(_frames(4, 5, None), "frames must have the same seconds", "fal"),
        Refuses(text(frames=[Frame(PICTURE, prompt="dusk"), PICTURE]), "no own prompts", "fal"),
        Refuses(_frames(*[None] * 6), "frames must be 2 to 5", None),
        Refuses(_frames(6, 6, None), "duration between frames must be 1 to 5", "fal"),
        Refuses(_frames(11, None), "duration between frames must be 1 to 10", "fal"),
    ),
    "frames or last_image with a model": (
        Refuses(_frames(None, None, model="2.5"), "model cannot go with frames", None),
    ),
    "Style(style=, image=)": (
        _sends(Style(style="Cake-ify", image=PICTURE), _EFFECT, pikaffect="Cake-ify", image=PICTURE),
        _sends(
            Style(style="Of tomorrow", image=PICTURE, extra_body={"prompt_override": "Cake"}),
            _EFFECT,
            pikaffect="Of tomorrow",
            image=PICTURE,
            prompt_override="Cake",
        ),
    ),
    "Style(style=, video=)": (
        _sends(
            Style(style="Pink Hair", video=CLIP, seed=3),
            "pikaffects/video-to-video",
            pikaffect="Pink Hair",
            video=CLIP,
            seed=3,
        ),
    ),
    "Style(prompt, style=)": (
        Refuses(inflate(), "prompt cannot be expressed", "acedata duomi"),
        Refuses(inflate(image=PICTURE), "prompt cannot be expressed", "acedata duomi fal"),
    ),
    "Style(style=) of both media": (
        Refuses(Style(style="Melt", image=PICTURE, video=CLIP), "one of the two", None),
    ),
    "Ingredients(prompt, images, mode=)": (
        Refuses(together(), "Ingredients is not offered", "acedata fal"),
        Refuses(together(mode="precise"), "Ingredients is not offered", "acedata fal"),
    ),
    "Edit(prompt, video, image=)": (
        _sends(Edit(PROMPT, CLIP), _ADD, prompt=PROMPT, video=CLIP),
        _sends(
            Edit(PROMPT, CLIP, image=PICTURE, duration=10),
            _ADD,
            prompt=PROMPT,
            video=CLIP,
            image=PICTURE,
            duration_s=10,
        ),
    ),
    "Edit(prompt, video, region=)": (
        _sends(
            Edit(PROMPT, CLIP, region="the hat"),
            _SWAP,
            prompt=PROMPT,
            video=CLIP,
            modify_region_roi="the hat",
        ),
    ),
    "Edit(prompt, video, mask=)": (
        _sends(
            Edit(PROMPT, CLIP, mask=PICTURE), _SWAP, prompt=PROMPT, video=CLIP, modify_region_mask=PICTURE
        ),
    ),
    "duration": (
        _sends(text(duration=5), _TEXT, prompt=PROMPT, duration_s=5),
        _sends(text(image=PICTURE, duration=10), _IMAGE, prompt=PROMPT, image=PICTURE, duration_s=10),
    ),
    "duration of words other than 5, of media other than 5 or 10": (
        Refuses(text(duration=10), "duration must be 5", "fal"),
        Refuses(text(image=PICTURE, duration=7), "duration must be 5", None),
        Refuses(Style(style="Melt", image=PICTURE, duration=5), "duration cannot be expressed", None),
    ),
    "resolution": (
        _sends(text(resolution="720p"), _TEXT, prompt=PROMPT, resolution="720p"),
        _sends(Edit(PROMPT, CLIP, resolution="1080p"), _ADD, prompt=PROMPT, video=CLIP, resolution="1080p"),
    ),
    "resolution other than 720p or 1080p": (
        Refuses(text(resolution="4k"), "resolution must be 720p or 1080p", None),
    ),
    "model": (_sends(text(model=2.5), _TEXT, prompt=PROMPT),),
    "model other than 2.5": (Refuses(text(model="2.2"), "model must be 2.5", "acedata duomi fal"),),
    "negative_prompt": (_sends(text(negative_prompt="blur"), _TEXT, prompt=PROMPT, negative_prompt="blur"),),
    "seed": (_sends(text(seed=0), _TEXT, prompt=PROMPT, seed=0),),
    **{
        name: (Refuses(text(**{name: value}), f"{name} cannot be expressed", _ABLE.get(name, "duomi")),)
        for name, value in _FOREIGN.items()
    },
    "extra_body": (_sends(text(extra_body={"seed": 9}), _TEXT, prompt=PROMPT, seed=9),),
}


def _job(kind: type[PikaError], codes: str, *statuses: int) -> Iterable[tuple[Key, Answer]]:
    """Return failed jobs: refusals of a submit at any status, and about another job for a look-up."""
    for code, status in product(codes.split(), statuses):
        error = {"code": code, "message": "why"}
        body = {"id": "media_1", "status": "failed", "error": error, "output": None}
        answer = Answer(response(status, body), kind, "waits on", code, passing=True)
        yield (code, "a failed job", str(status)), answer


def _error(
    kind: type[PikaError], code: str | None, *statuses: int, looks: Looks = "waits on"
) -> Iterable[tuple[Key, Answer]]:
    for status in statuses:
        error = {"message": "why"} if code is None else {"error": {"code": code, "message": "why"}}
        yield (code or "none", "an error", str(status)), Answer(response(status, error), kind, looks, code)


ERRORS: Mapping[Key, Answer] = dict(
    [
        *_job(SubmitRefused, "invalid_input", 200, 402),
        *_job(SubmitRefused, "provider_error provider_timeout timed_out internal another", 200),
        *_job(ContentBlocked, "content_moderation", 200, 403),
        *_job(
            InsufficientBalance, "insufficient_balance cycle_limit_exceeded usage_limit_exceeded", 200, 402
        ),
        *_job(AuthError, "membership_required admission_suspended", 200, 403),
        *_job(RateLimited, "rate_limited", 200, 429),
        *_job(ProviderUnavailable, "provider_unavailable", 200, 503),
        *_error(AuthError, None, 401, 403),
        *_error(AuthError, "caller_plan_required", 400, 403, looks="AuthError"),
        *_error(InsufficientBalance, None, 402),
        *_error(SubmitRefused, None, 400, 404, 422),
        *_error(RateLimited, None, 429),
        *_error(RateLimited, "rate_limited", 429),
        *_error(SubmitUnknown, None, 302, 408, 409, 500, 502, 503, 504),
        *_error(SubmitUnknown, "insufficient_balance", 503),
        (("none", "no JSON", "200"), silent(200, PAGE)),
        (("none", "no JSON", "403"), silent(403, PAGE)),
        (("none", "no JSON", "502"), silent(502, PAGE)),
        (("none", "no job", "200"), silent(200, {})),
    ]
)

MAGIC: Mapping[Outcome, Ends] = {
    Outcome.RENDER_FAILS: failure("no", "provider_error"),
    Outcome.MODERATED: refusal(ContentBlocked, 200, "content_moderation"),
    Outcome.MODERATED_LATE: failure("no", "content_moderation"),
    Outcome.NO_LINK: Ends(JobTimeout, "yes", billed=1),
    Outcome.NEVER_FINISHES: Ends(JobTimeout, "yes", billed=1),
    Outcome.RATE_LIMITED: Ends(RateLimited, "no", status=429),
    Outcome.RETRY_AFTER: refusal(RateLimited, 429, "rate_limited"),
    Outcome.NO_BALANCE: refusal(InsufficientBalance, 403, "insufficient_balance"),
    Outcome.SERVER_ERROR: Ends(SubmitUnknown, "unknown", status=500),
    Outcome.HTML: Ends(SubmitUnknown, "unknown", status=502),
    Outcome.DROPPED: Ends(VideoResult, "yes", billed=1),
}
