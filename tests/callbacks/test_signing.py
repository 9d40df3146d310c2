"""An adapter can verify signed pushes with what it is handed: body, headers, time and fetched keys."""

import json

import pytest

from pika_async._contract import check_provider
from pika_async.callbacks import Handler
from pika_async.provider import BadReply, Failed, Pending, Succeeded
from tests.callbacks.conftest import KEY, TOKEN
from tests.callbacks.signing_provider import PATIENCE, Signer, SigningSide

NOW = 1_700_000_000.0
SIDE = SigningSide()
ADAPTER = Signer(api_key="k")
DONE = json.dumps({"id": "t1", "state": "done", "url": "https://cdn.test/a.mp4"}).encode()


def read(body=DONE, headers=None, received_at=NOW, keys=None):
    headers = SIDE.headers(body, NOW) if headers is None else headers
    return ADAPTER.read_callback(body, headers, received_at, SIDE.keys() if keys is None else keys)


def test_the_adapter_has_both_powers():
    """The contract recognises them by their functions."""
    assert check_provider(ADAPTER) == {"signs", "reads_callbacks"}


def test_its_keys_are_fetched_without_a_credential():
    """They are public; the engine fetches and caches them."""
    request = ADAPTER.build_keys()
    assert (request.method, request.url) == ("GET", "https://api.signer.invalid/v1/keys")
    assert not request.bears_secrets


@pytest.mark.parametrize(
    ("told", "kind"),
    [({"state": "done", "url": "u"}, Succeeded), ({"state": "failed"}, Failed), ({}, Pending)],
)
def test_what_is_signed_is_believed(told, kind):
    """With a good signature, the reader returns what the provider says about the task."""
    snapshot = read(json.dumps({"id": "t1", **told}).encode())
    assert isinstance(snapshot, kind)
    assert snapshot.task.id == "t1"


def test_a_signature_survives_the_receiver():
    """What the handler keeps of a request is all that verifying takes."""
    headers = {"content-type": "application/json", "authorization": "x", **SIDE.headers(DONE, NOW)}
    event = Handler((KEY,), 1000).handle("POST", TOKEN, headers, DONE).event
    assert isinstance(read(event.body, event.headers), Succeeded)


def test_either_key_is_good_while_they_rotate():
    """Pushes signed before and after the change both verify."""
    newer = SigningSide()
    assert read(keys=newer.keys(SIDE)) == read()
    assert read(headers=newer.headers(DONE, NOW), keys=newer.keys(SIDE)) == read()


def test_another_key_is_not_believed():
    """Nor is anything before the keys are known."""
    assert read(keys=SigningSide().keys()) is None
    assert read(keys=b"{}") is None
    assert read(keys=b'{"keys": ["ab", "no hex"]}') is None
    assert ADAPTER.read_callback(DONE, SIDE.headers(DONE, NOW), NOW, None) is None


def test_a_changed_body_is_not_believed():
    """The signature covers every byte."""
    assert read(DONE.replace(b"cdn", b"bad"), SIDE.headers(DONE, NOW)) is None


@pytest.mark.parametrize("age", [PATIENCE + 1, -PATIENCE - 1])
def test_a_replay_is_not_believed(age):
    """A genuine push, too long ago or from the future."""
    assert read(received_at=NOW + age) is None
    assert read(received_at=NOW + age, headers=SIDE.headers(DONE, NOW + age)) is not None


@pytest.mark.parametrize(("body", "keys"), [(b"no json", None), (DONE, b"<html>")])
def test_what_cannot_be_read_is_a_bad_reply(body, keys):
    """The engine distinguishes errors of the provider from those of the adapter."""
    with pytest.raises(BadReply):
        read(body, keys=keys)


def test_a_replay_with_a_fresh_time_is_not_believed():
    """The signature covers the time as well."""
    headers = SIDE.headers(DONE, NOW) | {"x-signer-time": str(int(NOW) + 1)}
    assert read(headers=headers) is None


@pytest.mark.parametrize(
    "headers",
    [{}, {"x-signer-time": "soon", "x-signer-signature": "00"}, {"x-signer-time": str(int(NOW))}],
)
def test_what_is_not_signed_is_not_believed(headers):
    """Missing and unreadable are no better than wrong."""
    assert read(headers=headers) is None
    assert read(headers={**headers, "x-signer-signature": "no hex"}) is None
