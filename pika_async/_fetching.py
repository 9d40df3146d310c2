"""From a finished video to its bytes, as a file or as a stream, with errors that hold its job."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread

from pika_async._job import Job
from pika_async._job_view import view_of
from pika_async._stored import Stored, remember
from pika_async._telemetry import span
from pika_async.errors import DownloadError
from pika_async.results import VideoResult

if TYPE_CHECKING:
    from pika_async._download import Downloaded
    from pika_async._download.links import Link
    from pika_async._download.media import MediaSession
    from pika_async._download.store import InStore
    from pika_async._engine.orders import Orders


SIDECAR: Final = ".json"
"""What the name of the notes beside a file ends in, behind the name of the file."""


async def fetch(
    orders: Orders,
    session: Callable[[], MediaSession],
    video: VideoResult | Job,
    path: str | os.PathLike[str],
    *,
    overwrite: bool,
    sidecar: bool,
    on_progress: Callable[[int, int | None], object] | None,
) -> Downloaded:
    """Bring a video to *path*; see `Pika.download`."""
    from pika_async._download import Downloaded, download, usable
    from pika_async._download.store import InStore, fetch_into, is_address

    with _about(orders, video), span("pika.download", jobs=_jobs_of(orders, video)):
        place = InStore(str(path)) if is_address(path) else await usable(path)
        result, link = await _finished(orders, video)
        fresh_link = partial(orders.origins.fresh_link, result)
        flight = orders.origin(result)
        copy = None if flight is None else orders.origins.copies.get(flight.id)
        if copy is not None:
            saved = await _copied(copy, place, overwrite=overwrite)
        elif isinstance(place, InStore):
            await fetch_into(
                session(), link, place, fresh_link=fresh_link, overwrite=overwrite, on_progress=on_progress
            )
            tally = place.tally
            saved = Downloaded(
                Path(place.key), tally.size, tally.sha256, resumed=False, address=place.address
            )
        else:
            saved = await download(
                session(), link, place, fresh_link=fresh_link, overwrite=overwrite, on_progress=on_progress
            )
        if flight is not None:
            where = saved.address or str(saved.path.absolute())
            stored = Stored(where, saved.size, saved.sha256)
            await remember(orders.desk.ledger, flight.id, result.id, stored)
        if sidecar:
            notes = json.dumps(_notes(orders, result, saved), indent=2, ensure_ascii=False).encode()
            if isinstance(place, InStore):
                await place.put(SIDECAR, notes)
            else:
                await anyio.to_thread.run_sync(_write_private, f"{place}{SIDECAR}", notes)
        return saved


async def _copied(copy: Stored, place: Path | InStore, *, overwrite: bool) -> Downloaded:
    from pika_async._download import Downloaded

    if isinstance(place, Path):
        await copy.copy_to(place, overwrite=overwrite)
        return Downloaded(place, copy.size, copy.sha256, resumed=False)
    await copy.copy_into(place, overwrite=overwrite)
    return Downloaded(Path(place.key), copy.size, copy.sha256, resumed=False, address=place.address)


def _write_private(path: str, data: bytes) -> None:
    """Write a file for its owner alone: the notes hold the job's token, as a manifest does."""
    with open(path, "wb", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(data)


def _jobs_of(orders: Orders, video: VideoResult | Job) -> list[str]:
    job = (
        video
        if isinstance(video, Job)
        else _origin(orders, video)
        if isinstance(video, VideoResult)
        else None
    )
    return [] if job is None else [job.id]


def _notes(orders: Orders, result: VideoResult, saved: Downloaded) -> dict[str, Any]:
    """Return what is to be known of a file when the ledger is not at hand; media and secrets are left out."""
    flight = orders.origin(result)
    known: dict[str, Any] = {}
    if flight is not None:
        view = view_of(flight.record)
        known = {
            "provider": view.provider,
            "token": flight.token,
            "kind": view.kind,
            "request": dict(view.request),
            "ordered_at": _iso(view.created_at),
            "cost": view.cost,
            "trace_id": view.attempt.trace_id,
        }
    return {
        **known,
        "video": result.id,
        "duration": result.duration,
        "size": saved.size,
        "sha256": saved.sha256,
        "saved_at": _iso(time.time()),
    }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")


@asynccontextmanager
async def stream(
    orders: Callable[[], Orders], session: Callable[[], MediaSession], video: VideoResult | Job
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Stream a video; see `Pika.open`."""
    from pika_async._download import streamed

    opened = orders()
    with _about(opened, video):
        result, link = await _finished(opened, video)
        flight = opened.origin(result)
        copy = None if flight is None else opened.origins.copies.get(flight.id)
        if copy is not None:
            async with aclosing(copy.chunks()) as chunks:
                yield chunks
            return
        async with streamed(session(), link, fresh_link=partial(opened.origins.fresh_link, result)) as chunks:
            yield chunks


async def _finished(orders: Orders, video: VideoResult | Job) -> tuple[VideoResult, Link]:
    result = await video if isinstance(video, Job) else video
    if not isinstance(result, VideoResult):
        raise TypeError(f"video must be a Job or a VideoResult, not {type(video).__name__}")
    if result.video_url is None:
        raise DownloadError("The result holds no link to a video; ask the provider.", retryable=False)
    return result, orders.origins.opened(result, result.video_url)


@contextmanager
def _about(orders: Orders, video: VideoResult | Job) -> Iterator[None]:
    """Complete a `DownloadError` with the job that *video* is, or came from."""
    try:
        yield
    except DownloadError as error:
        if (job := video if isinstance(video, Job) else _origin(orders, video)) is not None:
            error.job = error.job or job
            error.provider = error.provider or job.provider
            error.trace_id = error.trace_id or job.trace_id
        raise


def _origin(orders: Orders, video: VideoResult) -> Job | None:
    flight = orders.origin(video)
    return None if flight is None else Job(orders, flight)
