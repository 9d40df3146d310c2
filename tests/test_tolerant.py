"""The rules of the tolerant converter, each where a stock one is too kind or too strict."""

from contextlib import suppress
from typing import Any

import pytest
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from pika_async._http import HttpResponse
from pika_async._tolerant import read_json, structure
from pika_async.errors import BadReply
from pika_async.results import JSON


@frozen
class Inner:
    """One of several."""

    id: str


@frozen
class Shape:
    """A field of every kind that adapters declare."""

    text: str = ""
    word: str | None = None
    flag: bool = False
    count: int = 0
    number: float = 0.0
    seconds: float | None = None
    whole: int | None = None
    texts: tuple[str, ...] = ()
    items: tuple[Inner, ...] = ()
    inner: Inner | None = None
    raw: JSON = None
    anything: Any = None


@pytest.mark.parametrize("value", [None, 5, True, {}, {"a": 1}, [], ["a"]])
def test_text_is_text(value):
    """A null is not the word None, and an object not its repr."""
    with pytest.raises(BadReply):
        structure({"text": value}, Shape)


@pytest.mark.parametrize("value", ["false", "", 0, 1, None, []])
def test_truth_is_true_or_false(value):
    """The word false is text, and text is not false."""
    with pytest.raises(BadReply):
        structure({"flag": value}, Shape)


@pytest.mark.parametrize(
    ("value", "expected"), [(5, 5.0), ("5", 5.0), ("5.25", 5.25), (" 7 ", 7.0), ("-1e3", -1000.0)]
)
def test_numbers_are_also_read_from_digits(value, expected):
    """One provider writes its numbers as text."""
    told = structure({"number": value, "seconds": value}, Shape)
    assert (told.number, told.seconds) == (expected, expected)


@pytest.mark.parametrize(
    "value",
    [True, "five", "", "NaN", "inf", "1e400", float("nan"), float("inf"), 10**400, None, [], {}],
    ids=lambda value: repr(value)[:10],
)
def test_nonsense_for_a_number_is_refused_or_nothing(value):
    """Where the number is optional the rest of the answer still counts."""
    with pytest.raises(BadReply):
        structure({"number": value}, Shape)
    told = structure({"seconds": value, "text": "kept"}, Shape)
    assert (told.seconds, told.text) == (None, "kept")


def test_whole_numbers_keep_every_digit():
    """An id beyond 2**53 is not rounded."""
    assert structure({"count": 2**53 + 1}, Shape).count == 2**53 + 1
    assert structure({"whole": 2**53 + 1}, Shape).whole == 2**53 + 1


def test_a_broken_number_is_not_a_whole_one():
    """Half a count is nonsense, a whole float is not."""
    assert structure({"whole": 1.5, "count": "3.0"}, Shape) == Shape(count=3)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, ()), ([], ()), ({"id": "a"}, ("a",)), ([{"id": "a"}, {"id": "b"}], ("a", "b"))],
)
def test_one_many_and_none_are_all_a_list(value, expected):
    """Providers send an object, a list of them or null for the same field."""
    assert tuple(item.id for item in structure({"items": value}, Shape).items) == expected


def test_a_text_is_not_a_list_of_letters():
    """A single link is one link."""
    assert structure({"texts": "abc"}, Shape).texts == ("abc",)


def test_a_null_for_an_optional_object_is_nothing():
    """Declared as optional, it may be null or absent."""
    assert structure({"inner": None, "word": None}, Shape) == Shape()


def test_unknown_fields_are_ignored():
    """A provider may add to its answers on any day."""
    assert structure({"brand_new": [1, {"a": 2}]}, Shape) == Shape()


@pytest.mark.parametrize("value", [None, 5, "x", [1], {"a": {"b": None}}])
def test_what_is_declared_open_is_kept_as_it_is(value):
    """Adapters look into it themselves."""
    told = structure({"raw": value, "anything": value}, Shape)
    assert (told.raw, told.anything) == (value, value)


@pytest.mark.parametrize("value", [None, 5, "text", [], [{}], True])
def test_another_shape_altogether_is_a_bad_reply(value):
    """It says that nothing was concluded, and from which status."""
    with pytest.raises(BadReply, match="nothing was concluded") as bad:
        structure(value, Inner, status=200)
    assert bad.value.status == 200


def test_a_missing_field_is_named():
    """Whoever reports it to the provider can say what was missing."""
    with pytest.raises(BadReply, match="id"):
        read_json(HttpResponse(status=200, body=b"{}"), Inner)


def test_a_bad_reply_does_not_repeat_the_text():
    """A provider that puts a key where a number belongs does not get it into our logs."""
    with pytest.raises(BadReply) as bad:
        structure({"number": "sk-very-secret"}, Shape)
    assert "sk-very-secret" not in str(bad.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from([a.name for a in Shape.__attrs_attrs__]), json_values) | json_values)
def test_any_json_is_a_value_or_a_bad_reply(value):
    """No answer of a stranger ends in another error."""
    with suppress(BadReply):
        assert isinstance(structure(value, Shape), Shape)
