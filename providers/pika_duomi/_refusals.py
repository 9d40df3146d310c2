"""What a Duomi error proves. Its codes are undocumented but for 200, 400 and 404, so its words decide."""

import re
from collections.abc import Mapping
from typing import Literal

import pika_async.provider as api

MODERATED = re.compile("违规|敏感|审核")
_WORDS: Mapping[str, type[api.PikaError]] = {
    "权限": api.AuthError,
    "点数|余额|不足": api.InsufficientBalance,
    "key|密钥|token|授权": api.AuthError,
    MODERATED.pattern: api.ContentBlocked,
    "频繁|频率|限流|过快": api.RateLimited,
}
_BY_CODE = {401: api.AuthError, 403: api.AuthError, 429: api.RateLimited}
_ADVICE: Mapping[type[api.PikaError], str] = {
    api.AuthError: "check the key",
    api.RateLimited: "wait, then call again",
    api.InsufficientBalance: "buy points, then call again",
    api.ContentBlocked: "change the prompt or the media",
    api.ProviderUnavailable: "try later or use another provider",
    api.SubmitRefused: "correct the request and call again",
    api.SubmitUnknown: "it may have been accepted: check Duomi's own records, never resubmit blindly",
    api.BadReply: "nothing can be read from that; if it stays so, ask Duomi and check base_url",
}


def _open(code: int) -> bool:
    """Return whether an HTTP status or a code leaves the outcome of a submit open."""
    return code in {408, 409} or 300 <= code < 400 or 500 <= code < 600


def _by_words(message: str, *codes: int | None) -> type[api.PikaError] | None:
    for words, kind in _WORDS.items():
        if re.search(words, message, re.IGNORECASE):
            return kind
    return next((_BY_CODE[code] for code in codes if code in _BY_CODE), None)


def of_submit(status: int, code: int | None, message: str, good: tuple[int, ...]) -> type[api.PikaError]:
    """Classify a submit's answer that names no task; *code* is None when no envelope could be read.

    >>> of_submit(200, 400, "点数不足", (200,)), of_submit(500, 400, "点数不足", (200,))
    (<class 'pika_async.errors.InsufficientBalance'>, <class 'pika_async.errors.SubmitUnknown'>)
    """
    unproven = api.SubmitRefused if status == 404 else api.SubmitUnknown
    readable = code is not None or (message and status >= 400)
    if not readable or _open(status) or (code is not None and (_open(code) or code in good)):
        return unproven
    refused = 400 <= (status if code is None else code) < 500
    return _by_words(message, code, status) or (api.SubmitRefused if refused else unproven)


def of_lookup(status: int, code: int | None, message: str) -> type[api.PikaError] | None:
    """Classify a look-up's answer without data; None means that the task is not known."""
    if status >= 500 or status == 408 or (code is not None and 500 <= code < 600):
        return api.ProviderUnavailable
    if known := _by_words(message, code, status):
        return known
    return None if status == 404 or (status < 300 and code in {400, 404}) else api.BadReply


def worded(
    kind: type[api.PikaError],
    response: api.HttpResponse,
    message: str,
    *,
    code: int | None,
    key: api.Secret,
    phase: Literal["submit", "poll"],
) -> api.PikaError:
    """Word the error: what Duomi answered, then what to do."""
    why = shown(message or api.clip(response.body), key)
    told = "" if code is None else f" with code {code}"
    return kind(
        f"Duomi answered HTTP {response.status}{told} ({why}); {_ADVICE[kind]}.",
        provider="duomi",
        phase=phase,
        charged="unknown" if phase == "poll" else None,
        status=response.status,
        code=None if code is None else str(code),
    )


def shown(message: str, key: api.Secret) -> str:
    """Make Duomi's words fit to be shown: without *key*, and without links, which may bear tokens."""
    text = re.sub(r"\w+://\S+", "(link)", message.replace(key.reveal(), "***"))
    return text and api.clip(text.encode(errors="replace"), 200)
