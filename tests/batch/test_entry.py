"""A row of a batch as a line: written, read back, and read from anything."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async import JobFailed
from pika_async.batch import Entry, Failure, RowState, Timings
from pika_async.results import State, VideoResult
from tests.gallery.entries import done, entry

_texts = st.text(st.characters())  # half surrogate pairs too, as in names of files that are not UTF-8
_moments = st.none() | st.floats(allow_nan=False, allow_infinity=False)
_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | _texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=5,
)
_entries = st.builds(
    Entry,
    number=st.integers(min_value=1),
    request=st.dictionaries(_texts, _json, max_size=3),
    state=st.sampled_from(RowState),
    provider=st.none() | _texts,
    token=st.none() | _texts,
    result=st.none()
    | st.builds(
        VideoResult, _texts, st.none() | _texts, st.none() | _texts, _moments, st.sampled_from(State)
    ),
    file=st.none() | _texts,
    poster=st.none() | _texts,
    sha256=st.none() | _texts,
    size=st.none() | st.integers(min_value=0),
    timings=st.builds(
        Timings, created_at=_moments, submitted_at=_moments, rendered_at=_moments, finished_at=_moments
    ),
    error=st.none()
    | st.builds(Failure, name=_texts, message=_texts, charged=st.sampled_from(["no", "yes", "unknown"])),
)


@given(_entries)
def test_entry_round_trip(entry: Entry):
    """An entry is one line, and that line is the entry."""
    line = entry.line()
    assert line.count(b"\n") == 1
    assert Entry.parse(line) == entry


@given(st.binary())
def test_any_bytes_are_an_entry_or_none(line: bytes):
    """No line stops the reading of the others."""
    assert Entry.parse(line) is None


@pytest.mark.parametrize(
    "line",
    [
        b"[]",
        b"1",
        b"{}",
        b'{"number": 1}',
        b'{"number": 1, "request": {}, "state": "asleep"}',
        b'{"number": 0, "request": {}}',
        b"[" * 9999,
    ],
)
def test_foreign_json_is_no_entry(line: bytes):
    """JSON that is no entry is passed over like a torn line."""
    assert Entry.parse(line) is None


@pytest.mark.parametrize("depth", [150, 500, 900, 2000])
def test_a_line_that_is_nested_too_deep_is_no_entry(depth: int):
    """Whatever reads it would go too deep as well, and end the batch for all rows."""
    assert Entry.parse(b'{"number": 1, "request": {"a": ' + b"[" * depth + b"]" * depth + b"}}") is None


def test_unknown_fields_are_ignored():
    """A manifest of a newer version can be read."""
    line = json.dumps({"number": 1, "request": {}, "state": "done", "colour": "red"}).encode()
    assert Entry.parse(line) == Entry(number=1, request={}, state=RowState.DONE)


def test_text_stays_readable():
    """People search manifests for their own words."""
    assert "日没の猫".encode() in entry(1, prompt="日没の猫").line()


def test_tokens_stay_out_of_reprs():
    """A log line with an entry in it holds no token."""
    assert "pika-token" not in repr(done(1))


def test_failures_keep_what_a_line_can_hold():
    """An error becomes its name, its sentence and whether money went."""
    failure = Failure.of(JobFailed("The render failed.", charged="yes"))
    assert failure == Failure(name="JobFailed", message="The render failed.", charged="yes")
