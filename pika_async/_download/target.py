"""Where the bytes of a download go, and the one such place that is a file."""

from __future__ import annotations

import asyncio
import errno
from asyncio import Future
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

from attrs import define, field

from pika_async._download.part import BusyError, Origin, Part
from pika_async._download.paths import UnusablePathError
from pika_async._download.signature import Tally
from pika_async.errors import DownloadError

_BLOCK = 512 * 1024
_LONGEST_HELD = 0.5
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

T = TypeVar("T")


class Target(Protocol):
    """Takes the bytes of one file in their order; *tally* counts those it has, *origin* says of which file.

    *kept* and *again* tell people what is left after a failure, and how to go on.
    """

    @property
    def tally(self) -> Tally: ...
    @property
    def origin(self) -> Origin: ...
    @property
    def kept(self) -> str: ...
    @property
    def again(self) -> str: ...

    async def restart(self, origin: Origin) -> None:
        """Throw the bytes away and begin the file of *origin*; raises `DownloadError` where they are gone."""

    async def write(self, chunk: bytes) -> None:
        """Take *chunk*, now or soon."""

    async def flush(self) -> None:
        """Return once everything taken is counted in the tally."""


@define
class OnDisk:
    """A target that is a part on disk: one block is written while the next one comes."""

    part: Part
    _waiting: list[bytes] = field(factory=list, init=False)
    _held: int = field(default=0, init=False)
    _due: float = field(default=0.0, init=False)
    _writing: Future[None] | None = field(default=None, init=False)

    @property
    def tally(self) -> Tally:
        return self.part.tally

    @property
    def origin(self) -> Origin:
        return self.part.origin

    @property
    def kept(self) -> str:
        return f"{self.part.counted} are kept in {self.part.path.name}" if self.tally.size else "nothing came"

    @property
    def again(self) -> str:
        return "download again to go on" if self.tally.size else "download again"

    async def restart(self, origin: Origin) -> None:
        await on_disk(self.part, self.part.restart, origin)

    async def write(self, chunk: bytes) -> None:
        now = asyncio.get_running_loop().time()
        self._due = self._due if self._waiting else now + _LONGEST_HELD
        self._waiting.append(chunk)
        self._held += len(chunk)
        if self._held >= _BLOCK or now >= self._due:
            await self._begin_to_write()

    async def flush(self) -> None:
        await self._begin_to_write()
        await self._written()

    async def _begin_to_write(self) -> None:
        await self._written()
        waiting, self._waiting, self._held = self._waiting, [], 0
        if waiting:
            self._writing = in_thread(self.part.write, waiting)

    async def _written(self) -> None:
        writing, self._writing = self._writing, None
        if writing is not None:
            await landed(self.part, writing)


def in_thread(call: Callable[..., T], *args: object) -> Future[T]:
    """Start *call* in a worker thread; the result may be awaited later."""
    return asyncio.get_running_loop().run_in_executor(None, call, *args)


async def on_disk(part: Part, call: Callable[..., T], *args: object) -> T:
    """Run *call*, which touches *part*, in a worker thread."""
    return await landed(part, in_thread(call, *args))


async def landed(part: Part, work: Awaitable[T]) -> T:
    """Await *work* on *part* and tell its failure in words."""
    try:
        return await work
    except UnusablePathError as refused:
        raise download_error(str(refused), retryable=False) from None
    except BusyError:
        raise download_error(
            f"{part.final} is being downloaded already: wait for that, or choose another name.",
            retryable=True,
        ) from None
    except FileExistsError:
        raise download_error(
            f"{part.final} already exists: pass overwrite=True to replace it, or choose another name.",
            retryable=False,
        ) from None
    except OSError as failed:
        if failed.errno in _FULL:
            raise download_error(
                f"The disk is full: {part.counted} are kept in {part.path.name}; "
                "make room and download again to go on.",
                retryable=True,
            ) from failed
        raise download_error(
            f"{part.path} cannot be written ({failed.strerror or failed}): "
            "see to that file and its folder, then download again.",
            retryable=False,
        ) from failed


def download_error(message: str, *, retryable: bool, status: int | None = None) -> DownloadError:
    """Say what went wrong with a video that is paid for."""
    return DownloadError(message, phase="download", charged="yes", retryable=retryable, status=status)
