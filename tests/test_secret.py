"""A secret shows itself to nobody who did not ask for exactly that."""

import copy
import json
import logging
import pprint
import traceback

import pytest
from attrs import frozen

from pika_async._secret import Secret

TEXT = "sk-very-secret"
KEY = Secret(TEXT)


@frozen
class Holder:
    """A value with a secret inside."""

    key: Secret


@pytest.mark.parametrize(
    "show",
    [
        repr,
        str,
        format,
        ascii,
        "{}".format,
        "{!r:>20}".format,
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031  the way of logging calls
        lambda secret: repr([secret, {"key": secret}, (secret,)]),
        lambda secret: repr(Holder(secret)),
        lambda secret: pprint.pformat({"key": secret}),
        lambda secret: repr(secret.within("Bearer {}")),
        lambda secret: repr(copy.deepcopy(secret)),
        lambda secret: logging.LogRecord("n", 10, "p", 1, "key %s", (secret,), None).getMessage(),
    ],
)
def test_it_is_never_shown(show):
    """Whatever shows values to people shows three stars."""
    assert TEXT not in show(KEY)
    assert "***" in show(KEY)


def test_a_traceback_with_locals_does_not_show_it():
    """Error trackers print the locals of every frame."""

    def fail(key):
        bearer = key.within("Bearer {}")
        raise ValueError("failed", bearer)

    with pytest.raises(ValueError, match="failed") as failed:
        fail(KEY)
    report = traceback.TracebackException.from_exception(failed.value, capture_locals=True)
    assert TEXT not in "".join(report.format())


def test_json_refuses_it():
    """Nothing but the transport encodes a secret; elsewhere that is an error, not a leak."""
    with pytest.raises(TypeError):
        json.dumps({"key": KEY})


def test_it_reveals_itself_when_asked():
    """The transport needs the text."""
    assert KEY.reveal() == TEXT
    assert KEY.within("Bearer {}").reveal() == f"Bearer {TEXT}"


def test_a_secret_of_a_secret_is_the_same():
    """Keys may be handed over wrapped or bare."""
    assert Secret(KEY) == KEY
    assert hash(Secret(KEY)) == hash(KEY)
    assert KEY != TEXT
    assert Secret("") != KEY


def test_an_empty_secret_is_false():
    """A missing key is noticed before it is sent."""
    assert KEY
    assert not Secret("")
