"""The half-fetched file on disk."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

import pytest

from pika_async._download import part as part_module
from pika_async._download.part import Origin, Part

ORIGIN = Origin(place="cdn.example/cat.mp4", etag='"one"', length=8)


@pytest.fixture
def part(tmp_path):
    part = Part(tmp_path / "cat.mp4")
    part.open()
    yield part
    part.close()


def test_what_was_written_is_taken_up(tmp_path, part):
    """A second part of the same name begins where the first one stopped, with the same hash."""
    part.restart(ORIGIN)
    part.write([b"1234", b"56"])
    part.close()
    later = Part(tmp_path / "cat.mp4")
    later.open()
    later.close()
    assert (later.tally.size, later.origin, later.tally.sha256) == (6, ORIGIN, part.tally.sha256)
    assert later.counted == "6 of 8 bytes"


def test_a_closed_part_does_nothing_more(tmp_path, part):
    """Whatever a worker thread still had to do after a cancellation touches no file."""
    part.restart(ORIGIN)
    part.write([b"1234"])
    part.close()
    part.write([b"5678"])
    part.restart(ORIGIN)
    part.finish(overwrite=True)
    part.open()
    assert (tmp_path / "cat.mp4.part").read_bytes() == b"1234"
    assert not (tmp_path / "cat.mp4").exists()


def test_bytes_that_got_their_name_meanwhile_are_not_ours(tmp_path, monkeypatch):
    """A part finished by another process between our opening and locking it is never written to."""
    (tmp_path / "cat.mp4.part").write_bytes(b"finished")
    lock = part_module._lock

    def late(file):
        monkeypatch.setattr(part_module, "_lock", lock)
        (tmp_path / "cat.mp4.part").rename(tmp_path / "cat.mp4")
        lock(file)

    monkeypatch.setattr(part_module, "_lock", late)
    part = Part(tmp_path / "cat.mp4")
    part.open()
    part.restart(ORIGIN)
    part.write([b"mine"])
    part.close()
    assert (tmp_path / "cat.mp4").read_bytes() == b"finished"
    assert (tmp_path / "cat.mp4.part").read_bytes() == b"mine"


@pytest.mark.parametrize(
    ("origin", "place", "validator"),
    [
        (ORIGIN, "elsewhere.example/cat.mp4", '"one"'),
        (Origin(place="cdn.example/a", modified="yesterday"), "cdn.example/a", "yesterday"),
        (Origin(place="cdn.example/a", modified="yesterday"), "cdn.example/b", None),
        (Origin(place="cdn.example/a"), "cdn.example/a", None),
    ],
)
def test_a_date_proves_something_about_one_place_only(origin, place, validator):
    """An ETag names the bytes wherever they are; a date may be that of another file elsewhere."""
    assert origin.validator(place) == validator


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_in_place_of_the_part_is_not_followed(tmp_path, there):
    """A link that lies under our name leads us nowhere, neither to a file nor to a new one."""
    elsewhere = tmp_path / "elsewhere"
    if there:
        elsewhere.write_bytes(b"precious")
    (tmp_path / "cat.mp4.part").symlink_to(elsewhere)
    part = Part(tmp_path / "cat.mp4")
    with pytest.raises(OSError, match="it is a symbolic link"):
        part.open()
    part.close()
    assert elsewhere.read_bytes() == b"precious" if there else not elsewhere.exists()


@pytest.mark.parametrize("there", [True, False])
def test_a_symbolic_link_in_place_of_the_notes_is_replaced(tmp_path, there):
    """Notes are neither read nor written through a link."""
    elsewhere = tmp_path / "elsewhere"
    if there:
        elsewhere.write_bytes(b"precious")
    (tmp_path / "cat.mp4.part.json").symlink_to(elsewhere)
    part = Part(tmp_path / "cat.mp4")
    part.open()
    part.restart(ORIGIN)
    part.close()
    assert elsewhere.read_bytes() == b"precious" if there else not elsewhere.exists()


@pytest.mark.parametrize("name", ["cat.mp4.part", "cat.mp4.part.json"])
def test_a_pipe_under_our_name_is_not_waited_for(tmp_path, name):
    """What is no plain file neither blocks nor is written to."""
    os.mkfifo(tmp_path / name)
    part = Part(tmp_path / "cat.mp4")
    with suppress(OSError):
        part.open()
        part.restart(ORIGIN)
    part.close()


def test_closing_never_raises(tmp_path, part, monkeypatch):
    """Whatever the disk says to the tidying up, the error that came before it is the one to be told."""

    def refuse(*_, **__):
        raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG))

    monkeypatch.setattr(Path, "unlink", refuse)
    part.close()
    part.close()


@pytest.mark.parametrize("notes", [b"[" * 60_000, b"1" * 5_000, b'{"length": 1' + b"0" * 5_000 + b"}"])
def test_notes_that_are_too_much_prove_nothing(tmp_path, notes):
    """Nesting and numbers without end in a note cost the part and nothing else."""
    (tmp_path / "cat.mp4.part").write_bytes(b"rubbish")
    (tmp_path / "cat.mp4.part.json").write_bytes(notes)
    part = Part(tmp_path / "cat.mp4")
    part.open()
    part.close()
    assert part.tally.size == 0


def test_a_file_system_that_counts_no_names_will_do(tmp_path, monkeypatch):
    """Where a file has no number of names, as on some network folders, it is ours all the same."""
    known = os.fstat

    def uncounted(descriptor):
        whole = list(known(descriptor))
        whole[3] = 0
        return os.stat_result(whole)

    monkeypatch.setattr(os, "fstat", uncounted)
    part = Part(tmp_path / "cat.mp4")
    part.open()
    part.restart(ORIGIN)
    part.write([b"12345678"])
    part.finish(overwrite=False)
    assert (tmp_path / "cat.mp4").read_bytes() == b"12345678"
