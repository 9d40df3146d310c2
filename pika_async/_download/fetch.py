"""The fetching of one file: asked for, resumed and asked for again until it is whole."""

from __future__ import annotations

import logging
import random
import re
from collections.abc import Awaitable, Callable
from inspect import isawaitable
from typing import Protocol, TypeAlias

from attrs import define, field

from pika_async._download.answer import Answer
from pika_async._download.failures import BrokenOffError, LinkRefusedError, TooSlowError
from pika_async._download.links import Link, place_of
from pika_async._download.media import MediaSession
from pika_async._download.part import Origin
from pika_async._download.signature import HEAD, Kind, looks_like
from pika_async._download.target import Target, download_error
from pika_async.errors import PikaError

log = logging.getLogger("pika_async")

_COMPRESSED = re.compile(r"\b(?:x-)?(?:gzip|compress|deflate|br|zstd|bzip2|dcb|dcz)\b")
_ATTEMPTS = 6
_MOST_BREAKS = 64
_FRESH_LINKS = 2
_LONGEST_PAUSE = 30.0
_LONGEST_WAIT = 60.0

FreshLink: TypeAlias = Callable[[], Awaitable[Link | None]]


class OnProgress(Protocol):
    """Is told, on the event loop, how many bytes have come, and of how many if that is known.

    What it returns is awaited if that can be.
    """

    def __call__(self, done: int, total: int | None, /) -> object: ...


class _GoneError(Exception):
    """The link does not lead to the file (any more)."""

    def __init__(self, why: str, *, status: int | None = None) -> None:
        super().__init__(why)
        self.status = status


@define
class Fetch:
    """The state of one download between its requests; *began* once it started from the first byte."""

    session: MediaSession
    link: Link = field(repr=False)
    target: Target
    fresh_link: FreshLink | None
    expected: Kind
    on_progress: OnProgress | None = None
    asked: int = 0
    began: bool = False
    told: int = -1

    async def until_whole(self) -> None:
        """Try as long as bytes keep coming; patience is spent only on attempts that bring none."""
        try:
            await self._patiently()
        except BrokenOffError as last:
            left = f"{self.target.kept}; {self.target.again}"
            raise download_error(
                f"{self._shown} could not be fetched whole ({last}): {left}.", retryable=True
            ) from last
        except LinkRefusedError as refused:
            raise download_error(f"{self._shown} was not read: {refused}.", retryable=False) from None

    async def _patiently(self) -> None:
        fruitful = fruitless = 0
        while True:
            before = self.target.tally.size
            try:
                return await self._attempt()
            except BrokenOffError as broken:
                if self.target.tally.size > before and not isinstance(broken, TooSlowError):
                    fruitful, fruitless = fruitful + 1, 0
                else:
                    fruitless += 1
                if fruitful == _MOST_BREAKS or fruitless == _ATTEMPTS:
                    raise
                if fruitless:
                    pause = _pause_after(fruitless, broken)
                    log.info("%s: %s; asking again in %.1f s", self._shown, broken, pause)
                    await self.session.sleep(pause)

    async def _attempt(self) -> None:
        while True:
            try:
                await self._once()
            except _GoneError as gone:
                await self._renew(gone)
            else:
                return

    async def _renew(self, gone: _GoneError) -> None:
        fresh = None
        if self.fresh_link is not None and self.asked < _FRESH_LINKS:
            self.asked += 1
            try:
                fresh = await self.fresh_link()
            except PikaError as failed:
                raise download_error(
                    f"{self._shown} {gone}, and no fresh link could be had ({failed}): "
                    "look the job up later and download again.",
                    retryable=True,
                    status=gone.status,
                ) from failed
        if fresh is None:
            raise download_error(
                f"{self._shown} {gone}: look the job up for a fresh link and download that; "
                f"{self.target.kept}.",
                retryable=False,
                status=gone.status,
            ) from None
        if fresh == self.link:
            # The provider stands by its link: the file may not have reached that host yet.
            raise BrokenOffError(f"it {gone}") from None
        self.link = fresh

    async def _once(self) -> None:
        target, place = self.target, place_of(self.link)
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if target.tally.size and (validator := target.origin.validator(place)):
            headers |= {"Range": f"bytes={target.tally.size}-", "If-Range": validator}
        asked_for_rest = "Range" in headers
        async with self.session.get(self.link, headers) as answer:
            match answer.status:
                case 200 | 203:
                    await self._begin(answer, place)
                case 206 if not asked_for_rest and answer.start == 0:
                    await self._begin(answer, place)
                case 206 if asked_for_rest and _continues(answer, target):
                    await self._save(answer)
                case 416 if asked_for_rest and _is_all(answer, target):
                    pass
                case 206 | 416:
                    await target.restart(Origin())
                    raise BrokenOffError(
                        "the host answered with another part of the file, or of another file"
                    )
                case 401 | 403 | 404 | 410 as status:
                    raise _GoneError(f"is refused or gone ({status})", status=status)
                case status if status in {408, 425, 429} or status >= 500:
                    raise BrokenOffError(f"{answer.by} answered {status}", retry_after=answer.retry_after)
                case status:
                    raise _GoneError(f"was answered with {status}", status=status)
        await self._check_end()

    async def _begin(self, answer: Answer, place: str) -> None:
        head = b""
        while len(head) < HEAD and (chunk := await answer.read()):
            head += chunk
        # The bytes decide: object stores put all kinds of labels over them.
        if not looks_like(head, self.expected):
            if codec := _COMPRESSED.search(answer.encoding):
                raise _GoneError(f"came compressed ({codec[0]}) though that was declined")
            raise _GoneError(f"holds no {self.expected} but {answer.content_type or 'something else'}")
        self._check_room(answer.total or 0)
        self.began = True
        await self.target.restart(
            Origin(place=place, etag=answer.etag, modified=answer.modified, length=answer.total)
        )
        await self._save(answer, head)

    async def _save(self, answer: Answer, chunk: bytes = b"") -> None:
        size, broken = self.target.tally.size, None
        await self._tell()
        try:
            chunk = chunk or await answer.read()
            while chunk:
                size += len(chunk)
                self._check_room(size)
                await self.target.write(chunk)
                await self._tell()
                chunk = await answer.read()
        except BrokenOffError as broken_off:
            broken = broken_off
        await self.target.flush()
        await self._tell()
        if broken is not None:
            raise broken

    def _check_room(self, size: int) -> None:
        most = self.session.max_bytes
        if most is not None and size > most:
            raise LinkRefusedError(
                f"it has more than {most} bytes; if that is right, pass a larger max_download_bytes to Pika"
            )

    async def _tell(self) -> None:
        size = self.target.tally.size
        if self.on_progress is not None and size != self.told:
            self.told = size
            done = self.on_progress(size, self.target.origin.length)
            if isawaitable(done):
                await done

    async def _check_end(self) -> None:
        target, size, length = self.target, self.target.tally.size, self.target.origin.length
        cut = self.expected == "video" and target.tally.is_cut
        if size < length if length is not None else cut:
            raise BrokenOffError("the host ended early")
        if length is not None and size > length:
            why = "the host sent more than it had announced"
        elif cut:
            why = "the host's file ends in the middle of the video"
        else:
            return
        await target.restart(Origin())
        raise BrokenOffError(why)

    @property
    def _shown(self) -> str:
        place = place_of(self.link)
        return place if len(place) <= 120 else f"{place[:117]}..."


def _continues(answer: Answer, target: Target) -> bool:
    told = {answer.total, target.origin.length} - {None}
    return answer.start == target.tally.size and len(told) <= 1 and _is_same(answer, target.origin)


def _is_all(answer: Answer, target: Target) -> bool:
    size = target.tally.size
    same_length = target.origin.length in {None, size}
    return answer.total == size and same_length and _is_same(answer, target.origin)


def _is_same(answer: Answer, origin: Origin) -> bool:
    if answer.etag and origin.etag:
        return answer.etag == origin.etag
    return answer.modified is None or answer.modified == origin.modified


def _pause_after(attempt: int, broken: BrokenOffError) -> float:
    if broken.retry_after is not None:
        return min(broken.retry_after, _LONGEST_WAIT)
    # Half of it is drawn, so that many who were cut off together do not come back together.
    return min(0.5 * 2.0 ** (attempt - 1), _LONGEST_PAUSE) * random.uniform(0.5, 1.5)  # noqa: S311
