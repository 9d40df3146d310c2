"""From a finished video to its bytes, as a file or as a stream, with errors that hold its job."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from pika_async._job import Job
from pika_async.errors import DownloadError
from pika_async.results import VideoResult

if TYPE_CHECKING:
    from pika_async._download import Downloaded
    from pika_async._download.media import MediaSession
    from pika_async._engine.orders import Orders


async def fetch(
    orders: Orders,
    session: Callable[[], MediaSession],
    video: VideoResult | Job,
    path: str | os.PathLike[str],
    *,
    overwrite: bool,
    on_progress: Callable[[int, int | None], object] | None,
) -> Downloaded:
    """Bring a video to *path*; see `Pika.download`."""
    from pika_async._download import download, usable

    with _about(orders, video):
        file = await usable(path)
        result, link = await _finished(video)
        return await download(
            session(),
            link,
            file,
            fresh_link=partial(orders.fresh_link, result),
            overwrite=overwrite,
            on_progress=on_progress,
        )


@asynccontextmanager
async def stream(
    orders: Callable[[], Orders], session: Callable[[], MediaSession], video: VideoResult | Job
) -> AsyncIterator[AsyncIterator[bytes]]:
    """Stream a video; see `Pika.open`."""
    from pika_async._download import streamed

    opened = orders()
    with _about(opened, video):
        result, link = await _finished(video)
        async with streamed(session(), link, fresh_link=partial(opened.fresh_link, result)) as chunks:
            yield chunks


async def _finished(video: VideoResult | Job) -> tuple[VideoResult, str]:
    result = await video if isinstance(video, Job) else video
    if not isinstance(result, VideoResult):
        raise TypeError(f"video must be a Job or a VideoResult, not {type(video).__name__}")
    if result.video_url is None:
        raise DownloadError("The result holds no link to a video; ask the provider.", retryable=False)
    return result, result.video_url


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
