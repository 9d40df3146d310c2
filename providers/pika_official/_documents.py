"""What clients and partners of Pika's own API show, for the conformance kit; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import asdict

import pika_async.provider as api

_WORDS: Final = (
    "prompt prompt_override negative_prompt seed resolution duration_s image images video pikaffect "
    "transition_duration_s modify_region_roi modify_region_mask content_type size_bytes"
)
NAMES: Final = frozenset(_WORDS.split())
_MEGA: Final = 1024 * 1024
DECLARED: Final = api.Capabilities(
    name="pika",
    styles=(*api.IMAGE_EFFECTS, *api.NEWER_EFFECTS, *api.VIDEO_EFFECTS),
    cost_unit="USD",
    key_variables=("PIKA_API_KEY",),
    url_variable="PIKA_BASE_URL",
    poll_batch=1,
    callbacks="account",
    secret_variable="PIKA_WEBHOOK_SECRET",  # noqa: S106 - its name
    refuses_by_body=True,
    replay=api.Replay(),
    models=("2.5",),
    choices={"model": ("2.5",), "resolution": ("720p", "1080p")},
    media={
        "image": api.Takes(https_only=True, uploads=True, upload_limit=20 * _MEGA),
        "video": api.Takes(https_only=True, uploads=True, upload_limit=50 * _MEGA),
    },
    hosts={"*": set()},
    kinds={api.Generate, api.Style, api.Edit},
    prompt_optional={api.Generate, api.Style},
    fields={"image", "last_image", "frames", "video", "region", "mask", "duration", "resolution"}
    | {"negative_prompt", "seed", "model"},
    lacks={
        api.Generate: {"video"},
        api.Style: {"prompt", "duration", "resolution", "negative_prompt", "model"},
        api.Edit: {"model"},
    },
)
LIMITS: Final[Mapping[str, object]] = asdict(DECLARED, recurse=False)
_CODES: Final[Mapping[type[api.PikaError], str]] = {
    api.SubmitRefused: "invalid_input provider_error provider_timeout timed_out internal another",
    api.ContentBlocked: "content_moderation",
    api.InsufficientBalance: "insufficient_balance cycle_limit_exceeded usage_limit_exceeded",
    api.AuthError: "membership_required admission_suspended",
    api.RateLimited: "rate_limited",
    api.ProviderUnavailable: "provider_unavailable",
}
_STATUSES: Final[Mapping[type[api.PikaError], tuple[int, ...]]] = {
    api.AuthError: (401, 403),
    api.InsufficientBalance: (402,),
    api.RateLimited: (429,),
    api.SubmitRefused: (400, 404, 422),
    api.SubmitUnknown: (302, 408, 409, 500, 502, 503, 504, 200),
}


def refusals() -> Iterator[tuple[api.HttpResponse, type[api.PikaError]]]:
    """Return failed jobs, which prove a refusal at any status, and errors, judged by their status."""
    for error, codes in _CODES.items():
        for code in codes.split():
            for status in (200, 402, 503):
                wrong: dict[str, Any] = {"code": code, "message": "why"}
                yield says(status, job("failed", error=wrong)), error
    for error, statuses in _STATUSES.items():
        for status in statuses:
            yield says(status, {"message": "why"}), error
    for body in ({"code": "caller_plan_required"}, {"message": "error: caller_plan_required"}):
        yield says(400, body), api.AuthError


def job(status: str | None, **more: Any) -> dict[str, Any]:
    """Return the document of the job `t1`."""
    return {"id": "t1", "status": status, "error": None, "output": None, **more}


def says(status: int, body: Any, **headers: str) -> api.HttpResponse:
    """Return an answer in JSON; an underscore in a header's name stands for a hyphen."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return api.HttpResponse(status=status, headers=named, body=json.dumps(body).encode())
