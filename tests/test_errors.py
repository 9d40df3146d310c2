"""Every error says what happened, whether money went, and how to go on."""

import inspect

import pytest

import pika_async
from pika_async import errors
from pika_async._secret import Secret
from pika_async.errors import PikaError

TREE = {
    "ConfigError": ("no", False),
    "UnsupportedRequest": ("no", False),
    "AuthError": ("no", False),
    "RateLimited": ("no", True),
    "InsufficientBalance": ("no", False),
    "ContentBlocked": ("no", False),
    "ProviderUnavailable": ("no", True),
    "SubmitRefused": ("no", False),
    "SubmitUnknown": ("unknown", False),
    "JobFailed": ("unknown", False),
    "JobTimeout": ("yes", False),
    "JobUnresolved": ("unknown", False),
    "BadReply": ("unknown", False),
    "DownloadError": ("yes", True),
    "LedgerError": ("no", False),
}
KINDS = [getattr(errors, name) for name in TREE]


class Held:
    """Stands for a job: errors only ask it for its token."""

    token = "pika1.token"


def test_the_tree_is_the_one_that_is_drawn():
    """The module's drawing, the classes and the table here name the same errors."""
    defined = {name for name, kind in vars(errors).items() if inspect.isclass(kind)} & set(dir(pika_async))
    assert defined - {"PikaError"} == set(TREE)
    drawn = errors.__doc__ or ""
    assert all(name in drawn for name in TREE)


@pytest.mark.parametrize("kind", KINDS)
def test_errors_are_siblings(kind):
    """Catching one kind never catches another; all are `PikaError`."""
    assert PikaError in kind.__bases__
    assert not [other for other in KINDS if other is not kind and issubclass(kind, other)]


@pytest.mark.parametrize("kind", KINDS)
def test_the_defaults_are_on_the_side_of_the_payer(kind):
    """What may have cost money says so, and only what cannot buy twice is retryable."""
    assert (kind("why").charged, kind("why").retryable) == TREE[kind.__name__]


@pytest.mark.parametrize("kind", KINDS)
def test_every_error_carries_where_it_happened(kind):
    """Whoever catches it needs nothing else to act, and to ask the provider's support."""
    facts = {
        "provider": "acedata",
        "job": Held(),
        "phase": "poll",
        "charged": "yes",
        "retryable": True,
        "trace_id": "trace",
        "status": 429,
        "code": "too_many",
    }
    error = kind("The provider is busy; call again.", **facts)
    assert {name: getattr(error, name) for name in facts} == facts
    assert error.token == "pika1.token"
    assert str(error) == error.message == "The provider is busy; call again."


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_not_known_is_none(kind):
    """An error from before there was a job has no token."""
    error = kind("why")
    assert (error.provider, error.job, error.phase, error.trace_id, error.status, error.code) == (None,) * 6
    assert error.token is None


def test_a_job_timeout_is_a_builtin_timeout():
    """Code that knows nothing of us catches it as `TimeoutError`."""
    assert issubclass(errors.JobTimeout, TimeoutError)


def test_an_unsupported_request_is_a_value_error():
    """It is a wrong argument, in Python's own words too."""
    assert issubclass(errors.UnsupportedRequest, ValueError)


def test_a_rate_limit_knows_the_wish_of_the_provider():
    """Without a wish there is none."""
    assert errors.RateLimited("slow down").retry_after is None


@pytest.mark.parametrize("kind", [PikaError, *KINDS])
def test_every_error_explains_itself(kind):
    """The docstring is what a user reads first in an editor."""
    assert kind.__doc__


def test_secrets_are_concealed_in_all_that_a_provider_words():
    """A provider may echo the key anywhere; nothing that is shown keeps it."""
    error = errors.AuthError("No account for sk-1234567.", trace_id="t-sk-1234567", code="sk-1234567")
    assert error.conceal([Secret("sk-1234567")]) is error
    assert (str(error), error.message) == ("No account for ***.", "No account for ***.")
    assert (error.trace_id, error.code) == ("t-***", "***")


def test_concealing_leaves_the_rest_alone():
    """What is no text, or not there, stays as it is."""
    error = errors.AuthError("No.", status=401)
    error.conceal([Secret("sk-1234567")])
    assert (str(error), error.trace_id, error.code, error.status) == ("No.", None, None, 401)
