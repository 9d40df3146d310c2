"""The fetching of one file: asked for, resumed and asked for again until its part is whole."""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeAlias

import stamina
from attrs import define, field

from pika_async._download.media import Answer, BrokenOffError, LinkRefusedError, MediaSession, place_of
from pika_async._download.part import Origin, Part, download_error, in_thread, landed, on_disk
from pika_async._download.signature import HEAD, Kind, is_cut, looks_like
from pika_async.errors import PikaError

_BLOCK = 512 * 1024
_LONGEST_HELD = 0.5
_ATTEMPTS = 6
_ROUNDS = 64
_FRESH_LINKS = 2
_LONGEST_WAIT = 60.0

FreshLink: TypeAlias = Callable[[], Awaitable[str | None]]


class OnProgress(Protocol):
    """Is told, on the event loop, how many bytes are on disk, and of how many if that is known."""

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
    link: str = field(repr=False)
    part: Part
    fresh_link: FreshLink | None
    expected: Kind | None
    on_progress: OnProgress | None
    asked: int = 0
    began: bool = False

    async def until_whole(self) -> None:
        """Try as long as bytes keep coming; patience is spent only on attempts that bring none."""
        try:
            for _ in range(_ROUNDS - 1):
                if await self._round():
                    return
            await self._attempt()
        except BrokenOffError as last:
            kept = (
                f"{self.part.counted} are kept in {self.part.path.name}" if self.part.size else "nothing came"
            )
            raise download_error(
                f"{self._shown} could not be fetched whole ({last}): {kept}; download again to go on.",
                retryable=True,
            ) from last
        except LinkRefusedError as refused:
            raise download_error(f"{self._shown} was not read: {refused}.", retryable=False) from None

    async def _round(self) -> bool:
        async for attempt in stamina.retry_context(
            _backoff, attempts=_ATTEMPTS, timeout=None, wait_initial=0.5, wait_max=30.0
        ):
            with attempt:
                before = self.part.size
                try:
                    await self._attempt()
                except BrokenOffError:
                    if self.part.size > before:
                        return False
                    raise
        return True

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
                f"{self.part.counted} are kept.",
                retryable=False,
                status=gone.status,
            ) from None
        if fresh == self.link:
            # The provider stands by its link: the file may not have reached that host yet.
            raise BrokenOffError(f"it {gone}") from None
        self.link = fresh

    async def _once(self) -> None:
        part, place = self.part, place_of(self.link)
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if part.size and (validator := part.origin.validator(place)):
            headers |= {"Range": f"bytes={part.size}-", "If-Range": validator}
        async with self.session.get(self.link, headers) as answer:
            match answer.status:
                case 200:
                    await self._begin(answer, place)
                case 206 if "Range" in headers and _continues(answer, part):
                    await self._save(answer)
                case 416 if "Range" in headers and _is_all(answer, part):
                    pass
                case 206 | 416:
                    await on_disk(part, part.restart, Origin())
                    raise BrokenOffError(
                        "the host answered with another part of the file, or of another file"
                    )
                case 401 | 403 | 404 | 410 as status:
                    raise _GoneError(f"is refused or gone ({status})", status=status)
                case 408 | 425 | 429 as status:
                    raise BrokenOffError(f"the host answered {status}", retry_after=answer.retry_after)
                case status if status >= 500:
                    raise BrokenOffError(f"the host answered {status}", retry_after=answer.retry_after)
                case status:
                    raise _GoneError(f"was answered with {status}", status=status)
        await self._check_end()

    async def _begin(self, answer: Answer, place: str) -> None:
        head = b""
        while len(head) < HEAD and (chunk := await answer.read()):
            head += chunk
        if answer.encoding != "identity":
            raise _GoneError(f"came compressed ({answer.encoding}) though that was declined")
        if self.expected is not None and not looks_like(head, self.expected):
            raise _GoneError(f"holds no {self.expected} but {answer.content_type or 'something else'}")
        self.began = True
        origin = Origin(place=place, etag=answer.etag, modified=answer.modified, length=answer.total)
        await on_disk(self.part, self.part.restart, origin)
        await self._save(answer, head)

    async def _save(self, answer: Answer, head: bytes = b"") -> None:
        clock = asyncio.get_running_loop().time
        waiting, held, due, broken = [head], len(head), clock() + _LONGEST_HELD, None
        writing: Future[None] | None = None
        self._tell()
        try:
            while chunk := await answer.read():
                waiting.append(chunk)
                held += len(chunk)
                if held >= _BLOCK or clock() >= due:
                    # One block is written while the next one comes.
                    await self._written(writing)
                    writing = in_thread(self.part.write, waiting)
                    waiting, held, due = [], 0, clock() + _LONGEST_HELD
        except BrokenOffError as broken_off:
            broken = broken_off
        await self._written(writing)
        await self._written(in_thread(self.part.write, waiting))
        if broken is not None:
            raise broken

    async def _written(self, writing: Future[None] | None) -> None:
        if writing is not None:
            await landed(self.part, writing)
            self._tell()

    def _tell(self) -> None:
        if self.on_progress is not None:
            self.on_progress(self.part.size, self.part.origin.length)

    async def _check_end(self) -> None:
        part, length = self.part, self.part.origin.length
        cut = self.expected == "video" and await on_disk(part, is_cut, part.path)
        if part.size < length if length is not None else cut:
            raise BrokenOffError("the host ended early")
        if length is not None and part.size > length:
            why = "the host sent more than it had announced"
        elif cut:
            why = "the host's file ends in the middle of the video"
        else:
            return
        await on_disk(part, part.restart, Origin())
        raise BrokenOffError(why)

    @property
    def _shown(self) -> str:
        place = place_of(self.link)
        return place if len(place) <= 120 else f"{place[:117]}..."


def _continues(answer: Answer, part: Part) -> bool:
    told = {answer.total, part.origin.length} - {None}
    plain = answer.encoding == "identity"
    return plain and answer.start == part.size and len(told) <= 1 and _is_same(answer, part.origin)


def _is_all(answer: Answer, part: Part) -> bool:
    same_length = part.origin.length in {None, part.size}
    return answer.total == part.size and same_length and _is_same(answer, part.origin)


def _is_same(answer: Answer, origin: Origin) -> bool:
    if answer.etag and origin.etag:
        return answer.etag == origin.etag
    return answer.modified is None or answer.modified == origin.modified


def _backoff(broken: Exception) -> bool | float:
    if not isinstance(broken, BrokenOffError):
        return False
    return True if broken.retry_after is None else min(broken.retry_after, _LONGEST_WAIT)
