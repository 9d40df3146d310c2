"""The options of a receiver: addresses, secrets that do not show, and rotation."""

import pytest

from pika_async import ConfigError
from pika_async._secret import Secret
from pika_async.callbacks import Callbacks
from pika_async.callbacks.token import make_token, read_token

URL = "https://app.example.com/pika"
OLD, NEW, LEDGERS = "the old secret, long enough", "the new secret, long enough", b"the ledger's own"


def test_the_address_ends_with_the_token():
    """With or without a slash at the end of the public URL, and never shown by accident."""
    for url in (URL, URL + "/"):
        address = Callbacks(public_url=url).address("a1-1-9f.mac")
        assert address.reveal() == "https://app.example.com/pika/a1-1-9f.mac"
        assert "mac" not in repr(address)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "app.example.com/pika",
        "ftp://app.example.com",
        "https://",
        "https://app.example.com:x/",
        "https://app.example.com/pika?x=1",
        "https://app.example.com/pika#x",
        "https://me:secret@app.example.com/pika",
        "https://app.example.com/pi ka",
        "https://app.example.com/pika\n",
        "https://[::1/pika",
    ],
)
def test_what_is_no_plain_address_is_refused(url):
    """A provider could not call it, or it would carry a password about."""
    with pytest.raises(ConfigError, match="public_url") as refusal:
        Callbacks(public_url=url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("options", [{"secret": "short"}, {"secret": b"short"}, {"old_secrets": ["short"]}])
def test_a_secret_that_could_be_guessed_is_refused(options):
    """Fewer than 16 bytes are too few, and the error does not show them."""
    with pytest.raises(ConfigError, match="fewer than 16 bytes") as refusal:
        Callbacks(public_url=URL, **options)
    assert "short" not in str(refusal.value)


@pytest.mark.parametrize(
    "options",
    [
        {"public_url": 5},
        {"secret": 5},
        {"old_secrets": 5},
        {"old_secrets": {"a": 1}},
        {"old_secrets": [None]},
    ],
)
def test_what_is_no_text_is_refused_by_name(options):
    """A secret that is none must not be replaced by the ledger's in silence."""
    with pytest.raises(ConfigError, match=next(iter(options))):
        Callbacks(**{"public_url": URL, **options})


@pytest.mark.parametrize(
    "limit",
    [
        {"max_body": 0},
        {"max_body": "1"},
        {"max_body": 1.5},
        {"body_timeout": -1.0},
        {"body_timeout": float("nan")},
        {"body_timeout": "10"},
        {"body_timeout": True},
    ],
)
def test_a_limit_that_lets_nothing_through_is_refused(limit):
    """It would switch callbacks off in silence."""
    with pytest.raises(ConfigError, match=next(iter(limit))):
        Callbacks(public_url=URL, **limit)


def test_no_secret_is_shown():
    """Neither text nor bytes, neither new nor old."""
    options = Callbacks(public_url=URL, secret=NEW, old_secrets=[OLD, OLD.encode()])
    assert "enough" not in repr(options)
    assert "enough" not in str(options)


@pytest.mark.parametrize("secret", ["sixteen bytes: é…", "sixteen bytes: é…".encode()])
def test_text_and_its_bytes_are_the_same_secret(secret):
    """One process may read it from the environment, another from a file, a third has it wrapped."""
    for given in (secret, Callbacks(public_url=URL, secret=secret).secret):
        assert Callbacks(public_url=URL, secret=given).keys(LEDGERS)[0] == "sixteen bytes: é…".encode()


def test_one_old_secret_needs_no_list():
    """Text is not taken for a list of letters."""
    assert Callbacks(public_url=URL, old_secrets=OLD).old_secrets == (Secret(OLD),)


def test_without_a_secret_the_ledgers_own_signs():
    """It was made once, and every process with the ledger has it."""
    assert Callbacks(public_url=URL).keys(LEDGERS) == (LEDGERS,)
    assert Callbacks(public_url=URL, old_secrets=[OLD]).keys(LEDGERS) == (LEDGERS, OLD.encode())


def test_rotation_leaves_no_job_behind():
    """The new secret signs; what the old one and the ledger's signed still verifies."""
    keys = Callbacks(public_url=URL, secret=NEW, old_secrets=[OLD]).keys(LEDGERS)
    assert keys[0] == NEW.encode()
    for signer in (NEW.encode(), OLD.encode(), LEDGERS):
        assert read_token(keys, make_token(signer, "a1-1-9f")) == "a1-1-9f"
    assert read_token(keys, make_token(b"somebody else's", "a1-1-9f")) is None
