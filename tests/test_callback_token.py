"""Only a token that we made names an attempt; everything else names none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async.callbacks.token import NOWHERE, address, make_token, read_token, token_in

SECRET, OTHER = b"ours", b"theirs"
ATTEMPT = "a1b2-1-9f"
TOKEN = make_token(SECRET, ATTEMPT)

attempt_ids = st.from_regex(r"[A-Za-z0-9_-]{1,40}-[0-9]{1,3}-[A-Za-z0-9_-]{1,12}", fullmatch=True)


@given(st.binary(min_size=1), attempt_ids)
def test_a_token_names_its_attempt(secret, attempt_id):
    """What was made with a secret is read back with it."""
    assert read_token([secret], make_token(secret, attempt_id)) == attempt_id


@given(attempt_ids)
def test_a_token_says_nothing_of_the_secret_and_fits_into_a_url(attempt_id):
    """No character of it needs escaping, and it stays short."""
    token = make_token(SECRET, attempt_id)
    assert len(token) == len(attempt_id) + 23
    assert not set(token) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")


def test_a_token_of_another_secret_is_refused():
    """Another installation's token names nothing here."""
    assert read_token([OTHER], TOKEN) is None
    assert read_token([], TOKEN) is None


def test_a_token_for_another_attempt_is_refused():
    """The MAC covers the attempt: knowing one token gives no other."""
    _, _, mac = TOKEN.rpartition(".")
    assert read_token([SECRET], f"a1b2-2-9f.{mac}") is None


def test_rotated_secrets_still_verify():
    """Jobs submitted before the rotation are called back after it."""
    assert read_token([b"newest", b"newer", SECRET], TOKEN) == ATTEMPT


@pytest.mark.parametrize("length", range(len(TOKEN)))
def test_a_cut_token_is_refused(length):
    """No beginning of a token is one."""
    assert read_token([SECRET], TOKEN[:length]) is None


@given(st.text(max_size=300))
def test_any_text_is_read_without_an_error(text):
    """Whatever strangers post to a receiver names no attempt."""
    assert read_token([SECRET, OTHER], text) is None
    assert read_token([SECRET, OTHER], f"{ATTEMPT}.{text}") in {None, ATTEMPT}


def test_the_default_address_is_nobodys():
    """A reserved domain: the token stays between the provider and us."""
    hidden = address(TOKEN, None)
    assert hidden.reveal() == NOWHERE + TOKEN
    assert TOKEN not in repr(hidden)


@pytest.mark.parametrize(
    ("receiver", "expected"),
    [
        ("https://app.test/hook", "https://app.test/hook?pika_attempt={}"),
        ("https://app.test/hook?", "https://app.test/hook?pika_attempt={}"),
        ("https://app.test/hook?x=1", "https://app.test/hook?x=1&pika_attempt={}"),
        ("https://app.test/hook?x=1#top", "https://app.test/hook?x=1&pika_attempt={}#top"),
        ("https://app.test/hook#top", "https://app.test/hook?pika_attempt={}#top"),
    ],
)
def test_a_receiver_of_the_users_own_keeps_what_it_had(receiver, expected):
    """The token is added as a parameter, and found again where history echoes it."""
    made = address(TOKEN, receiver).reveal()
    assert made == expected.format(TOKEN)
    assert token_in(made) == TOKEN


def test_the_token_is_found_in_the_default_address():
    """That is how a lost answer is matched to the attempt it belongs to."""
    assert token_in(NOWHERE + TOKEN) == TOKEN


@pytest.mark.parametrize("url", ["", "https://app.test", "https://app.test/", "callback"])
def test_other_addresses_hold_no_genuine_token(url):
    """Tasks of other programs on the same account are not ours."""
    assert read_token([SECRET], token_in(url) or "") is None
