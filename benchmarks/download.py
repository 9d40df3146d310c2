"""Fetching videos, next to streaming them by hand."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from benchmarks._contest import Turn, compete
from benchmarks._machine import Peak
from benchmarks._report import Cell, Figure, Report
from benchmarks._server import Server

CLAIM = "200 x 5 MB within 1.1 times of hand-written aiohttp streaming, at most 40 MB of extra memory"

_SIZE = 5_000_000
_WIDTH = 8


async def by_hand(url: str, *, files: int, hashing: bool = False) -> dict[str, Any]:
    """Stream into files as the manuals show, eight at a time."""
    import aiohttp

    async with aiohttp.ClientSession() as session:

        async def one(link: str, path: Path) -> None:
            digest = hashlib.sha256() if hashing else None
            async with session.get(link) as answer:
                answer.raise_for_status()
                with path.open("wb") as file:
                    async for chunk in answer.content.iter_chunked(1 << 16):
                        file.write(chunk)
                        if digest is not None:
                            digest.update(chunk)

        return await _all(url, files, one)


async def ours(url: str, *, files: int) -> dict[str, Any]:
    """Fetch with `pika.download`, whose own width is eight."""
    from pika_async import Pika, VideoResult
    from pika_async.results import State

    host = urlsplit(url).netloc
    async with Pika("acedata", api_key="sandbox-benchmark", base_url=url, media_hosts={host}) as pika:

        async def one(link: str, path: Path) -> None:
            video = VideoResult(id="x", video_url=link, image_url=None, duration=5.0, state=State.SUCCEEDED)
            await pika.download(video, path)

        return await _all(url, files, one)


async def _all(url: str, files: int, one: Callable[[str, Path], Awaitable[None]]) -> dict[str, Any]:
    turns = asyncio.Semaphore(_WIDTH)
    with TemporaryDirectory() as folder:

        async def fetched(number: int) -> None:
            async with turns:
                path = Path(folder) / f"{number}.mp4"
                await one(f"{url}/media/{number}.mp4", path)
                assert path.stat().st_size == _SIZE
                path.unlink()

        with Peak() as peak:
            await asyncio.gather(*(fetched(number) for number in range(files)))
    return {"memory": peak.grown}


def measure(*, full: bool) -> Report:
    """5 rounds of 200 files, in quick form 3 of 30; each is deleted once it is whole."""
    files, rounds = (200, 5) if full else (30, 3)

    def turn(call: str, **arguments: Any) -> Turn:
        arguments = {"files": files, **arguments}
        return Turn(
            call=f"benchmarks.download:{call}", arguments=arguments, media=_SIZE, warm_up={"files": 1}
        )

    turns = {
        "by hand": turn("by_hand"),
        "by hand, with SHA-256": turn("by_hand", hashing=True),
        "ours (with SHA-256)": turn("ours"),
    }
    with Server() as server:
        outcome = compete(server, turns, rounds=rounds)
    rows: list[dict[str, Cell]] = [
        {
            "client": name,
            "wall s": outcome.median(name, "wall"),
            "MB/s": files * _SIZE / 1e6 / outcome.median(name, "wall"),
            "CPU ms/file": outcome.median(name, "cpu") / files * 1e3,
            "extra memory MB": max(sample["memory"] for sample in samples) / 1e6,
        }
        for name, samples in outcome.samples.items()
    ]
    plain, hashing, own = turns
    figures = [
        Figure(
            name="time over streaming by hand",
            value=outcome.median(own, "wall") / outcome.median(plain, "wall"),
            goal=1.1,
        ),
        Figure(
            name="time over streaming by hand with SHA-256",
            value=outcome.median(own, "wall") / outcome.median(hashing, "wall"),
            goal=1.1,
        ),
        Figure(
            name="extra memory",
            value=max(sample["memory"] for sample in outcome.samples[own]) / 1e6,
            goal=40.0,
            unit="MB",
        ),
    ]
    return Report(
        name="download", claim=CLAIM, quick=not full, rows=rows, figures=figures, remarks=outcome.remarks
    )
