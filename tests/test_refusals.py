"""What an error proves: a refusal by the provider's own words alone, and a bad day for everything else."""

from __future__ import annotations

import pytest
from attrs import evolve

import pika_async.provider as api
from pika_async.provider import (
    AuthError,
    BadReply,
    ContentBlocked,
    ErrorInfo,
    HttpResponse,
    InsufficientBalance,
    ProviderUnavailable,
    RateLimited,
    Secret,
    SubmitRefused,
    SubmitUnknown,
)

KEY = Secret("sk-canary")
REFUSALS = api.Refusals(
    provider="demo",
    words={"moderat": ContentBlocked},
    codes={InsufficientBalance: "broke", ProviderUnavailable: "gone", SubmitRefused: "bad_field"},
    statuses={402: InsufficientBalance},
    open_codes={"busy"},
    bare={404},
    lookups={"bad_field": AuthError},
    lasting={"gone"},
    advice={AuthError: "ask Demo for a key"},
)


def submitted(http: int, body: bytes = b"", /, **told) -> api.PikaError:
    return REFUSALS.at_submit(HttpResponse(status=http, body=body), ErrorInfo(**told), KEY)


def looked(http: int, body: bytes = b"", /, **told) -> api.PikaError:
    return REFUSALS.at_lookup(HttpResponse(status=http, body=body), ErrorInfo(**told), KEY)


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (400, {"code": "new"}, SubmitRefused),
        (400, {"message": "no"}, SubmitRefused),
        (400, {}, SubmitUnknown),
        (200, {"message": "no"}, SubmitUnknown),
        (200, {"code": "broke"}, InsufficientBalance),
        (200, {"code": "new"}, SubmitUnknown),
        (400, {"code": "busy"}, SubmitUnknown),
        (400, {"code": "broke", "message": "Moderation says no"}, ContentBlocked),
        (401, {"message": "no"}, AuthError),
        (429, {"code": "new"}, RateLimited),
        (404, {}, SubmitRefused),
        (404, {"code": "busy"}, SubmitRefused),
        (200, {"code": "400", "status": 400}, SubmitRefused),
        (400, {"code": "503", "status": 503}, SubmitUnknown),
        (400, {"code": "1001", "status": 1001}, SubmitUnknown),
        (200, {"code": "429", "status": 429}, RateLimited),
    ],
)
def test_a_submit_is_refused_by_the_providers_own_words(status, told, kind):
    """Words first, then codes, then statuses; a code like a status is judged like one."""
    assert type(submitted(status, **told)) is kind


@pytest.mark.parametrize("status", [100, 301, 307, 408, 409, 500, 503])
@pytest.mark.parametrize(
    "told", [{"code": "broke"}, {"message": "Moderation says no"}, {"code": "bad_field"}]
)
def test_some_statuses_prove_nothing(status, told):
    """3xx, 408, 409 and 5xx leave a submit open whatever the body says."""
    assert api.proves_nothing(status)
    assert type(submitted(status, **told)) is SubmitUnknown


def test_an_offer_to_pay_is_the_providers_own():
    """Of a provider that documents 402."""
    assert type(submitted(402, b'{"x402Version": 1}')) is InsufficientBalance
    assert type(submitted(402, b"<html>")) is SubmitUnknown


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize(
    ("body", "told"),
    [(b"", {}), (b"<html>Checking your browser</html>", {}), (b"", {"message": "Forbidden"})],
)
def test_a_gateways_refusal_of_a_look_up_is_weather(status, body, told):
    """Without the provider's own code nobody knows that the key is wrong."""
    error = looked(status, body, **told)
    assert type(error) is ProviderUnavailable
    assert error.retryable


@pytest.mark.parametrize(
    ("status", "told", "kind"),
    [
        (401, {"code": "new"}, AuthError),
        (403, {"code": "403", "status": 403}, AuthError),
        (400, {"code": "bad_field"}, AuthError),
        (422, {"code": "new"}, BadReply),
        (429, {}, RateLimited),
        (408, {}, ProviderUnavailable),
        (502, {"code": "broke"}, ProviderUnavailable),
        (200, {"code": "500", "status": 500}, ProviderUnavailable),
        (200, {"code": "busy"}, ProviderUnavailable),
        (302, {}, BadReply),
        (200, {}, BadReply),
    ],
)
def test_a_look_up_fails_by_its_status(status, told, kind):
    """No money hangs on it."""
    error = looked(status, **told)
    assert type(error) is kind
    assert (error.phase, error.charged, error.status) == ("poll", "unknown", status)


def test_an_error_is_worded_without_secrets():
    """Not in the message, the code or the trace id; it says what to do."""
    error = submitted(
        401, code="bad sk-canary", message="sk-canary at https://a.test/t", trace_id="trace-sk-canary"
    )
    assert str(error) == "demo answered HTTP 401 with code bad *** (*** at (link)); ask Demo for a key."
    assert (error.code, error.trace_id) == ("bad ***", "trace-***")
    cut = submitted(400, b"x" * 115 + b" sk-canary " + b"y" * 5000)
    assert "sk-c" not in str(cut)


def test_what_a_provider_withdrew_is_not_worth_another_try():
    """A code that says so is no bad day."""
    assert not submitted(400, code="gone").retryable
    assert looked(503).retryable


def test_a_body_may_prove_a_refusal_at_any_status():
    """A provider that answers with a failed job buys nothing, whatever the status."""
    error = api.ErrorInfo(code="broke", message="no money")
    proven = REFUSALS.by_body(api.HttpResponse(status=503), error, KEY)
    assert (type(proven), proven.charged, proven.status) == (InsufficientBalance, "no", 503)
    assert (
        type(REFUSALS.by_body(api.HttpResponse(status=200), api.ErrorInfo(code="new"), KEY)) is SubmitRefused
    )


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, AuthError), (413, SubmitRefused), (429, RateLimited), (500, ProviderUnavailable)],
)
def test_a_failed_upload_buys_nothing(status, kind):
    """So its status suffices."""
    error = REFUSALS.at_upload(api.HttpResponse(status=status), api.ErrorInfo(message="why"), KEY)
    assert (type(error), error.charged, error.phase) == (kind, "no", "submit")


def test_refusals_can_be_evolved():
    """An instance of a gateway has the rules of its kind and a name of its own."""
    first = api.Refusals(
        provider="one", codes={InsufficientBalance: "broke poor"}, statuses={418: RateLimited}
    )
    second = evolve(first, provider="two")
    assert (second.provider, second.codes, second.statuses) == ("two", first.codes, first.statuses)
