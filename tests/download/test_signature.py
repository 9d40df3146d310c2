"""What a file is by its own bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async._download.signature import HEAD, Tally, looks_like
from tests.download.media_host import video


@pytest.mark.parametrize("head", [b"", b"ftyp", b"<!doctype html>", b'{"error": "expired"}', b"\0" * HEAD])
def test_what_is_no_video_does_not_look_like_one(head):
    """Pages, error bodies and emptiness are no videos and no images."""
    assert not looks_like(head, "video")
    assert not looks_like(head, "image")


def is_cut(*pieces):
    tally = Tally()
    for piece in pieces:
        tally.add(piece)
    return tally.is_cut


@given(size=st.integers(100, 5_000), share=st.floats(0.0, 1.0, exclude_max=True))
def test_every_cut_inside_the_last_box_is_seen(size, share):
    """A video is whole, and is not whole once any of its last box is missing."""
    whole = video(size)
    last_box = 24
    assert not is_cut(whole)
    assert is_cut(whole[: last_box + 8 + int((size - last_box - 8) * share)])


@pytest.mark.parametrize(
    "tail", [b"\0" * 64, b"\0\0\0\0mdatrest", b"\0\0\0\x01mdat" + b"\xff" * 4, b"\xff" * 16, b"x"]
)
def test_what_follows_the_boxes_is_let_be(tail):
    """Padding and rubbish after the last box do not make a paid video unusable."""
    assert is_cut(video() + tail) is (tail[4:8] == b"mdat" and tail[3] == 1)


def test_a_large_box_has_a_long_size():
    """Boxes over 4 GiB tell their size in eight bytes."""
    box = b"\0\0\0\x01mdat" + (24).to_bytes(8, "big") + b"12345678"
    assert not is_cut(video() + box)
    assert is_cut(video() + box[:-1])


@given(data=st.binary(max_size=60).map(lambda tail: video(60) + tail), pieces=st.integers(1, 9))
def test_how_the_bytes_come_changes_nothing(data, pieces):
    """Size, hash and boxes are the same in one piece and in many."""
    whole, split = Tally(), Tally()
    whole.add(data)
    for at in range(0, len(data), pieces):
        split.add(memoryview(data)[at : at + pieces])
    assert (split.size, split.sha256, split.is_cut) == (whole.size, whole.sha256, whole.is_cut)


def test_boxes_without_end_are_not_followed():
    """A file of nothing but empty boxes is looked at no further than any video goes."""
    tally = Tally()
    tally.add(video(100) + b"\0\0\0\x08free" * 100_001 + b"\0\0\1\0mdat")
    assert not tally.is_cut
