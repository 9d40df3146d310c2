"""The errors that AceData Cloud's documents list: how each is answered, and what it means. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

import pika_async.provider as api

ERRORS: Final[Mapping[str, tuple[int, str]]] = {
    "bad_request": (400, "The json payload is not valid to request the API"),
    "no_token": (400, "No token specified for the request."),
    "invalid_token": (401, "The specified token is invalid or wrong."),
    "used_up": (
        403,
        "Your balance is not sufficient for current request, please buy more in Ace Data Cloud.",
    ),
    "forbidden": (
        403,
        "Sorry! Our Al moderators feel your prompt might be against our community standards.",
    ),
    "no_api": (404, "API does not exist, please make sure url is correct."),
    "too_many_requests": (429, "You have exceeded the rate limit."),
    "api_error": (500, "fetch failed"),
    "timeout": (504, "timeout while waiting for video generation"),
}

_MEANINGS: Final[Mapping[type[api.PikaError], str]] = {
    api.AuthError: "no_token token_mismatched invalid_token token_expired authorization_missing "
    "authentication_failed disabled not_applied",
    api.ProviderUnavailable: "no_api api_not_implemented",
    api.SubmitRefused: "bad_request request_too_large content_too_large",
    api.InsufficientBalance: "used_up",
    api.ContentBlocked: "forbidden",
    api.RateLimited: "too_many_requests",
    api.SubmitUnknown: "api_error timeout busy duplication canceled unknown",
}
_JSON: Final = {"content-type": "application/json"}


def refusals() -> Iterator[tuple[api.HttpResponse, type[api.PikaError]]]:
    """Return the documented refusals of a submit, and what each means."""
    for error, codes in _MEANINGS.items():
        for code in codes.split():
            status = ERRORS.get(code, (403 if code == "not_applied" else 400, ""))[0]
            told = {"code": code, "message": "The documents say so."}
            body = json.dumps({"error": told, "trace_id": "trace"}).encode()
            # A code decides before a status, for the documents differ on statuses.
            for one in {status, 400}:
                yield api.HttpResponse(status=one, headers=_JSON, body=body), error
