"""What a file is by its own bytes, whatever its name or its sender says."""

from __future__ import annotations

import hashlib
from typing import Literal, TypeAlias

from attrs import define, field

Kind: TypeAlias = Literal["video", "image"]

HEAD = 12
"""As many first bytes as `looks_like` needs."""

_MOST_BOXES = 100_000  # no video has so many; a host that sends them costs us no more time


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


@define
class Tally:
    """What is known of the bytes that went by: their number, their hash, and where their boxes end."""

    size: int = 0
    _digest: hashlib._Hash = field(factory=hashlib.sha256, init=False)
    _head: bytes = field(default=b"", init=False)
    _rest_of_box: int = field(default=0, init=False)
    _past_boxes: bool = field(default=False, init=False)
    _boxes: int = field(default=0, init=False)

    def add(self, data: bytes | memoryview) -> None:
        """Take the next bytes into account."""
        self.size += len(data)
        self._digest.update(data)
        at = 0
        while at < len(data) and not self._past_boxes:
            if self._rest_of_box:
                step = min(self._rest_of_box, len(data) - at)
                self._rest_of_box -= step
            else:
                step = min(self._header - len(self._head), len(data) - at)
                self._head += bytes(data[at : at + step])
                self._enter_box()
            at += step

    @property
    def sha256(self) -> str:
        """The hash in hex."""
        return self._digest.hexdigest()

    @property
    def is_cut(self) -> bool:
        """Whether an MP4 would end inside one of its boxes: the one witness when a host told a wrong length.

        What follows the last readable box is nobody's business.
        """
        return not self._past_boxes and (self._rest_of_box > 0 or len(self._head) >= 8)

    @property
    def _header(self) -> int:
        return 16 if self._head[:4] == b"\0\0\0\1" else 8

    def _enter_box(self) -> None:
        if len(self._head) < 8:
            return
        size, name, header = int.from_bytes(self._head[:4], "big"), self._head[4:8], self._header
        if not (name.isascii() and name.decode("latin-1").isprintable()):
            self._past_boxes = True
        elif len(self._head) == header:
            size = size if header == 8 else int.from_bytes(self._head[8:], "big")
            self._boxes += 1
            self._past_boxes = size < header or self._boxes > _MOST_BOXES
            self._rest_of_box, self._head = size - header, b""
