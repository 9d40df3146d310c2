"""What a provider's error proves: one rule for every adapter, over the words and codes of each.

A submit that was refused bought nothing, and is safe to repeat; one whose outcome is open is not. So
nothing but the provider's own words, codes and documented statuses is a refusal. HTTP 3xx, 408, 409 and
5xx prove nothing, whatever the body says. No I/O here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import TypeAlias, cast

from attrs import field, frozen

from pika_async._crossing import Value
from pika_async._http import HttpResponse
from pika_async._reading import shown
from pika_async._secret import Secret
from pika_async.errors import (
    AuthError,
    BadReply,
    ContentBlocked,
    InsufficientBalance,
    Phase,
    PikaError,
    ProviderUnavailable,
    RateLimited,
    SubmitRefused,
    SubmitUnknown,
)
from pika_async.results import Charged, Failed, Raw, Task

Kind: TypeAlias = type[PikaError]

_READ = 2000
_ADVICE: Mapping[Kind, str] = {
    AuthError: "check the key",
    RateLimited: "wait, then call again",
    InsufficientBalance: "top up the balance, then call again",
    ContentBlocked: "change the prompt or the media",
    ProviderUnavailable: "try later or use another provider",
    SubmitRefused: "correct the request and call again",
    SubmitUnknown: "it may have been accepted: reconcile by the job's token, never resubmit blindly",
    BadReply: "nothing can be read from that; if it stays so, ask the provider and check base_url",
}


_STATUSES: Mapping[int, Kind] = {401: AuthError, 403: AuthError, 429: RateLimited}


def _by_code(codes: Mapping[Kind, str]) -> Mapping[str, Kind]:
    """Return kinds by code; what `attrs.evolve` hands over is in that form already."""
    if all(isinstance(kind, str) for kind in codes):
        return cast("Mapping[str, Kind]", codes)
    return {code: kind for kind, listed in codes.items() for code in listed.split()}


def _statuses(own: Mapping[int, Kind]) -> Mapping[int, Kind]:
    return {**_STATUSES, **own}


def _advice(own: Mapping[Kind, str]) -> Mapping[Kind, str]:
    return {**_ADVICE, **own}


def proves_nothing(status: int) -> bool:
    """Return whether an HTTP status leaves the outcome of a submit open."""
    return status in {408, 409} or status // 100 not in {2, 4}


def _offers(response: HttpResponse) -> bool:
    """Return whether the answer asks for a payment by the x402 protocol, in its body or its headers."""
    offered = b"x402Version" in response.body or "payment-required" in response.headers
    return response.status == 402 and offered


@frozen(kw_only=True)
class ErrorInfo(Value):
    """What an answer says went wrong, as its adapter found it.

    *status* is a code of the body that is written like an HTTP status and is judged like one.
    """

    code: str | None = None
    message: str = ""
    status: int | None = None
    trace_id: str | None = None


@frozen(kw_only=True)
class Refusals(Value):
    """What the errors of one provider mean.

    The first of *words* (a pattern, in any case) that the message holds decides, then the code, then the
    statuses. *open_codes* leave the outcome of a submit open. *bare* are statuses that the provider
    documents as refusals whatever the body says. *lookups* are codes that mean something else for a
    look-up. *lasting* are codes of what is gone for good, so that no later call can succeed. *advice*
    replaces the common advice for a kind of error.
    """

    provider: str
    words: Mapping[str, Kind] = field(factory=dict)
    codes: Mapping[str, Kind] = field(factory=dict, converter=_by_code)
    statuses: Mapping[int, Kind] = field(factory=dict, converter=_statuses)
    open_codes: Collection[str] = ()
    bare: Collection[int] = ()
    lookups: Mapping[str, Kind] = field(factory=dict)
    lasting: Collection[str] = ()
    advice: Mapping[Kind, str] = field(factory=dict, converter=_advice)

    def at_submit(self, response: HttpResponse, error: ErrorInfo, key: Secret) -> PikaError:
        """Make the error of a submit whose answer names no task."""
        return self._worded(self._proven(response, error), response, error, key, "submit")

    def by_body(
        self, response: HttpResponse, error: ErrorInfo, key: Secret, *, settles_key: bool = False
    ) -> PikaError:
        """Make the error of a submit whose body alone proves, at any status, that nothing was bought.

        Only for a provider that declares `Capabilities.refuses_by_body`. *settles_key*: the body names the
        job of the submit's idempotency key, so the answer to a replay is true of the first send as well.
        """
        kind = self.codes.get(error.code or "", SubmitRefused)
        refused = self._worded(kind, response, error, key, "submit")
        refused.settles_key = settles_key
        return refused

    def at_upload(self, response: HttpResponse, error: ErrorInfo, key: Secret) -> PikaError:
        """Make the error of an upload, where the status suffices: an upload buys nothing."""
        kind = self._known(response.status, error)
        bad = 400 <= response.status < 500
        return self._worded(
            kind or (SubmitRefused if bad else ProviderUnavailable), response, error, key, "submit"
        )

    def at_lookup(self, response: HttpResponse, error: ErrorInfo, key: Secret) -> PikaError:
        """Make the error of a look-up, where the status suffices, since no money hangs on it.

        Two differ: moderation and bad words of a request are no matter of a look-up, and 401 or 403 without a
        code of the provider comes from a gateway (a bot check, say), and does not mean that the key is
        refused.
        """
        return self._worded(self._looked(response.status, error), response, error, key, "poll")

    def failure(
        self,
        task: Task,
        error: ErrorInfo,
        key: Secret,
        *,
        charged: Charged,
        raw: Raw,
        cost: float | None = None,
    ) -> Failed:
        """Make the end of a task that was accepted and went wrong; moderation is known by its code."""
        blocked = self.codes.get(error.code or "") is ContentBlocked
        return Failed(
            task=task,
            reason="content" if blocked else "provider",
            message=shown(error.message, key),
            code=shown(error.code or "", key) or None,
            charged=charged,
            trace_id=error.trace_id,
            cost=cost,
            raw=raw,
        )

    def _proven(self, response: HttpResponse, error: ErrorInfo) -> Kind:
        status = response.status
        unproven = SubmitRefused if status in self.bare else SubmitUnknown
        offered = 402 in self.statuses and _offers(response)
        readable = error.code is not None or (error.message and status >= 400) or offered
        if not readable or proves_nothing(status) or error.code in self.open_codes:
            return unproven
        judged = status if error.status is None else error.status
        if 300 <= judged < 600 and proves_nothing(judged):
            return unproven
        return self._known(status, error) or (SubmitRefused if 400 <= judged < 500 else unproven)

    def _looked(self, status: int, error: ErrorInfo) -> Kind:
        unsure = status < 300 and error.code in self.open_codes
        if status >= 500 or status == 408 or 500 <= (error.status or 0) < 600 or unsure:
            return ProviderUnavailable
        kind = self.lookups.get(error.code or "") or self._known(status, error) or BadReply
        if kind is AuthError and status in {401, 403} and error.code is None:
            return ProviderUnavailable
        return BadReply if kind is SubmitRefused else kind

    def _known(self, status: int, error: ErrorInfo) -> Kind | None:
        message = error.message[:_READ]
        for words, kind in self.words.items():
            if re.search(words, message, re.IGNORECASE):
                return kind
        by_code = self.codes.get(error.code or "") or self.statuses.get(error.status or 0)
        return by_code or self.statuses.get(status)

    def _worded(
        self, kind: Kind, response: HttpResponse, error: ErrorInfo, key: Secret, phase: Phase
    ) -> PikaError:
        told = error.message or response.body[:_READ].decode(errors="replace")
        code = shown(error.code, key) if error.code is not None else None
        with_code = "" if code is None else f" with code {code}"
        why = shown(told, key) or "(empty)"
        return kind(
            f"{self.provider} answered HTTP {response.status}{with_code} ({why}); {self.advice[kind]}.",
            provider=self.provider,
            phase=phase,
            charged="unknown" if phase == "poll" else None,
            retryable=False if error.code in self.lasting else None,
            trace_id=shown(error.trace_id, key) if error.trace_id else None,
            status=response.status,
            code=code,
        )
