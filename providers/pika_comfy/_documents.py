"""What the documents of Comfy Router show, for the conformance kit to hold the adapter against; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import asdict

import pika_async.provider as api

_WORDS: Final = (
    "prompt negative_prompt seed aspect_ratio resolution duration duration_s image references type url "
    "fallback_provider rewrite audio_stems"
)
NAMES: Final = frozenset(_WORDS.split())
_RATIOS: Final = ("21:9", "16:9", "3:2", "4:3", "5:4", "1:1", "4:5", "3:4", "2:3", "9:16", "9:21")
DECLARED: Final = api.Capabilities(
    name="comfy",
    cost_unit="credits",
    key_variables=("COMFY_API_KEY",),
    url_variable="COMFY_BASE_URL",
    poll_batch=1,
    free_results=True,
    callbacks="no",
    refuses_by_body=False,
    max_images=9,
    models=("2.5", "h3-flex"),
    choices={
        "model": ("2.5", "h3-flex"),
        "resolution": ("480p", "720p", "768p", "1080p", "2k", "4k"),
        "aspect_ratio": _RATIOS,
    },
    ranges={"duration": (5, 15)},
    media={"image": api.Takes(https_only=True)},
    hosts={},
    kinds={api.Generate, api.Ingredients},
    prompt_optional={api.Generate},
    fields={"image", "duration", "resolution", "aspect_ratio", "negative_prompt", "seed", "model"},
    lacks={api.Ingredients: {"negative_prompt"}},
)
LIMITS: Final[Mapping[str, object]] = asdict(DECLARED, recurse=False)
REPLAY: Final = api.Replay(seconds=86_400, after={"no_answer", 409, 500, 502, 503, 504})
MEANINGS: Final[tuple[tuple[type[api.PikaError], int, str], ...]] = (
    (api.AuthError, 401, "unauthorized"),
    (api.AuthError, 403, "forbidden"),
    (api.ProviderUnavailable, 403, "not_enabled"),
    (api.ProviderUnavailable, 404, "model_not_found"),
    (api.InsufficientBalance, 402, "insufficient_credits"),
    (api.ContentBlocked, 422, "content_moderation"),
    (api.RateLimited, 429, "rate_limited"),
    (api.RateLimited, 429, "concurrency_limit_exceeded"),
    (api.RateLimited, 429, "queue_backlog_full"),
    (api.SubmitRefused, 400, "invalid_input"),
    (api.SubmitRefused, 422, "invalid_input"),
    (api.SubmitRefused, 413, ""),
    (api.SubmitUnknown, 409, "invalid_input"),
    (api.SubmitUnknown, 409, "concurrency_limit_exceeded"),
    (api.SubmitUnknown, 400, "content_policy_violation"),
    (api.SubmitUnknown, 400, "deadline_exceeded"),
    (api.SubmitUnknown, 500, "internal_error"),
    (api.SubmitUnknown, 502, "provider_error"),
    (api.SubmitUnknown, 503, "service_unavailable"),
    (api.SubmitUnknown, 504, "provider_timeout"),
    (api.SubmitUnknown, 400, ""),
    (api.SubmitUnknown, 200, ""),
)


def refusals() -> Iterator[tuple[api.HttpResponse, type[api.PikaError]]]:
    for error, status, bucket in MEANINGS:
        yield _says(status, {"detail": "why", "error_type": bucket} if bucket else {}), error


def _says(status: int, body: Any, **headers: str) -> api.HttpResponse:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return api.HttpResponse(status=status, headers=named, body=json.dumps(body).encode())
