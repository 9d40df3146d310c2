"""Callback addresses, and the attempts that echoed ones name."""

from __future__ import annotations

import pytest

from pika_async._engine.addresses import Addresses
from pika_async._secret import Secret
from pika_async.errors import UnsupportedRequest
from tests.engine.scripted import capable

OURS = Addresses(secrets=(b"new", b"old"))


def make(addresses=OURS, wish=None, **capabilities):
    """Make the address of an attempt."""
    able = capable(**{"callbacks": "optional", "echoes_token": True, **capabilities})
    return addresses.make("j-1-x", wish, "scripted", able)


def test_every_attempt_has_an_address():
    """Nobody listens there, but look-ups that echo it can be matched; who requires one gets it too."""
    assert make(echoes_token=True, callbacks="required").reveal() == make().reveal()
    assert make().reveal().startswith("https://callback.invalid/j-1-x.")
    assert OURS.named(make()) == "j-1-x"


def test_a_receiver_gets_the_token_as_a_parameter():
    """The order's own comes before the client's."""
    client = Addresses(secrets=(b"new",), receiver="https://app.test/hook")
    assert make(client).reveal().startswith("https://app.test/hook?pika_attempt=j-1-x.")
    assert make(client, "https://own.test/").reveal().startswith("https://own.test/?pika_attempt=")
    assert client.named(make(client)) == "j-1-x"


def test_a_provider_without_callbacks_gets_none():
    """Nor does one for which the user wants none, if it can do without."""
    assert make(callbacks="no") is None
    assert make(callbacks="account") is None
    assert make(wish=False) is None
    with pytest.raises(UnsupportedRequest, match="requires"):
        make(wish=False, callbacks="required")


@pytest.mark.parametrize(
    ("echoed", "named"),
    [
        (None, None),
        ("https://callback.invalid/", None),
        ("https://callback.invalid/j-1-x.forged", ""),
        ("https://somebody.test/hook", ""),
    ],
)
def test_what_an_echo_says(echoed, named):
    """Ours, somebody else's, or nothing."""
    assert OURS.named(None if echoed is None else Secret(echoed)) == named


@pytest.mark.parametrize(
    ("echoed", "another"),
    [
        (None, False),
        ("https://callback.invalid/", False),
        ("https://callback.invalid/j-1-x.signed-elsewhere", False),
        ("https://own.test/hook?pika_attempt=j-2-z.signed-elsewhere", False),
        ("https://callback.invalid/k-1-x.signed-elsewhere", True),
        ("https://somebody.test/hook", True),
    ],
)
def test_whose_job_an_echo_is_about(echoed, another):
    """Whoever signed it: the job of a token may have been ordered with another ledger."""
    assert OURS.names_another(None if echoed is None else Secret(echoed), "j") is another


def test_tokens_of_older_secrets_are_read():
    """Keys rotate."""
    old = Addresses(secrets=(b"old",))
    assert OURS.named(make(old)) == "j-1-x"
    assert old.named(make()) == ""


def test_nobody_is_called_where_nothing_echoes_the_address():
    """It would serve for nothing, and a provider may try it again and again, or refuse it."""
    assert make(echoes_token=False) is None
    assert make(Addresses(secrets=(b"new",), receiver="https://app.test/"), echoes_token=False) is not None


def test_pushes_are_expected_only_by_a_mounted_receiver():
    """One that the order did not replace."""
    mounted = Addresses(secrets=(b"new",), mounted=lambda token: Secret(f"https://app.test/{token}"))
    pushes = capable(callbacks="optional")
    assert mounted.expects_push(None, pushes)
    assert not mounted.expects_push("https://own.test/", pushes)
    assert not mounted.expects_push(None, capable(callbacks="no"))
    assert not OURS.expects_push(None, pushes)
