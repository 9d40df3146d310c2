"""The half-fetched file on disk."""

from __future__ import annotations

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
    assert (later.size, later.origin, later.sha256) == (6, ORIGIN, part.sha256)
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
