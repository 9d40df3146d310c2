"""Serves media with ranges, as RFC 9110 says. aiohttp's own file answer ignores a wrong If-Range."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

from attrs import Factory, field, frozen

from pika_async._http import HttpResponse

_FOLDER: Final = Path(__file__).parent / "media"
_RANGE: Final = re.compile(r"bytes=([0-9]{0,18})-([0-9]{0,18})")


@frozen
class Media:
    """A file in memory; *etag* is strong and changes with the bytes."""

    data: bytes = field(repr=False)
    content_type: str
    etag: str = field(
        init=False,
        default=Factory(lambda media: f'"{sha256(media.data).hexdigest()[:32]}"', takes_self=True),
    )

    def answer(self, headers: Mapping[str, str]) -> HttpResponse:
        """Return the whole file, the one range that *headers* (lower-case names) ask for, or 416.

        Several ranges, other units and malformed ones get the whole file, as RFC 9110 allows.
        """
        common = {"content-type": self.content_type, "etag": self.etag, "accept-ranges": "bytes"}
        size = len(self.data)
        unchanged = headers.get("if-range", self.etag) == self.etag
        wanted = _RANGE.fullmatch(headers.get("range", "").strip())
        if not unchanged or wanted is None or wanted.groups() == ("", ""):
            return HttpResponse(status=200, headers=common, body=self.data)
        first, last = wanted.groups()
        start = int(first) if first else max(size - int(last), 0)
        stop = min(int(last) + 1, size) if first and last else size
        if first and last and int(last) < int(first):
            return HttpResponse(status=200, headers=common, body=self.data)
        if start >= stop:
            return HttpResponse(status=416, headers={**common, "content-range": f"bytes */{size}"})
        span = {"content-range": f"bytes {start}-{stop - 1}/{size}"}
        return HttpResponse(status=206, headers={**common, **span}, body=self.data[start:stop])


def shipped_media(video: bytes | None = None) -> Mapping[str, Media]:
    """Read the sample video (five seconds, like the documents' examples) and its poster.

    *video* is served in place of the sample.
    """
    data = (_FOLDER / "video.mp4").read_bytes() if video is None else video
    poster = (_FOLDER / "poster.jpg").read_bytes()
    return {"video.mp4": Media(data, "video/mp4"), "poster.jpg": Media(poster, "image/jpeg")}
