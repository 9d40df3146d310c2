"""The manifest: what is written is read back, whatever a killed run left behind."""

from pathlib import Path

import pytest

from pika_async.batch import Manifest
from tests.gallery.entries import HOSTILE, done, entry


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
