"""What media are by their first bytes, whatever their name says; and what no field can take. Pure."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["image", "video"]

HEAD = 512
"""As many first bytes as are looked at, however long the medium is."""

UNKNOWN = "application/octet-stream"

_SIGNATURES = (
    (0, b"\x89PNG", "image/png"),
    (0, b"\xff\xd8\xff", "image/jpeg"),
    (0, b"GIF8", "image/gif"),
    (0, b"\0\0\0\x0cJXL ", "image/jxl"),
    (0, b"\0\0\0\x0cjP  ", "image/jp2"),
    (0, b"II*\0", "image/tiff"),
    (0, b"MM\0*", "image/tiff"),
    (0, b"II+\0", "image/tiff"),
    (0, b"MM\0+", "image/tiff"),
    (0, b"8BPS", "image/vnd.adobe.photoshop"),
    (0, b"\0\0\1\0\1\0", "image/vnd.microsoft.icon"),
    (4, b"moov", "video/quicktime"),
    (4, b"mdat", "video/quicktime"),
    (4, b"wide", "video/quicktime"),
    (0, b"FLV\x01", "video/x-flv"),
    (0, b"\0\0\1\xba", "video/mpeg"),
    (0, b"\0\0\1\xb3", "video/mpeg"),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video/x-ms-wmv"),
    (0, b"OggS", "video/ogg"),
    (0, b"ID3", "audio/mpeg"),
    (0, b"#!/", "text/x-script"),
    (0, b"<?php", "text/x-php"),
    (0, b"fLaC", "audio/flac"),
    (0, b"%PDF", "application/pdf"),
    (0, b"PK\x03\x04", "application/zip"),
    (0, b"PK\x05\x06", "application/zip"),
    (0, b"\x1f\x8b\x08", "application/gzip"),
    (0, b"BZh", "application/x-bzip2"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"),
    (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (0, b"Rar!\x1a\x07", "application/vnd.rar"),
    (257, b"ustar", "application/x-tar"),
    (0, b"\x7fELF", "application/x-executable"),
    (0, b"MZ\x90\0", "application/x-executable"),
    (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"\0\x05\x16\x07", "application/applefile"),
    (0, b"\0\x05\x16\0", "application/applefile"),
    (0, b"wOFF", "font/woff"),
    (0, b"wOF2", "font/woff2"),
    (0, b"%!PS", "application/postscript"),
    (0, b"{\\rtf", "application/rtf"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (0, b"version https://git-lfs", "text/x-git-lfs-pointer"),
    (0, b"/annex/objects/", "text/x-git-annex-pointer"),
)
_RIFF = {b"WEBP": "image/webp", b"AVI ": "video/x-msvideo", b"WAVE": "audio/wav"}

# The brands of ISO base media files that are no MP4 (mp4ra.org; ISO/IEC 23008-12 for HEIF).
_BRANDS = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis"), "image/heic"),
    **dict.fromkeys((b"hevc", b"hevx", b"hevm", b"hevs"), "image/heic-sequence"),
    **dict.fromkeys((b"avif", b"avis"), "image/avif"),
    **dict.fromkeys((b"mif1", b"mif2", b"miaf"), "image/heif"),
    b"msf1": "image/heif-sequence",
    b"crx ": "image/x-canon-cr3",
    b"jxl ": "image/jxl",
    b"jp2 ": "image/jp2",
    b"qt  ": "video/quicktime",
    **dict.fromkeys((b"M4A ", b"M4B ", b"M4P ", b"F4A ", b"F4B "), "audio/mp4"),
    **dict.fromkeys((b"aax ", b"aaxc"), "audio/vnd.audible.aax"),
}
_GENERIC = {"image/heif", "image/heif-sequence"}

_MARKUP = re.compile(rb"<(?:!--|!doctype\s|\?xml\b|[a-z][a-z0-9:]*[\s/>])", re.IGNORECASE)
_JSON = re.compile(rb"""[\[{]\s*["\[{\]}]""")
_TEXT = 14
"""So many bytes of plain text begin no image and no video."""

_TAKEN = {
    "image": frozenset(
        {
            *("image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp", "image/heif-sequence"),
            *("image/heic", "image/heic-sequence", "image/heif", "image/avif"),
        }
    ),
    "video": frozenset(
        {
            *("video/mp4", "video/quicktime", "video/webm", "video/x-matroska", "video/x-msvideo"),
            *("video/mpeg", "video/mp2t", "video/3gpp", "video/ogg", "video/x-flv", "video/x-ms-wmv"),
        }
    ),
}


def media_type(head: bytes) -> str:
    r"""Return the type of a medium from its first bytes, `application/octet-stream` for what is unknown.

    >>> media_type(b"GIF89a..."), media_type(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    ('image/gif', 'image/heic')
    """
    head = head[:HEAD]
    for start, signature, kind in _SIGNATURES:
        if head.startswith(signature, start):
            return kind
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12], UNKNOWN)
    if head.startswith(b"ftyp", 4):
        return _of_brands(head)
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video/x-matroska" if b"matroska" in head else "video/webm"
    if head.startswith(b"BM") and head[6:10] == b"\0\0\0\0":
        return "image/bmp"
    # A transport stream has its mark at the start of every packet of 188 bytes.
    if len(head) > 188 and head[0] == head[188] == 0x47:
        return "video/mp2t"
    # A frame of MPEG audio: its mark, layer 3, and a bit rate that exists.
    if re.match(rb"\xff[\xf2\xf3\xfa\xfb][\x10-\xeb].", head, re.DOTALL):
        return "audio/mpeg"
    return _of_text(head)


def _of_brands(head: bytes) -> str:
    """Read the major brand of an `ftyp` box; one that fits many types is told by the compatible ones."""
    major = head[8:12]
    if major[:2] == b"3g":
        return "video/3gpp"
    named = _BRANDS.get(major)
    if named is not None and named not in _GENERIC:
        return named
    size = int.from_bytes(head[:4], "big")
    brands = [head[at : at + 4] for at in range(16, min(size, len(head)) - 3, 4)]
    compatible = [_BRANDS[brand] for brand in brands if _BRANDS.get(brand, "").startswith("image/")]
    exact = next((kind for kind in compatible if kind not in _GENERIC), None)
    return exact or named or next(iter(compatible), "video/mp4")


def _of_text(head: bytes) -> str:
    wide = head.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = head[2:].replace(b"\0", b"") if wide else head.removeprefix(b"\xef\xbb\xbf")
    text = text.lstrip()
    if _MARKUP.match(text):
        if re.search(rb"<svg[\s>]", text, re.IGNORECASE):
            return "image/svg+xml"
        return "application/xml" if text[:5].lower() == b"<?xml" else "text/html"
    if _JSON.match(text):
        return "application/json"
    return "text/plain" if len(head) >= _TEXT and (wide or _is_text(head)) else UNKNOWN


def _is_text(head: bytes) -> bool:
    try:
        text = head.decode()
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:
            return False
        text = head[: error.start].decode()  # only its last character is cut
    return all(character.isprintable() or character in "\t\n\f\r" for character in text)


def fault(kind: Kind, head: bytes) -> str | None:
    """Say what *head* begins that is clearly no *kind*, and None for what is one or is not known.

    >>> fault("image", b"<!doctype html>")
    'text/html'
    """
    found = media_type(head)
    return None if found == UNKNOWN or found in _TAKEN[kind] else found
