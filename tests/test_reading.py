"""The kit of readers that adapters share: tolerant, bounded, and silent about secrets."""

from __future__ import annotations

import json
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st

import pika_async.provider as api
from pika_async.errors import ConfigError, UnsupportedRequest
from pika_async.provider import Blob, Secret, State

KEY = Secret("sk-canary-4e1f")


@frozen
class Shape:
    """One field of a wire."""

    word: Any = api.text()


@pytest.mark.parametrize(
    ("value", "read"),
    [
        ("a b", "a b"),
        (None, ""),
        (5, ""),
        (["a"], ""),
        ("a\nb", ""),
        ("x" * 8192, "x" * 8192),
        ("x" * 8193, ""),
    ],
)
def test_text_is_text_or_nothing(value, read):
    """A wrong type, a line break or an absurd length reads as nothing and spoils nothing else."""
    assert api.structure({"word": value}, Shape).word == read


@pytest.mark.parametrize(
    ("body", "form", "value"),
    [
        (b'{"a": 1}', False, {"a": 1}),
        (b"null", False, None),
        (b"<html>", False, ""),
        (b"", True, ""),
        (b"a=1&b=%7B%22c%22%3A2%7D&d=null&e=text", True, {"a": "1", "b": {"c": 2}, "d": "null", "e": "text"}),
        (b"a=1", False, ""),
        (b"[" * 5000, False, ""),
    ],
)
def test_a_body_is_json_or_a_form_or_nothing(body, form, value):
    """What cannot be read is empty text, which is not the JSON null."""
    assert api.decoded(body, form=form) == value


def depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth, inner), default=0) if isinstance(value, dict | list) else 0


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["list", "dict"]), max_size=300), st.integers(0, 300))
def test_json_is_as_deep_as_64_levels_at_most(levels, broad):
    """What lies deeper reads as None; what lies beside it stays."""
    nested: object = "inside"
    for level in levels:
        nested = [nested, 1] if level == "list" else {"more": nested}
    value = api.decoded(json.dumps({"id": "t", "wide": [{}] * broad, "deep": nested}).encode())
    assert (value["id"], value["wide"]) == ("t", [{}] * broad)
    assert depth(value) <= 64
    assert len(levels) >= 64 or value["deep"] == nested


def test_states_are_read_in_any_case():
    """Words that nobody documents mean that it still runs; no word means nothing."""
    assert [api.state(word) for word in ("DONE?", " Complete ", "rejected", "waiting", " ")] == [
        State.RUNNING,
        State.SUCCEEDED,
        State.FAILED,
        State.QUEUED,
        None,
    ]


@pytest.mark.parametrize("filler", ["x", " ", "http://a.test/", "://", "表"])
@pytest.mark.parametrize("before", [0, 1, 150, 199, 790, 795, 800, 805, 810, 5000])
def test_no_part_of_a_key_is_shown(filler, before):
    """Wherever the text is cut, no five letters of the key are left in it."""
    shown = api.shown((filler * before)[:before] + KEY.reveal() + filler * 50, KEY)
    assert len(shown) <= 201
    assert not any(KEY.reveal()[start : start + 5] in shown for start in range(len(KEY.reveal()) - 4))


def test_links_and_line_breaks_are_not_shown():
    """Links may bear tokens; an error is one line."""
    assert api.shown("see https://a.test/t\n and\tx" + "y" * 40 + "://b c", KEY) == (
        "see (link) and x" + "y" * 20 + "(link) c"
    )
    assert api.shown("", KEY) == ""


def test_the_first_text_of_an_error_is_found_once():
    """`message` comes first at each level; a value is visited once, however deep it lies."""
    assert api.first_text({"code": "x", "message": {"message": {"message": ["deep"]}}}) == "deep"
    assert api.first_text({"code": "x", "message": {"message": ""}}) == "x"
    assert api.first_text(7) == ""
    visits = []

    class Counted(dict):
        def get(self, name, default=None):
            visits.append(name)
            return dict.get(self, name, default)

    error: object = None
    for _ in range(9):
        error = Counted(message=error)
    assert api.first_text(error) == ""
    assert len(visits) == 9


def test_media_are_inlined():
    """A link stays one; bytes become a data link; a file must have been read before."""
    assert api.inlined("https://a.test/x.png") == "https://a.test/x.png"
    assert api.inlined(Blob(b"mp4", "video/mp4")) == "data:video/mp4;base64,bXA0"
    with pytest.raises(UnsupportedRequest, match="read the file first"):
        api.inlined(b"raw")


@frozen(kw_only=True)
class Adapter:
    """The two options that every adapter has."""

    api_key: Secret = api.key("DEMO_API_KEY")
    base_url: str = api.base_url("https://api.test/")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"api_key": ""}, "set DEMO_API_KEY"),
        ({"api_key": "a\nb"}, "line breaks"),
        ({"base_url": "ftp://a"}, "base_url"),
        ({"base_url": "a b"}, "base_url"),
    ],
)
def test_keys_and_addresses_are_checked_when_the_adapter_is_made(options, why):
    """Later would be after the purchase."""
    assert Adapter(api_key="k").base_url == "https://api.test"
    with pytest.raises(ConfigError, match=why):
        Adapter(**{"api_key": "k", **options})


def test_what_the_user_adds_joins_the_settings_of_the_request() -> None:
    """At every depth; a value of the user's goes before one of ours, and neither side is changed."""
    body = {"a": 1, "options": {"seed": 3, "deep": {"x": 1}}}
    extra = {"a": 2, "b": 3, "options": {"extend": True, "deep": {"y": 2}}}
    assert api.merged(body, extra) == {
        "a": 2,
        "b": 3,
        "options": {"seed": 3, "extend": True, "deep": {"x": 1, "y": 2}},
    }
    assert (body["a"], extra["a"]) == (1, 2)
    assert api.merged(body, None) == body


@pytest.mark.parametrize("value", [None, "all", ["seed"]])
def test_what_would_drop_settings_is_refused_by_name(value: Any) -> None:
    """Silence would cost a video that nobody wanted."""
    with pytest.raises(UnsupportedRequest, match="extra_body's options would replace seed"):
        api.merged({"options": {"seed": 3}}, {"options": value})
