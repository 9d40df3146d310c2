"""The hosts that keep the videos: files that arrive cut, late, in part, or not yet."""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

from anyio import Semaphore

from pika_async._download.answer import Answer
from pika_async._download.failures import BrokenOffError
from pika_async._download.links import Link, address_of
from pika_async._download.part import Part

_OFTEN = 0.4
"""How often a fault of a file comes: each of them costs one request alone."""
_PAGE = b"<html>Not here</html>"


class Net(Protocol):
    """What a media host asks the world: whether a fault comes now, and chance."""

    versions: Counter[str]

    def strikes(self, fault: str, rate: float | None = None) -> bool: ...
    def chance(self) -> Any: ...


@cache
def file_of(link: str, version: int = 0) -> bytes:
    """Return the video at *link*: two boxes of an MP4, and bytes that no other link or version has."""
    chance = random.Random(f"{link} {version}")
    body = chance.randbytes(chance.randrange(1_000, 20_000))
    return _box(b"ftyp", b"isom\0\0\0\0") + _box(b"mdat", body)


def _box(name: bytes, body: bytes) -> bytes:
    return (8 + len(body)).to_bytes(4, "big") + name + body


class SimulatedMedia:
    """What stands for the connections to media hosts of one process (`MediaSession`).

    `passed` is told of each moment in which a process may die.
    """

    max_bytes = None

    def __init__(self, net: Net, passed: Callable[[str], None]) -> None:
        self.slots = Semaphore(8)
        self.sleep = asyncio.sleep
        self._net = net
        self._passed = passed

    async def aclose(self) -> None:
        """Let go."""

    @asynccontextmanager
    async def get(self, link: Link, headers: Mapping[str, str]) -> AsyncIterator[Answer]:
        """Answer as a host of files does, which knows ranges and tells an ETag, or neither."""
        net, chance = self._net, self._net.chance()
        await asyncio.sleep(chance.choice((0.01, 0.3)))
        if net.strikes("late"):
            await asyncio.sleep(chance.choice((5.0, 40.0)))
        if net.strikes("reset"):
            raise BrokenOffError("the connection broke off")
        if net.strikes("gone", _OFTEN):
            status = chance.choice((200, 404, 403, 410, 503, 429))
            yield _answer(status, self._reading(_PAGE, cut=False))
            return
        address = address_of(link)
        net.versions[address] += net.strikes("changed", _OFTEN)
        whole = file_of(address, net.versions[address])
        etag = None if net.strikes("no-etag", _OFTEN) else f'"{sha256(whole).hexdigest()}"'
        start = int(headers.get("Range", "bytes=0-")[len("bytes=") : -1])
        if headers.get("If-Range") not in {None, etag}:
            start = 0
        status, end = (206 if start else 200), len(whole)
        if start and net.strikes("other-part", _OFTEN):
            start, end = start - 1, end - 1
        rest = whole[start:end]
        length = len(whole) if start or not net.strikes("no-length", _OFTEN) else None
        cut = net.strikes("cut", _OFTEN)
        yield _answer(status, self._reading(rest, cut=cut), start=start, total=length, etag=etag)

    def _reading(self, data: bytes, *, cut: bool) -> Callable[[], Any]:
        chance, passed = self._net.chance(), self._passed
        left = [data[at : at + 4_000] for at in range(0, len(data), 4_000)]
        end = chance.randrange(len(left)) if cut and left else None
        silent = chance.random() < 0.5

        async def read() -> bytes:
            nonlocal end
            await asyncio.sleep(chance.choice((0.001, 0.1)))
            passed("a chunk came")
            if end is not None:
                end -= 1
                if end < 0:
                    if silent:
                        return b""
                    raise BrokenOffError("the connection broke off")
            return left.pop(0) if left else b""

        return read


def _answer(
    status: int,
    read: Callable[[], Any],
    *,
    start: int = 0,
    total: int | None = None,
    etag: str | None = None,
) -> Answer:
    return Answer(
        status=status,
        start=start,
        total=total,
        etag=etag,
        modified=None,
        content_type="",
        encoding="",
        retry_after=None,
        by="the host",
        read=read,
    )


class Folder:
    """The folder in which the callers of a world save their videos, whichever process they are in."""

    def __init__(self) -> None:
        memory = Path("/dev/shm")
        self._path = Path(tempfile.mkdtemp(prefix="pika-", dir=memory if memory.is_dir() else None))

    def file(self, number: int) -> Path:
        """Return where the video of an order is saved."""
        return self._path / f"order {number}.mp4"

    def saved(self, number: int) -> bytes | None:
        """Return the bytes of a saved video."""
        with suppress(FileNotFoundError):
            return self.file(number).read_bytes()
        return None

    def remove(self) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


class Opened:
    """The parts that a process has open: with it, their locks end, and not a byte more is written."""

    def __init__(self) -> None:
        self._parts: list[Part] = []

    def part(self, final: Path) -> Part:
        self._parts.append(part := Part(final))
        return part

    def die(self) -> None:
        """Let go of the files as the system does for a process that is killed."""
        for part in self._parts:
            part._closed = True
            part._close()
