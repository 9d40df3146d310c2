"""What media are by their first bytes, and what is clearly none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pika_async._media_type import HEAD, UNKNOWN, fault, media_type


def box(brand, *compatible):
    """Begin an ISO base media file."""
    brands = b"".join(compatible)
    return (16 + len(brands)).to_bytes(4, "big") + b"ftyp" + brand + bytes(4) + brands


PNG = b"\x89PNG\r\n\x1a\n..."
IMAGES = {
    "image/png": [PNG],
    "image/jpeg": [b"\xff\xd8\xff\xe0"],
    "image/gif": [b"GIF89a"],
    "image/webp": [b"RIFF....WEBPVP8 "],
    "image/bmp": [b"BM\x46\0\0\0\0\0\0\0\x36\0"],
    "image/heic": [
        box(b"heic"),
        box(b"heix", b"mif1", b"heix"),
        box(b"mif1", b"mif1", b"heic"),
        box(b"MiHE", b"mif1", b"heic"),
    ],
    "image/heic-sequence": [box(b"hevc"), box(b"msf1", b"hevc")],
    "image/avif": [box(b"avif"), box(b"avis"), box(b"mif1", b"avif", b"miaf")],
    "image/heif": [box(b"mif1"), box(b"mif1", b"miaf")],
}
VIDEOS = {
    "video/mp4": [
        box(b"isom", b"isom", b"avc1"),
        box(b"mp42"),
        box(b"M4V "),
        box(b"dash"),
        b"\0\0\0\x20ftypisom",
    ],
    "video/quicktime": [box(b"qt  "), b"\0\0\0\x08wide", b"\0\0\1\0moov"],
    "video/3gpp": [box(b"3gp5"), box(b"3g2a")],
    "video/webm": [b"\x1aE\xdf\xa3\x9fB\x86\x81\x01B\x82\x84webm", b"\x1aE\xdf\xa3"],
    "video/x-matroska": [b"\x1aE\xdf\xa3\xa3B\x86\x81\x01B\x82\x88matroska"],
    "video/x-msvideo": [b"RIFF....AVI LIST"],
    "video/mp2t": [(b"G" + bytes(187)) * 2],
}
NEITHER = {
    "text/html": [
        b"<!DOCTYPE html><title>Sign in</title>",
        b"\n\n  <html lang=en>",
        b"\xef\xbb\xbf<!-- saved -->",
        b"<script>location='/'</script>",
        "\ufeff<html>".encode("utf-16-le"),
    ],
    "image/svg+xml": [
        b"<svg xmlns='x'/>",
        b'<?xml version="1.0"?>\n<svg width="1">',
        b"<!-- by hand -->\n<svg>",
    ],
    "application/xml": [b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>'],
    "application/json": [b'{"message": "Not Found"}', b'[{"id": 1}]', b'\n{\n "error": 1}', b"{}"],
    "text/plain": [
        b"The file is not here, sorry.",
        b"404: Not Found",
        "文件不存在。请联系管理员。".encode(),
        "\ufeffnot a picture".encode("utf-16"),
    ],
    "text/x-git-lfs-pointer": [b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a"],
    "text/x-git-annex-pointer": [b"/annex/objects/SHA256E-s31390--f50d.png\n"],
    "image/tiff": [b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08", b"II+\0"],
    "image/vnd.adobe.photoshop": [b"8BPS\0\1"],
    "image/x-canon-cr3": [box(b"crx ")],
    "application/pdf": [b"%PDF-1.7"],
    "application/zip": [b"PK\x03\x04\x14\0"],
    "application/gzip": [b"\x1f\x8b\x08\0"],
    "application/x-tar": [b"cat.png" + bytes(250) + b"ustar\x0000"],
    "audio/mpeg": [b"ID3\x04\0", b"\xff\xfb\x90\x64"],
    "text/x-script": [b"#!/bin/sh\n"],
    "audio/wav": [b"RIFF....WAVEfmt "],
    "audio/mp4": [box(b"M4A ", b"isom")],
    "application/x-executable": [b"\x7fELF\x02"],
    "application/applefile": [b"\0\x05\x16\x07\0\2"],
}


def each(table):
    return [
        pytest.param(head, kind, id=f"{kind}-{n}")
        for kind, heads in table.items()
        for n, head in enumerate(heads)
    ]


@pytest.mark.parametrize(("head", "kind"), each({**IMAGES, **VIDEOS, **NEITHER}))
def test_the_type_of_media_is_in_their_first_bytes(head, kind):
    """A file's name may say anything."""
    assert media_type(head) == kind


@pytest.mark.parametrize("head", [b"what is this", b"", b"\0", b"\x80" * 600, b"RIFF....????", b"\0\0\0\x18"])
def test_what_is_not_known_is_left_to_the_provider(head):
    """A codec of tomorrow is no mistake."""
    assert media_type(head) == UNKNOWN
    assert fault("image", head) is fault("video", head) is None


@pytest.mark.parametrize(("head", "kind"), each(IMAGES))
def test_an_image_is_one_and_no_video(head, kind):
    """Each field takes its own kind."""
    assert (fault("image", head), fault("video", head)) == (None, kind)


@pytest.mark.parametrize(("head", "kind"), each(VIDEOS))
def test_a_video_is_one_and_no_image(head, kind):
    """The other way round."""
    assert (fault("video", head), fault("image", head)) == (None, kind)


@pytest.mark.parametrize(("head", "kind"), each(NEITHER))
def test_what_no_provider_takes_is_neither(head, kind):
    """A page in a picture's place is paid for like a picture."""
    assert fault("image", head) == fault("video", head) == kind


@given(st.binary(max_size=40))
def test_any_bytes_are_read(tail):
    """Torn boxes and cut characters among them; what comes after the head is not looked at."""
    for start in (b"", box(b"mif1"), b"\xff\xfe", b"<", b"\xe6\x96"):
        head = (start + tail).ljust(HEAD, b"\0")
        assert media_type(head + b"<html>") == media_type(head)
