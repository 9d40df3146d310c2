"""What fal's documents show, for the conformance kit to hold the adapter against; pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import asdict

import pika_async.provider as api

_WORDS: Final = (
    "prompt negative_prompt seed aspect_ratio resolution duration ingredients_mode pikaffect image_url "
    "image_urls video_url modify_region transitions fal_webhook expand storage_type"
)
NAMES: Final = frozenset(_WORDS.split())
_UP: Final = 100 * 1024 * 1024
_RATIOS: Final = ("16:9", "9:16", "1:1", "4:5", "5:4", "3:2", "2:3")
_MEDIA: Final = api.Takes(inline=True, inline_limit=8192, uploads=True, upload_limit=_UP)
_STYLES: Final = (
    "Cake-ify Crumble Crush Decapitate Deflate Dissolve Explode Eye-pop Inflate Levitate Melt Peel Poke "
    "Squish Ta-da Tear"
)
DECLARED: Final = api.Capabilities(
    name="fal",
    styles=tuple(_STYLES.split()),
    key_variables=("FAL_KEY",),
    url_variable="FAL_BASE_URL",
    poll_batch=1,
    poll_rate=10,
    free_results=True,
    callbacks="optional",
    replay=None,
    refuses_by_body=False,
    echoes_token=False,
    media={"image": _MEDIA, "video": _MEDIA},
    models=("2.2", "2.1", "2-turbo"),
    choices={
        "model": ("2.2", "2.1", "2-turbo"),
        "resolution": ("720p", "1080p"),
        "aspect_ratio": _RATIOS,
    },
    private={"logs"},
    hosts={"rest.fal.ai": {"api_key"}, "api.fal.ai": {"api_key"}, "*": set()},
    kinds={api.Generate, api.Ingredients, api.Style, api.Edit},
    prompt_optional={api.Generate, api.Style},
    fields={"image", "last_image", "frames", "region", "mode", "duration", "resolution", "aspect_ratio"}
    | {"negative_prompt", "seed", "model"},
    lacks={
        api.Style: {"duration", "resolution", "aspect_ratio", "model"},
        api.Edit: {"duration", "resolution", "aspect_ratio", "model", "mask"},
        api.Ingredients: {"model"},
    },
)
LIMITS: Final[Mapping[str, object]] = asdict(DECLARED, recurse=False)
_MODERATED, _DETAIL = "content_policy_violation", "The content could not be processed."
MEANINGS: Final[Mapping[type[api.PikaError], tuple[tuple[int, Any], ...]]] = {
    api.AuthError: ((401, {"detail": "Authentication is required."}), (403, {"detail": "Forbidden"})),
    api.InsufficientBalance: ((403, {"detail": "User is locked. Reason: Exhausted balance."}),),
    api.ContentBlocked: ((422, {"detail": [{"loc": ["body"], "msg": _DETAIL, "type": _MODERATED}]}),),
    api.RateLimited: ((429, {"detail": "Too many requests"}),),
    api.SubmitRefused: (
        (422, {"detail": [{"loc": ["body"], "msg": "field required", "type": "value_error.missing"}]}),
        (400, {"detail": "Malformed request", "error_type": "bad_request"}),
        (404, {"detail": "Not Found"}),
        (413, {"detail": "Too large"}),
    ),
    api.SubmitUnknown: (
        (499, {"detail": "why", "error_type": "client_disconnected"}),
        (499, {"detail": "why", "error_type": "client_cancelled"}),
        (500, {"detail": "why", "error_type": "internal_error"}),
        (503, {"detail": "why", "error_type": "runner_scheduling_failure"}),
        (504, {"detail": "why", "error_type": "request_timeout"}),
        (409, {"detail": "why"}),
        (200, {}),
    ),
}


def refusals() -> Iterator[tuple[api.HttpResponse, type[api.PikaError]]]:
    for error, answers in MEANINGS.items():
        for status, body in answers:
            yield says(status, body), error


def says(status: int, body: Any, **headers: str) -> api.HttpResponse:
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return api.HttpResponse(status=status, headers=named, body=json.dumps(body).encode())
