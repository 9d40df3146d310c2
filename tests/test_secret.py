"""A secret shows itself to nobody who did not ask for exactly that."""

import copy
import json
import logging
import pprint
import time
import traceback

import pytest
from attrs import frozen

from pika_async._secret import Secret, conceal, conceal_text, key_fault

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


def test_concealing_finds_what_is_encoded():
    """Echoed addresses hold the key percent-encoded."""
    key = Secret("sk/1234")
    assert (
        conceal_text("https://x.test/?key=sk%2F1234 and sk/1234", [key]) == "https://x.test/?key=*** and ***"
    )


def test_concealing_finds_callback_tokens_in_any_address():
    """The default address, a parameter on the user's own, and the path of a receiver."""
    token = "0a1b-12-9f.BU2FTs4FbcK6APAmC_-5YA"
    for address in (
        "https://callback.invalid/{}",
        "https://a.test/h?pika_attempt={}&b=1",
        "https://a.test/p/{}",
    ):
        assert conceal_text(address.format(token), []) == address.format("***")
    assert conceal_text("a-1-b.mp4 and 2026-11-26.log", []) == "a-1-b.mp4 and 2026-11-26.log"


def test_a_very_short_secret_is_not_looked_for():
    """It would make every word unreadable, and protects nothing."""
    assert conceal_text("a cat", [Secret("a"), Secret("")]) == "a cat"


@pytest.mark.parametrize("seed", ["0", "a-1-", "a-1-a.", "-.", "aaaaaaa", "sk%2F", "a-1-b." + 22 * "x"])
def test_concealing_takes_time_in_proportion(seed):
    """Text eight times as long takes about eight times the time, whatever it repeats."""

    def cost(size):
        text = (seed * (size // len(seed))) + "-."
        nested = {"a": [text, {text[:99]: text}]}
        best = float("inf")
        for _ in range(3):
            start = time.thread_time()
            conceal(nested, [Secret("aaaaaaab"), Secret("sk/123")])
            best = min(best, time.thread_time() - start)
        return best

    assert cost(2**18) <= 16 * max(cost(2**15), 0.001)


@pytest.mark.parametrize(
    ("key", "fault"),
    [
        ("Bearer sk-canary", "begins with a word like Bearer"),
        ("bearer\tsk-canary", "begins with a word like Bearer"),
        ("Authorization: Bearer sk-canary", "begins with a word like Bearer"),
        ("Bearer", "is only the word"),
        ('"sk-canary"', "quotation marks"),
        ("'sk-canary'", "quotation marks"),
        ('sk-canary"', "quotation marks"),
        ("\u201csk-canary\u201d", "quotation marks"),
        ("ACEDATA_API_KEY=sk-canary", "whole assignment"),
        ("export KEY=sk-canary", "whole assignment"),
        ("${ACEDATA_API_KEY}", "placeholder"),
        ("$ACEDATA_API_KEY", "placeholder"),
        ("$(cat key-canary)", "placeholder"),
        ("{{ secrets.KEY }}", "placeholder"),
        ("%ACEDATA_API_KEY%", "placeholder"),
        ("<your key>", "placeholder"),
        ("your-api-key", "placeholder"),
        ("sk-your-key-here", "placeholder"),
        ("YOUR_API_KEY_HERE", "placeholder"),
        ("changeme", "placeholder"),
        ("None", "placeholder"),
        ("xxxxxxxx", "placeholder"),
        ("ACEDATA_API_KEY", "name of a variable"),
        ("sk-can...ary", "shortened"),
        ("sk-***", "shortened"),
        ("https://platform.test/keys", "is an address"),
        ("sk canary", "check the API key for line breaks"),
        ("sk-canary\n", "check the API key for line breaks"),
        ("sk-\u0441anary", "check the API key for line breaks"),
        (" ", "check the API key for line breaks"),
    ],
)
def test_what_is_clearly_no_key_is_told_without_quoting_it(key, fault):
    """Sent, it would be refused in the provider's words, or billed and never found again."""
    told = key_fault(Secret(key))
    assert fault in told
    assert "canary" not in told


@pytest.mark.parametrize(
    "key",
    [
        "k",
        "sk-123",
        "sandbox",
        "eyJhbGciOi.eyJzdWIi.c2ln-_",
        "AbC+/dEf012==",
        "0123456789abcdef",
        "tokens-1",
        "yours1",
    ],
)
def test_a_key_may_look_like_anything_else(key):
    """The provider knows better."""
    assert key_fault(Secret(key)) is None


@pytest.mark.parametrize("text", [5, b"sk-canary", ["sk-canary"], 1.5, True])
def test_a_secret_is_text(text):
    """What is none would fail on its way out, in words that show it."""
    with pytest.raises(TypeError, match=r"^text must be text or a Secret") as refused:
        Secret(text)
    assert "canary" not in str(refused.value)
