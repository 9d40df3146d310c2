"""The manifest: what is written is read back, whatever a killed run left behind."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async import JobFailed
from pika_async.batch import Entry, Failure, Manifest, RowState, Timings
from pika_async.results import State, VideoResult
from tests.gallery.entries import HOSTILE, done, entry

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


def test_later_lines_replace_earlier_ones(tmp_path: Path):
    """The newest line of a row counts, and rows come in order of number."""
    with Manifest(tmp_path / "m.jsonl") as manifest:
        for each in (entry(2), entry(1), done(2)):
            manifest.append(each)
        assert list(manifest.entries().values()) == [entry(1), done(2)]


def test_lines_are_there_at_once(tmp_path: Path):
    """A line can be read by others as soon as `append` has returned, and missing folders are made."""
    with Manifest(tmp_path / "new" / "m.jsonl") as manifest:
        manifest.append(entry(1))
        assert Manifest(manifest.path).entries() == {1: entry(1)}


def test_missing_manifest_has_no_entries(tmp_path: Path):
    """Before the first line there is nothing, and no error."""
    assert Manifest(tmp_path / "m.jsonl").entries() == {}


def test_torn_last_line(tmp_path: Path):
    """Wherever a kill cut the last line, the others are read and the next one starts afresh."""
    path = tmp_path / "m.jsonl"
    whole, torn = entry(1).line(), entry(2).line()
    for cut in range(len(torn)):
        path.write_bytes(whole + torn[:cut])
        with Manifest(path) as manifest:
            manifest.append(entry(3))
            assert set(manifest.entries()) - {2} == {1, 3}


@pytest.mark.parametrize("prompt", HOSTILE)
def test_no_prompt_breaks_a_line(tmp_path: Path, prompt: str):
    """Only a newline ends a line: not the other characters at which Unicode breaks them."""
    with Manifest(tmp_path / "m.jsonl") as manifest:
        manifest.append(entry(1, prompt=prompt))
        assert manifest.entries()[1].request["prompt"] == prompt


def test_compact_keeps_the_newest_line_of_each_row(tmp_path: Path):
    """Compacting changes the size of the file and nothing that is read from it; appending goes on."""
    with Manifest(tmp_path / "m.jsonl") as manifest:
        for each in (entry(2), entry(1), done(2)):
            manifest.append(each)
        before = manifest.entries()
        manifest.compact()
        assert manifest.entries() == before
        assert manifest.path.read_bytes() == entry(1).line() + done(2).line()
        manifest.append(entry(3))
        assert list(manifest.entries()) == [1, 2, 3]
    assert list(tmp_path.iterdir()) == [manifest.path]


def test_tokens_stay_out_of_reprs():
    """A log line with an entry in it holds no token."""
    assert "pika-token" not in repr(done(1))


def test_failures_keep_what_a_line_can_hold():
    """An error becomes its name, its sentence and whether money went."""
    failure = Failure.of(JobFailed("The render failed.", charged="yes"))
    assert failure == Failure(name="JobFailed", message="The render failed.", charged="yes")
