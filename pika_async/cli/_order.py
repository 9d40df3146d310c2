"""One video from the request to the file, and what to say when that is cut short."""

from __future__ import annotations

import asyncio
import shlex
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from pika_async import (
    DownloadError,
    Job,
    JobFailed,
    JobTimeout,
    JobUnresolved,
    Pika,
    PikaError,
    SubmitUnknown,
    VideoResult,
)
from pika_async.cli._connection import Connection
from pika_async.cli._delivery import Delivery
from pika_async.cli._terminal import Display, display, run, say, seconds, size

if TYPE_CHECKING:
    from pika_async.requests import VideoRequest

_REFRESH: Final = 0.1


def buy(
    request: VideoRequest, connection: Connection, delivery: Delivery, idempotency_key: str | None = None
) -> None:
    """Buy *request* and hand the video over."""
    _carry_out(
        _Order(connection, delivery, doing="sending the request"),
        lambda pika: pika.submit(request, idempotency_key=idempotency_key),
    )


def resume(token: str, connection: Connection, delivery: Delivery, *, ended: bool = False) -> None:
    """Hand over the video of a job that was bought before; *ended* if it is known to be rendered."""

    async def known(pika: Pika) -> Job:
        return pika.job(token)

    provider = connection.providers[0]
    doing = f"asking {provider} for the video" if ended else f"asking {provider} about the job"
    _carry_out(_Order(connection, delivery, doing=doing, buys=False, shows_render=not ended), known)


def resubmit(token: str, connection: Connection, delivery: Delivery) -> None:
    """Order an unresolved job again, on a person's word, and hand its video over."""

    async def again(pika: Pika) -> Job:
        job = pika.job(token)
        await job.resubmit()
        return job

    _carry_out(_Order(connection, delivery, doing="sending the request again"), again)


def _carry_out(order: _Order, start: Callable[[Pika], Awaitable[Job]]) -> None:
    try:
        with display() as shown:
            video, job = run(order.fulfil(start, shown))
    except PikaError as error:
        for line in order.after(error):
            error.add_note(line)
        raise
    except KeyboardInterrupt as interrupt:
        for line in order.after_interrupt():
            interrupt.add_note(line)
        raise
    order.sum_up(job)
    order.delivery.hand_over(video, job)


class _Order:
    """What is known of the one job of a command, also after its event loop is gone.

    *doing* is shown first; *buys* says whether the command buys the job, or only gets its video.
    """

    def __init__(
        self,
        connection: Connection,
        delivery: Delivery,
        *,
        doing: str,
        buys: bool = True,
        shows_render: bool = True,
    ) -> None:
        self.connection = connection
        self.delivery = delivery
        self._doing = doing
        self._buys = buys
        self._shows_render = shows_render
        self._sent = False
        self._job: Job | None = None
        self._began = time.monotonic()

    async def fulfil(
        self, start: Callable[[Pika], Awaitable[Job]], shown: Display
    ) -> tuple[VideoResult, Job]:
        """Start the job, wait for it, and download its video if a file was named."""
        async with self.connection.open() as pika:
            shown.begin(self._doing)
            job = self._job = await self._started(start(pika), shown)
            video = await self._awaited(job, shown)
            if self.delivery.file is not None:
                await self._downloaded(pika, job, self.delivery.file, shown)
            return video, job

    async def _started(self, starting: Awaitable[Job], shown: Display) -> Job:
        self._sent = True
        answer = asyncio.ensure_future(starting)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            # What was sent may be paid for: its answer, and with it the token, is worth the wait.
            shown.note("Interrupted; waiting for the provider's answer. Interrupt again to give it up.")
            self._job = await answer
            raise

    async def _awaited(self, job: Job, shown: Display) -> VideoResult:
        usual = self.connection.usual_render_time(job.provider)

        async def refresh() -> None:
            while True:
                # Before its first look a job that was bought earlier only seems to be rendering.
                if self._buys or job.raw is not None:
                    shown.rendering(job.provider, job.state, job.progress, usual)
                await asyncio.sleep(_REFRESH)

        refreshing = asyncio.ensure_future(refresh()) if self._shows_render else None
        try:
            return await job.wait(self.delivery.timeout)
        finally:
            if refreshing is not None:
                refreshing.cancel()

    async def _downloaded(self, pika: Pika, job: Job, file: Path, shown: Display) -> None:
        def progress(done: int, total: int | None) -> None:
            shown.downloading(file.name, done, total)

        progress(0, None)
        await pika.download(job, file, overwrite=self.delivery.overwrite, on_progress=progress)

    def sum_up(self, job: Job) -> None:
        """Say how it went, and what there is besides the result."""
        took = seconds(time.monotonic() - self._began)
        file = self.delivery.file
        what = size(file.stat().st_size) if file else "the video" if self._buys else "the link"
        if self._buys:
            say(f"{job.provider} delivered {what} in {took}")
        else:
            say(f"{what} of job {job.id}, bought from {job.provider} before; nothing was bought now")
        for other in job.results[1:]:
            say(f"one more video of this job: {other.video_url}")
        if self.connection.sandbox and file is None:
            say("The sandbox and its link end with this command; add -o FILE to keep the video.")

    def after(self, error: PikaError) -> list[str]:
        """Return how to go on after *error*, if a provider may hold the job."""
        from pika_async.ledger import read_token

        job = error.job or self._job
        if job is None:
            return []
        if read_token(job.token).task is not None and not isinstance(error, JobFailed | JobUnresolved):
            is_ready = isinstance(error, DownloadError)
            return self._to_go_on(job.token, "Its video is ready" if is_ready else "The job goes on")
        if error.charged == "no":
            return []
        found = isinstance(error, SubmitUnknown | JobTimeout) and self.connection.remembers
        return [f"Its job is {job.token}", *(self._to_find_out() if found else ())]

    def after_interrupt(self) -> list[str]:
        """Return what became of the request, and how to go on."""
        if self._job is not None:
            return self._to_go_on(self._job.token, "The job goes on")
        if not self._sent:
            return ["Nothing was bought."]
        if self.connection.remembers:
            return ["The provider may have taken the job; do not order it again.", *self._to_find_out()]
        return ["The provider may have taken the job; look at its console before you ask again."]

    def _to_find_out(self) -> list[str]:
        words = ["pika-async", "recover", *self.connection.arguments]
        return ["To look for it, at no cost:", f"  {shlex.join(words)}"]

    def _to_go_on(self, token: str, how_it_is: str) -> list[str]:
        output = ["-o", str(self.delivery.file or "FILE")]
        words = ["pika-async", "fetch", token, *self.connection.arguments, *output]
        if self.connection.sandbox:
            return [
                "The sandbox ended with this command; a real job goes on, and this would get its video:",
                f"  {shlex.join(words)}",
            ]
        return [f"{how_it_is}; to get its video:", f"  {shlex.join(words)}"]
