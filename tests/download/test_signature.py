"""What a file is by its own bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async._download.signature import HEAD, is_cut, looks_like
from tests.download.media_host import video


@pytest.mark.parametrize("head", [b"", b"ftyp", b"<!doctype html>", b'{"error": "expired"}', b"\0" * HEAD])
def test_what_is_no_video_does_not_look_like_one(head):
    """Pages, error bodies and emptiness are no videos and no images."""
    assert not looks_like(head, "video")
    assert not looks_like(head, "image")


@given(size=st.integers(100, 5_000), share=st.floats(0.0, 1.0, exclude_max=True))
def test_every_cut_inside_the_last_box_is_seen(tmp_path_factory, size, share):
    """A video is whole, and is not whole once any of its last box is missing."""
    whole = video(size)
    last_box = 24
    file = tmp_path_factory.getbasetemp() / "cat.mp4"
    file.write_bytes(whole)
    assert not is_cut(file)
    file.write_bytes(whole[: last_box + 8 + int((size - last_box - 8) * share)])
    assert is_cut(file)


@pytest.mark.parametrize(
    "tail", [b"\0" * 64, b"\0\0\0\0mdatrest", b"\0\0\0\x01mdat" + b"\xff" * 4, b"\xff" * 16, b"x"]
)
def test_what_follows_the_boxes_is_let_be(tmp_path, tail):
    """Padding and rubbish after the last box do not make a paid video unusable."""
    file = tmp_path / "cat.mp4"
    file.write_bytes(video() + tail)
    assert is_cut(file) is (tail[4:8] == b"mdat" and tail[3] == 1)


def test_a_large_box_has_a_long_size(tmp_path):
    """Boxes over 4 GiB tell their size in eight bytes."""
    box = b"\0\0\0\x01mdat" + (24).to_bytes(8, "big") + b"12345678"
    file = tmp_path / "cat.mp4"
    file.write_bytes(video() + box)
    assert not is_cut(file)
    file.write_bytes(video() + box[:-1])
    assert is_cut(file)
