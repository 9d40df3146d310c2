"""What each shipped provider's errors, and the sandbox's magic words, amount to for users.

One entry for each answer in the error tables and each word in the table of docs/providers.md. Expected
values come from the providers' documents, not from the adapters.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import product
from pathlib import Path
from typing import Any, Literal, TypeAlias

from attrs import frozen

from pika_async import (
    AuthError,
    ContentBlocked,
    InsufficientBalance,
    JobFailed,
    JobTimeout,
    PikaError,
    ProviderUnavailable,
    RateLimited,
    SubmitRefused,
    SubmitUnknown,
    VideoResult,
)
from pika_async.emulator import Outcome
from pika_async.provider import HttpResponse
from pika_async.results import Charged

SAMPLES = Path(__file__).parent / "providers" / "samples"

Key: TypeAlias = tuple[str, ...]
Looks: TypeAlias = Literal["AuthError", "waits on"]


@frozen
class Answer:
    """A provider's answer that is no acceptance: what a submit raises, and what a look-up makes of it."""

    response: HttpResponse
    kind: type[PikaError]
    looks: Looks
    code: str | None
    trace_id: str | None = None
    passing: bool = False

    @property
    def charged(self) -> Charged:
        return "unknown" if self.kind is SubmitUnknown else "no"

    @property
    def retryable(self) -> bool:
        return self.kind is RateLimited or (self.kind is ProviderUnavailable and self.passing)


def response(status: int, body: object) -> HttpResponse:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    kind = "text/html" if isinstance(body, bytes) else "application/json"
    headers = {"content-type": kind, **({"location": "https://a.test/"} if 300 <= status < 400 else {})}
    return HttpResponse(status=status, headers=headers, body=raw)


PAGE = b"<html><body>Bad Gateway</body></html>"
_TRACE = "2efa9340-b21b-4e26-9e14-4aac95f343ab"


def _acedata(
    kind: type[PikaError], codes: str, *statuses: int, looks: Looks = "waits on"
) -> Iterable[tuple[Key, Answer]]:
    for code, status in product(codes.split(), statuses):
        path = SAMPLES / "acedata" / f"error.{status}-{code}.json"
        body: Any = {"error": {"code": code, "message": "why"}, "trace_id": _TRACE}
        if path.exists():
            sample = json.loads(path.read_bytes())
            assert sample["status"] == status
            body = sample["body"]
        yield (code, str(status)), Answer(response(status, body), kind, looks, code, body["trace_id"])


def _duomi(
    kind: type[PikaError], code: int, words: str, *statuses: int, looks: Looks = "waits on"
) -> Iterable[tuple[Key, Answer]]:
    for word, status in product(words.split(), statuses):
        body = {"code": code, "msg": f"提示 {word}", "data": None, "exec_time": 0.001, "ip": "203.0.113.7"}
        yield (str(code), word, str(status)), Answer(response(status, body), kind, looks, str(code))


def _sampled(name: str, kind: type[PikaError], looks: Looks, code: str | None) -> Answer:
    sample = json.loads((SAMPLES / name).read_bytes())
    return Answer(response(sample["status"], sample["body"]), kind, looks, code)


def silent(status: int, body: object, looks: Looks = "waits on") -> Answer:
    return Answer(response(status, body), SubmitUnknown, looks, None)


ERRORS: Mapping[str, Mapping[Key, Answer]] = {
    "acedata": dict(
        [
            *_acedata(SubmitRefused, "bad_request another", 400),
            *_acedata(AuthError, "no_token token_mismatched disabled", 400, looks="AuthError"),
            *_acedata(AuthError, "invalid_token token_expired token_mismatched", 401, looks="AuthError"),
            *_acedata(
                AuthError, "authorization_missing authentication_failed another", 401, looks="AuthError"
            ),
            *_acedata(AuthError, "disabled not_applied another", 403, looks="AuthError"),
            *_acedata(ProviderUnavailable, "api_not_implemented", 400),
            *_acedata(ProviderUnavailable, "no_api", 404),
            *_acedata(InsufficientBalance, "used_up", 403, looks="AuthError"),
            *_acedata(ContentBlocked, "forbidden", 403, looks="AuthError"),
            *_acedata(SubmitRefused, "request_too_large content_too_large", 413),
            *_acedata(SubmitRefused, "another", 404),
            *_acedata(RateLimited, "too_many_requests another", 429),
            *_acedata(SubmitUnknown, "duplication canceled unknown", 400),
            *_acedata(SubmitUnknown, "api_error busy another", 500),
            *_acedata(SubmitUnknown, "timeout another", 504),
            *_acedata(SubmitUnknown, "another", 307, 408, 409),
            (
                ("an x402 offer", "402"),
                _sampled("acedata/error.402-payment-required.json", InsufficientBalance, "waits on", None),
            ),
            (("no task, no error", "200"), silent(200, {"success": True})),
            (("no JSON", "200"), silent(200, PAGE)),
            (("no JSON", "502"), silent(502, PAGE)),
            (("no JSON", "403"), silent(403, PAGE)),
        ]
    ),
    "duomi": dict(
        [
            *_duomi(AuthError, 400, "权限", 200, looks="AuthError"),
            *_duomi(InsufficientBalance, 400, "点数 余额 不足", 200),
            *_duomi(AuthError, 400, "KEY 密钥 token 授权", 200, looks="AuthError"),
            *_duomi(ContentBlocked, 400, "违规 敏感 审核", 200),
            *_duomi(RateLimited, 400, "频繁 频率 限流 过快", 200),
            *_duomi(SubmitRefused, 400, "other", 200, 400),
            *_duomi(AuthError, 401, "other", 200, 401, looks="AuthError"),
            *_duomi(AuthError, 403, "other", 200, 403, looks="AuthError"),
            *_duomi(SubmitRefused, 404, "other", 200, 404),
            *_duomi(RateLimited, 429, "other", 200, 429),
            *_duomi(SubmitUnknown, 200, "other", 200),
            *_duomi(SubmitUnknown, 408, "other", 200, 408),
            *_duomi(SubmitUnknown, 409, "other", 200, 409),
            *_duomi(SubmitUnknown, 500, "other", 200, 500),
            *_duomi(SubmitUnknown, 400, "点数 other", 500),
            (
                ("none", "none", "404"),
                _sampled("duomi/submit.error-404-empty.json", SubmitRefused, "waits on", None),
            ),
            (("none", "none", "200"), silent(200, {})),
            (("no JSON", "none", "200"), silent(200, PAGE)),
            (("no JSON", "none", "302"), silent(302, PAGE)),
            (("no JSON", "none", "502"), silent(502, PAGE)),
        ]
    ),
}


@frozen
class Ends:
    """How `generate` ends for a magic word; *charged* as the provider's own words allow to tell it."""

    kind: type[PikaError | VideoResult]
    charged: Charged
    billed: int = 0
    code: str | None = None
    status: int | None = None


def refusal(kind: type[PikaError], status: int, code: str) -> Ends:
    return Ends(kind, "no", code=code, status=status)


def failure(charged: Charged, code: str) -> Ends:
    return Ends(JobFailed, charged, billed=1, code=code)


MAGIC: Mapping[str, Mapping[Outcome, Ends]] = {
    "acedata": {
        Outcome.RENDER_FAILS: failure("unknown", "api_error"),
        Outcome.MODERATED: refusal(ContentBlocked, 403, "forbidden"),
        Outcome.MODERATED_LATE: failure("unknown", "forbidden"),
        Outcome.NO_LINK: failure("unknown", "no_output"),
        Outcome.NEVER_FINISHES: Ends(JobTimeout, "yes", billed=1),
        Outcome.RATE_LIMITED: refusal(RateLimited, 429, "too_many_requests"),
        Outcome.RETRY_AFTER: refusal(RateLimited, 429, "too_many_requests"),
        Outcome.NO_BALANCE: refusal(InsufficientBalance, 403, "used_up"),
        Outcome.SERVER_ERROR: Ends(SubmitUnknown, "unknown", code="api_error", status=500),
        Outcome.HTML: Ends(SubmitUnknown, "unknown", status=502),
        Outcome.DROPPED: Ends(SubmitUnknown, "unknown", billed=1),
    },
    "duomi": {
        Outcome.RENDER_FAILS: failure("yes", "provider"),
        Outcome.MODERATED: refusal(ContentBlocked, 200, "400"),
        Outcome.MODERATED_LATE: failure("no", "content"),
        Outcome.NO_LINK: failure("unknown", "no_output"),
        Outcome.NEVER_FINISHES: Ends(JobTimeout, "yes", billed=1),
        Outcome.RATE_LIMITED: refusal(RateLimited, 429, "429"),
        Outcome.RETRY_AFTER: refusal(RateLimited, 429, "429"),
        Outcome.NO_BALANCE: refusal(InsufficientBalance, 200, "400"),
        Outcome.SERVER_ERROR: Ends(SubmitUnknown, "unknown", code="500", status=500),
        Outcome.HTML: Ends(SubmitUnknown, "unknown", status=502),
        Outcome.DROPPED: Ends(SubmitUnknown, "unknown", billed=1),
    },
}
