"""What an AceData error proves: by its code first, since the documents differ on statuses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

import pika_async.provider as api

WITHDRAWN = frozenset({"api_not_implemented", "no_api"})
# `busy` is called safe to repeat, but by inference alone; the rest may hide a task that goes on.
_DOUBTFUL = frozenset({"api_error", "busy", "timeout", "duplication", "canceled", "unknown"})
_AUTH = (
    "no_token token_mismatched invalid_token token_expired authorization_missing authentication_failed "
    "disabled not_applied"
)
_BY_CODE: Mapping[str, type[api.PikaError]] = {
    **dict.fromkeys(_AUTH.split(), api.AuthError),
    **dict.fromkeys(WITHDRAWN, api.ProviderUnavailable),
    **dict.fromkeys(["bad_request", "request_too_large", "content_too_large"], api.SubmitRefused),
    "used_up": api.InsufficientBalance,
    "forbidden": api.ContentBlocked,
    "too_many_requests": api.RateLimited,
}
_BY_STATUS = {401: api.AuthError, 402: api.InsufficientBalance, 403: api.AuthError, 429: api.RateLimited}
# A look-up asks for nothing that moderation could refuse or a person could word better.
_NO_KEY = api.Secret("")
_AT_LOOKUP = {api.ContentBlocked: api.AuthError, api.SubmitRefused: api.BadReply}
_ADVICE: Mapping[type[api.PikaError], str] = {
    api.AuthError: "check the key and that its application may use Pika",
    api.RateLimited: "wait, then call again",
    api.InsufficientBalance: "top up the balance, then call again",
    api.ContentBlocked: "change the prompt or the media",
    api.ProviderUnavailable: "try later or use another provider",
    api.SubmitRefused: "correct the request and call again",
    api.SubmitUnknown: "it may have been accepted: reconcile by the job's token, never resubmit blindly",
    api.BadReply: "nothing can be read from that; if it stays so, ask AceData and check base_url",
}


def error_code(error: Any) -> str | None:
    """Return the code of an `error`, which may be an object, bare text or null."""
    code = error.get("code") if isinstance(error, Mapping) else error
    known = isinstance(error, Mapping) or code in [*_BY_CODE, *_DOUBTFUL]
    return code if known and isinstance(code, str) and code.isprintable() else None


def error_message(error: Any, key: api.Secret = _NO_KEY, depth: int = 9) -> str:
    """Walk to the first text (`message` may be an object); hide *key*, and links, which may bear tokens."""
    if isinstance(error, dict):
        error = [error.get("message"), *error.values()]
    if isinstance(error, list):
        return next(filter(None, (error_message(inner, key, depth - 1) for inner in error if depth)), "")
    shown = error if isinstance(error, str) else ""
    shown = shown.replace(key.reveal(), "***") if key else shown
    return shown and api.clip(re.sub(r"\w+://\S+", "(link)", shown).encode(errors="replace"), 200)


def proven(response: api.HttpResponse, error: Any) -> type[api.PikaError] | None:
    """Return the refusal that a submit's answer proves, or None when it leaves the outcome open."""
    status, code = response.status, error_code(error)
    offer = status == 402 and (b"x402Version" in response.body or "payment-required" in response.headers)
    if status in {408, 409} or status // 100 not in {2, 4}:
        return None
    if code in _DOUBTFUL or not (code or offer or error_message(error)):
        return None
    by_status = _BY_STATUS.get(status, api.SubmitRefused) if status >= 400 else None
    return _BY_CODE.get(code or "", by_status)


def at_submit(response: api.HttpResponse, error: Any, trace_id: str | None, key: api.Secret) -> api.PikaError:
    """Word the error of a submit that names no task."""
    kind = proven(response, error) or api.SubmitUnknown
    return _worded(kind, response, error, trace_id=trace_id, key=key, phase="submit")


def at_lookup(response: api.HttpResponse, error: Any, trace_id: str | None, key: api.Secret) -> api.PikaError:
    """Word the error of a look-up, where the status suffices: no money hangs on it."""
    status, code = response.status, error_code(error)
    kind = _BY_STATUS.get(status, api.BadReply) if status >= 400 else api.BadReply
    kind = _BY_CODE.get(code or "", kind)
    if status >= 500 or status == 408 or (status < 300 and code in _DOUBTFUL):
        kind = api.ProviderUnavailable
    kind = _AT_LOOKUP.get(kind, kind)
    return _worded(kind, response, error, trace_id=trace_id, key=key, phase="poll")


def _worded(
    kind: type[api.PikaError],
    response: api.HttpResponse,
    error: Any,
    *,
    trace_id: str | None,
    key: api.Secret,
    phase: Literal["submit", "poll"],
) -> api.PikaError:
    code = error_code(error)
    why = error_message(error, key) or error_message(api.clip(response.body), key)
    return kind(
        f"AceData answered HTTP {response.status}{' ' * bool(code)}{code or ''} ({why}); {_ADVICE[kind]}.",
        provider="acedata",
        phase=phase,
        charged="unknown" if phase == "poll" else None,
        retryable=False if code in WITHDRAWN else None,
        trace_id=trace_id,
        status=response.status,
        code=code,
    )
