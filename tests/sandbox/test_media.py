"""Media answers as pure values: ranges and conditions by RFC 9110."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async.sandbox._media import Media, shipped_media

TEN = Media(b"0123456789", "video/mp4")


@pytest.mark.parametrize(
    ("asked", "status", "body", "content_range"),
    [
        (None, 200, b"0123456789", None),
        ("bytes=0-3", 206, b"0123", "bytes 0-3/10"),
        ("bytes=4-", 206, b"456789", "bytes 4-9/10"),
        ("bytes=-3", 206, b"789", "bytes 7-9/10"),
        ("bytes=-30", 206, b"0123456789", "bytes 0-9/10"),
        ("bytes=8-99", 206, b"89", "bytes 8-9/10"),
        ("bytes=10-", 416, b"", "bytes */10"),
        ("bytes=-0", 416, b"", "bytes */10"),
        ("bytes=5-4", 200, b"0123456789", None),
        ("bytes=-", 200, b"0123456789", None),
        ("bytes=0-1,4-5", 200, b"0123456789", None),
        ("items=0-1", 200, b"0123456789", None),
        (f"bytes={'9' * 5000}-", 200, b"0123456789", None),
        ("nonsense", 200, b"0123456789", None),
    ],
)
def test_ranges(asked, status, body, content_range):
    """One range is honoured, an impossible one refused, any other gets the whole."""
    answer = TEN.answer({} if asked is None else {"range": asked})
    assert (answer.status, answer.body, answer.headers.get("content-range")) == (status, body, content_range)
    assert (answer.headers["etag"], answer.headers["accept-ranges"]) == (TEN.etag, "bytes")


@pytest.mark.parametrize(
    ("condition", "status"),
    [(TEN.etag, 206), ('"other"', 200), (f"W/{TEN.etag}", 200), ("Wed, 21 Oct 2015 07:28:00 GMT", 200)],
)
def test_if_range(condition, status):
    """A range is honoured only while the file is the one the client began with."""
    assert TEN.answer({"range": "bytes=5-", "if-range": condition}).status == status


@given(data=st.binary(min_size=1, max_size=200), cut=st.integers(0, 199))
def test_a_download_cut_anywhere_can_be_resumed(data, cut):
    """What came before the cut and what the range brings make the file."""
    media = Media(data, "video/mp4")
    got = data[:cut]
    rest = media.answer({"range": f"bytes={len(got)}-", "if-range": media.etag})
    assert got + rest.body == data
    assert (rest.status == 416) == (len(got) == len(data))


def test_the_tag_follows_the_bytes():
    """Other bytes have another tag."""
    assert Media(b"a", "x/y").etag != Media(b"b", "x/y").etag


def test_the_shipped_media_are_a_video_and_a_picture():
    """The sample is an MP4 with its index in front, the poster a JPEG, both small."""
    media = shipped_media()
    video, poster = media["video.mp4"].data, media["poster.jpg"].data
    assert video[4:8] == b"ftyp"
    assert 0 < video.index(b"moov") < video.index(b"mdat")
    assert (poster[:3], poster[-2:]) == (b"\xff\xd8\xff", b"\xff\xd9")
    assert len(video) + len(poster) < 8000


def test_another_video_can_be_served():
    """A test may bring its own bytes."""
    assert shipped_media(b"mine")["video.mp4"].data == b"mine"
