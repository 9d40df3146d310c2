"""A batch under way: rows ordered as slots allow, waited for, downloaded; no row stops another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

from attrs import evolve

from pika_async import (
    ConfigError,
    InsufficientBalance,
    Job,
    Pika,
    PikaError,
    SubmitUnknown,
    VideoResult,
)
from pika_async._token import JobToken
from pika_async.cli._batch_folder import BatchFolder
from pika_async.cli._batch_plan import BatchRow
from pika_async.cli._batch_posters import Posters
from pika_async.gallery import Entry, Failure, Manifest, RowState, write_gallery

_PAGE_EVERY: Final = 2.0
_PAGE_SHARE: Final = 20


class Watcher(Protocol):
    """Is told what becomes of each row."""

    def see(self, entry: Entry, /) -> None: ...
    def fail(self, row: BatchRow, error: PikaError, /) -> None: ...
    def note(self, line: str, /) -> None: ...


class BatchRun:
    """Brings *rows* into *folder* with an open *pika*, *width* of them ordered or rendering at a time.

    *timeout* is the longest wait for one render, in seconds.
    """

    def __init__(
        self,
        pika: Pika,
        rows: Sequence[BatchRow],
        folder: BatchFolder,
        watcher: Watcher,
        *,
        width: int,
        timeout: float,
        posters: Posters,
    ) -> None:
        self._pika = pika
        self._rows = rows
        self._folder = folder
        self._watcher = watcher
        self._timeout = timeout
        self._posters = posters
        self._slots = asyncio.Semaphore(width)
        self._manifest = Manifest(folder.manifest)
        self._orders: dict[asyncio.Task[Job], BatchRow] = {}
        self._left_behind: Mapping[str, Job] = {}
        self._capped: PikaError | None = None
        self._changed = True

    async def carry_out(self, *, recover: bool) -> None:
        """Bring every row to its end; with *recover*, first take over what earlier runs left under way.

        When cancelled, waits and downloads end at once; orders under way are left to `settle`. Raises
        `ConfigError` when the folder cannot be written to.
        """
        if recover:
            self._left_behind = {job.id: job async for job in self._pika.recover()}
        painting = asyncio.ensure_future(self._paint())
        try:
            await self._finish_all()
        except asyncio.CancelledError:
            if waiting := sum(not order.done() for order in self._orders):
                self._watcher.note(
                    f"Interrupted; waiting for {waiting} answers. Interrupt again to give them up."
                )
            raise
        finally:
            painting.cancel()
            await self._posters.aclose()

    async def _finish_all(self) -> None:
        broken: Sequence[BaseException] = ()
        try:
            async with asyncio.TaskGroup() as group:
                # What is paid already goes first: it holds the slots that new rows need.
                for row in sorted(self._rows, key=lambda row: row.job_id is None):
                    await self._begin(row, group)
        except* OSError as errors:
            broken = errors.exceptions
        if broken:
            raise ConfigError(
                f"The folder cannot be written to ({broken[0]}); make room there and run again to go on."
            )

    async def _begin(self, row: BatchRow, group: asyncio.TaskGroup) -> None:
        if row.settled:
            if row.entry.state is RowState.DONE and not self._folder.has(row.entry.poster):
                group.create_task(self._poster(row))
            return
        await self._slots.acquire()
        if self._capped is not None and row.job_id is None:
            self._slots.release()
            self._put(row, error=Failure.of(self._capped))
            return
        group.create_task(self._carry(row))

    async def settle(self) -> None:
        """Note what became of orders that nobody waited for; the client must be closed by now."""
        await asyncio.gather(*self._orders, return_exceptions=True)
        for order, row in self._orders.items():
            if row.entry.state is RowState.QUEUED and not order.cancelled() and order.exception() is None:
                self._note_job(row, order.result())
        self._manifest.close()

    async def _carry(self, row: BatchRow) -> None:
        try:
            try:
                video = await self._rendered(row)
            finally:
                self._slots.release()
            await self._fetched(row, video)
        except PikaError as error:
            self._fail(row, error)
        else:
            await self._poster(row)

    async def _rendered(self, row: BatchRow) -> VideoResult:
        job = self._left_behind.get(row.job_id or "") or await self._ordered(row)
        self._note_job(row, job)
        video = await job.wait(self._timeout)
        timings = evolve(row.entry.timings, rendered_at=row.entry.timings.rendered_at or time.time())
        self._put(
            row,
            state=RowState.DOWNLOADING,
            token=job.token,
            provider=job.provider,
            result=video,
            file=row.file,
            timings=timings,
        )
        return video

    async def _ordered(self, row: BatchRow) -> Job:
        order = asyncio.ensure_future(self._pika.submit(row.listed.request, idempotency_key=row.key))
        self._orders[order] = row
        try:
            # Shielded: an order that is cancelled in the queue would never be sent again under its key.
            return await asyncio.shield(order)
        except SubmitUnknown as unknown:
            if not isinstance(unknown.job, Job):
                raise
            return unknown.job
        finally:
            if order.done():
                del self._orders[order]

    def _note_job(self, row: BatchRow, job: Job) -> None:
        timings = evolve(row.entry.timings, submitted_at=row.entry.timings.submitted_at or time.time())
        self._put(
            row,
            state=RowState.RENDERING,
            provider=job.provider,
            token=job.token,
            error=None,
            timings=timings,
        )

    async def _fetched(self, row: BatchRow, video: VideoResult) -> None:
        fetched = await self._pika.download(video, self._folder.path / row.file, overwrite=row.overwrite)
        self._put(
            row,
            state=RowState.DONE,
            size=fetched.size,
            sha256=fetched.sha256,
            timings=evolve(row.entry.timings, finished_at=time.time()),
        )

    async def _poster(self, row: BatchRow) -> None:
        link = row.entry.result.image_url if row.entry.result else None
        if link is not None and await self._posters.fetch(link, row.poster):
            self._put(row, poster=row.poster)

    def _fail(self, row: BatchRow, error: PikaError) -> None:
        if isinstance(error, InsufficientBalance) and error.code == "max_submits":
            self._capped = error
            self._put(row, error=Failure.of(error))
            return
        token = error.token or row.entry.token
        if token is not None:
            row.job_id = JobToken.decode(token).job_id
        timings = evolve(row.entry.timings, finished_at=time.time())
        failure = Failure.of(error)
        self._put(row, state=RowState.FAILED, token=token, file=None, error=failure, timings=timings)
        self._watcher.fail(row, error)

    def _put(self, row: BatchRow, **changes: Any) -> None:
        row.entry = evolve(row.entry, **changes)
        self._manifest.append(row.entry)
        self._changed = True
        self._watcher.see(row.entry)

    async def _paint(self) -> None:
        """Write the page now and then, seldom enough to cost a twentieth of the time at most."""
        pause = 0.0
        while True:
            if self._changed:
                self._changed = False
                began = time.monotonic()
                with suppress(OSError):
                    await asyncio.to_thread(write_gallery, self._folder.path)
                pause = max(_PAGE_EVERY, _PAGE_SHARE * (time.monotonic() - began))
            await asyncio.sleep(pause)


def missing(rows: Sequence[BatchRow], folder: Path) -> list[BatchRow]:
    """Return the rows that are not a file on disk."""
    return [
        row
        for row in rows
        if row.entry.state is not RowState.DONE or not (folder / (row.entry.file or "")).is_file()
    ]
