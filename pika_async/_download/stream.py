"""A download without a file: its bytes are handed on to whoever reads them."""

from __future__ import annotations

from asyncio import Task
from collections.abc import AsyncIterator, Awaitable, Callable

from anyio import EndOfStream, create_memory_object_stream
from attrs import define, field

from pika_async._download.part import Origin
from pika_async._download.signature import Tally
from pika_async._download.target import download_error


class Stream:
    """A target that keeps no byte, so that it cannot begin again once it has handed on the first one.

    Nothing is taken before the reader has what came before it.
    """

    again = "open it again"

    def __init__(self) -> None:
        self.tally = Tally()
        self.origin = Origin()
        self._into, self._out_of = create_memory_object_stream[bytes](0)

    @property
    def kept(self) -> str:
        return f"the stream ended after {self.tally.size} bytes"

    async def restart(self, origin: Origin) -> None:
        if self.tally.size:
            raise download_error(
                f"The host did not send one whole file at the first attempt: {self.kept}; {self.again}, or "
                "use download(), which can start again by itself.",
                retryable=True,
            )
        self.origin = origin

    async def write(self, chunk: bytes) -> None:
        await self._into.send(chunk)
        self.tally.add(chunk)

    async def flush(self) -> None:
        """Do nothing: what was written is counted already."""

    async def filled(self, fetch: Callable[[], Awaitable[None]]) -> None:
        """Run *fetch*, which writes here; the reader comes to the end when it returns or raises."""
        with self._into:
            await fetch()

    def read_from(self, fetching: Task[None]) -> AsyncIterator[bytes]:
        """Return the bytes that *fetching* brings, and what it raised behind them."""
        return _Chunks(self._out_of.receive, fetching)

    def close(self) -> None:
        """Release what nobody has read."""
        self._into.close()
        self._out_of.close()


@define
class _Chunks:
    _next: Callable[[], Awaitable[bytes]]
    _fetching: Task[None] = field(repr=False)

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            return await self._next()
        except EndOfStream:
            await self._fetching
            raise StopAsyncIteration from None
