"""Links as they are pasted: cleaned at their ends, and what must not be in them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async._links import canonical, cleaned, fault

LINK = "https://media.test/cat.png?sig=a%20b"


@pytest.mark.parametrize(
    "end", ["\n", "\r\n", "\t", " ", "\ufeff", "\u200b", "\u00a0", "\u2028", " \u200b\n"]
)
def test_what_copying_leaves_at_the_ends_goes(end):
    """Nobody meant it."""
    assert cleaned(end + LINK + end) == LINK


@pytest.mark.parametrize(
    "inside", ["\n", "\r\n", "\t", " ", "\0", "\x7f", "\u200b", "\u202e", "\ud800", "\u00a0"]
)
def test_what_cannot_be_seen_inside_is_a_fault(inside):
    """The standard parser drops some of it in silence, and providers read what is left in their own way."""
    assert fault(f"https://media.test/cat{inside}.png") == "spaces, line breaks or invisible characters"


@pytest.mark.parametrize(
    "link", ["https://me:word@media.test/a", "https://me@media.test", "http://:word@media.test"]
)
def test_a_password_is_a_fault(link):
    """Everybody who sees the link has it."""
    assert fault(link) == "a user name or password"


@pytest.mark.parametrize(
    "link",
    [
        "",
        "media.test",
        "ftp://media.test",
        "https://",
        "https:///a",
        "http://[",
        "http://a:99999/",
        "http://a:0",
    ],
)
def test_what_is_no_address_is_a_fault(link):
    """Whatever else it is."""
    assert fault(link) == "anything but an http(s) address"


@pytest.mark.parametrize("link", [LINK, "HTTP://MEDIA.TEST", "http://[::1]:8080/a", "https://例え.jp/猫.png"])
def test_a_link_is_sound(link):
    """Names in other scripts and addresses by number too."""
    assert fault(link) is None


@pytest.mark.parametrize(
    ("link", "same"),
    [
        ("HTTPS://Media.Test:443/A", "https://media.test/A"),
        ("http://media.test:80", "http://media.test"),
        ("https://media.test:80/a?B#c", "https://media.test:80/a?B#c"),
        ("http://[", "http://["),
    ],
)
def test_a_place_has_one_spelling(link, same):
    """As far as the standard says so: scheme, host and the usual port."""
    assert canonical(link) == same


@given(st.text())
def test_any_text_is_cleaned_once_and_judged(text):
    """Twice is no cleaner, and no text is an error."""
    once = cleaned(text)
    assert cleaned(once) == once
    fault(once)
    canonical(once)
