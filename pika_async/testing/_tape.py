"""Downloads and uploads of a cassette: recorded as they pass, and later answered without a connection."""

from __future__ import annotations

import hashlib
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import evolve

from pika_async._download.answer import Answer
from pika_async._download.failures import LinkRefusedError
from pika_async._download.links import place_of
from pika_async._http import HttpRequest, HttpResponse
from pika_async._sender import SendError

_WHOLE: Final = frozenset({200, 203, 206})


class _Exchanges(Protocol):
    """The cassette, which knows how a request and its answer are written."""

    def recorded(self, request: HttpRequest, answer: HttpResponse) -> HttpResponse: ...
    def answer(self, request: HttpRequest, *, keep_last: bool) -> HttpResponse: ...


class MediaTape:
    """What media hosts answered. *taken* is written into the cassette; bytes are in *folder*, by their hash.

    A link is known by host and path alone, since its query may be a signature. A file that was read in
    several parts is kept whole; one that was not read to its end is not kept.
    """

    def __init__(self, folder: Path, cassette: _Exchanges, *, record: bool) -> None:
        self.taken: list[Mapping[str, Any]] = []
        self._folder = folder
        self._cassette = cassette
        self._record = record
        self._parts: dict[str, bytearray] = {}
        self._left: dict[str, deque[Mapping[str, Any]]] = defaultdict(deque)

    def add(self, taken: Mapping[str, Any]) -> None:
        """Add a download that was recorded."""
        self._left[str(taken["media"])].append(taken)

    def got(
        self, link: str, answer: AbstractAsyncContextManager[Answer]
    ) -> AbstractAsyncContextManager[Answer]:
        """Record *answer* while it is read, or answer from the tape."""
        return self._recording(link, answer) if self._record else self._replayed(link)

    async def sent(self, request: HttpRequest, answer: Callable[[], Awaitable[HttpResponse]]) -> HttpResponse:
        """Record the step of an upload, or answer it from the cassette."""
        if self._record:
            return self._cassette.recorded(request, await answer())
        try:
            return self._cassette.answer(request, keep_last=True)
        except SendError as missing:
            raise LinkRefusedError(str(missing).rstrip(".")) from None

    @asynccontextmanager
    async def _recording(
        self, link: str, asked: AbstractAsyncContextManager[Answer]
    ) -> AsyncIterator[Answer]:
        async with asked as answer:
            place = place_of(link)
            if answer.status not in _WHOLE:
                self.taken.append(_noted(place, answer))
                yield answer
                return
            part = self._parts.setdefault(place, bytearray())
            # What came before this answer's start is kept; the rest comes again.
            del part[max(answer.start, 0) :]

            async def read() -> bytes:
                chunk = await answer.read()
                part.extend(chunk)
                if not chunk and len(part) == (answer.total or len(part)):
                    self._keep(place, answer, bytes(part))
                return chunk

            yield evolve(answer, read=read)

    def _keep(self, place: str, answer: Answer, data: bytes) -> None:
        name = hashlib.sha256(data).hexdigest()
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / name).write_bytes(data)
        self.taken.append({**_noted(place, answer), "status": 200, "sha256": name})

    @asynccontextmanager
    async def _replayed(self, link: str) -> AsyncIterator[Answer]:
        place = place_of(link)
        recorded = self._left[place]
        if not recorded:
            raise LinkRefusedError("the cassette holds no such download; record it again")
        taken = recorded[0] if len(recorded) == 1 else recorded.popleft()
        chunks = deque(self._bytes(taken))

        async def read() -> bytes:
            return chunks.popleft() if chunks else b""

        yield Answer(
            status=taken["status"],
            start=0,
            total=sum(map(len, chunks)),
            etag=None,
            modified=None,
            content_type=taken["content_type"],
            encoding=taken["encoding"],
            retry_after=None,
            by="the cassette",
            read=read,
        )

    def _bytes(self, taken: Mapping[str, Any]) -> list[bytes]:
        if (name := taken.get("sha256")) is None:
            return []
        try:
            data = (self._folder / Path(name).name).read_bytes()
        except OSError:
            data = b""
        if hashlib.sha256(data).hexdigest() != name:
            raise LinkRefusedError(f"{self._folder.name}/{name} is missing or was changed; record it again")
        return [data]


def _noted(place: str, answer: Answer) -> dict[str, Any]:
    return {
        "media": place,
        "status": answer.status,
        "content_type": answer.content_type,
        "encoding": answer.encoding,
    }
