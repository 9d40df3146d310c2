"""What a file is by its own bytes, whatever its name or its sender says."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["video", "image"]

HEAD = 12
"""As many first bytes as `looks_like` needs."""


def looks_like(head: bytes, kind: Kind) -> bool:
    r"""Say whether *head* begins an MP4 (video), or a JPEG, PNG or WebP (image).

    >>> looks_like(b"\0\0\0\x18ftypmp42", "video"), looks_like(b"<!doctype html>", "video")
    (True, False)
    """
    match kind:
        case "video":
            return head[4:8] == b"ftyp"
        case "image":
            webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
            return webp or head.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"))


def is_cut(video: Path) -> bool:
    """Say whether the MP4 ends inside one of its boxes: the one witness when a host told a wrong length.

    Reads box headers only. What follows the last readable box is nobody's business.
    """
    end = video.stat().st_size
    at = 0
    with video.open("rb") as file:
        while at + 8 <= end:
            file.seek(at)
            head = file.read(16)
            size, name = int.from_bytes(head[:4], "big"), head[4:8]
            if size == 1:
                size = int.from_bytes(head[8:16], "big")
            if size == 0 or not (name.isascii() and name.decode("latin-1").isprintable()):
                return False
            if size < 8:
                return False
            at += size
    return at > end
