"""A batch under way: rows ordered as slots allow, waited for, downloaded; no row stops another."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from attrs import evolve

from pika_async._job import Job
from pika_async._ledger.pacing import OUR_CAPS
from pika_async._token import JobToken
from pika_async.batch.client import is_open, reusable
from pika_async.batch.entry import Failure, RowState
from pika_async.batch.folder import BatchFolder
from pika_async.batch.known import RowKey
from pika_async.batch.manifest import Manifest
from pika_async.batch.planner import PlannedRow
from pika_async.batch.posters import Posters
from pika_async.batch.report import RowEvent
from pika_async.errors import AuthError, ConfigError, InsufficientBalance, PikaError, SubmitUnknown
from pika_async.results import VideoResult

if TYPE_CHECKING:
    from pika_async._client import Pika


class BatchRun:
    """Brings rows into *folder* with *pika*, and tells *events* of each change; None ends them.

    *timeout* is the longest wait for one render, in seconds.
    """

    def __init__(self, pika: Pika, folder: BatchFolder, manifest: Manifest, *, timeout: float | None) -> None:
        self.events: asyncio.Queue[RowEvent | None] = asyncio.Queue()
        self._pika = pika
        self._folder = folder
        self._manifest = manifest
        self._timeout = timeout
        self._posters = Posters(folder.path, pika)
        self._orders: dict[asyncio.Task[Job], PlannedRow] = {}
        self._left_behind: Mapping[str, Job] = {}
        self._stopped: PikaError | None = None
        self._began, self._one_account = False, False

    @property
    def unanswered(self) -> int:
        """How many orders are under way whose answer has not come."""
        return sum(not order.done() for order in self._orders)

    async def carry_out(self, rows: Sequence[PlannedRow], width: int) -> None:
        """Bring every one of *rows* to its end, *width* of them ordered or rendering at a time.

        When cancelled, waits and downloads end at once; orders under way are left to `settle`. Raises
        `ConfigError` when the folder cannot be written to.
        """
        self._began, self._one_account = True, len(self._pika.stats()) == 1
        # What is paid already is looked for first: it holds the slots that new rows need.
        self._left_behind = {job.id: job async for job in self._pika.recover()}
        slots = asyncio.Semaphore(width)
        broken: Sequence[BaseException] = ()
        try:
            async with asyncio.TaskGroup() as group:
                for row in sorted(rows, key=lambda row: row.token is None):
                    if row.settled:
                        group.create_task(self._poster(row))
                        continue
                    await slots.acquire()
                    if self._stopped is not None and row.token is None:
                        slots.release()
                        self._put(row, error=Failure.of(self._stopped))
                    else:
                        group.create_task(self._carry(row, slots))
        except* OSError as errors:
            broken = errors.exceptions
        if broken:
            raise no_room(broken[0])

    async def settle(self) -> None:
        """Note what became of orders that nobody waited for; a client of ours is closed by now."""
        if is_open(self._pika):
            for order in self._orders:
                order.cancel()
        await asyncio.gather(*self._orders, return_exceptions=True)
        with suppress(OSError):
            for order, row in self._orders.items():
                unnoted = row.entry.state is RowState.QUEUED
                if unnoted and not order.cancelled() and order.exception() is None:
                    self._note_job(row, order.result())
            if self._began:
                self._manifest.compact()
        self._manifest.close()

    async def _carry(self, row: PlannedRow, slots: asyncio.Semaphore) -> None:
        try:
            try:
                video = await self._rendered(row)
            finally:
                slots.release()
            await self._fetched(row, video)
        except PikaError as error:
            self._fail(row, error)
        else:
            await self._poster(row)

    async def _rendered(self, row: PlannedRow) -> VideoResult:
        job = self._waiting(row.token) if row.token is not None else await self._ordered(row)
        self._note_job(row, job)
        video = await job.wait(self._timeout)
        timings = evolve(row.entry.timings, rendered_at=row.entry.timings.rendered_at or time.time())
        self._put(
            row,
            state=RowState.DOWNLOADING,
            token=job.token,
            provider=job.provider,
            why=_why(job),
            cost=None if job.reused else job.cost,
            trace_id=job.trace_id,
            result=video,
            file=row.file,
            timings=timings,
        )
        return video

    def _waiting(self, token: str) -> Job:
        return self._left_behind.get(JobToken.decode(token).job_id) or self._pika.job(token)

    async def _ordered(self, row: PlannedRow) -> Job:
        order = asyncio.ensure_future(self._bought(row))
        self._orders[order] = row
        try:
            # Shielded: what is on the wire is brought to its end when the batch is left.
            return await asyncio.shield(order)
        except SubmitUnknown as unknown:
            if not isinstance(unknown.job, Job):
                raise
            return unknown.job
        finally:
            if order.done():
                del self._orders[order]

    async def _bought(self, row: PlannedRow) -> Job:
        # A row that stands there twice is two videos.
        key = RowKey.decode(row.key)
        earlier = None
        if key is not None and key.copy == 1:
            earlier = await reusable(self._pika, row.listed.request)
        return earlier or await self._pika.submit(row.listed.request, idempotency_key=row.key)

    def _note_job(self, row: PlannedRow, job: Job) -> None:
        timings = evolve(row.entry.timings, submitted_at=row.entry.timings.submitted_at or time.time())
        self._put(
            row,
            state=RowState.RENDERING,
            provider=job.provider,
            why=_why(job),
            token=job.token,
            error=None,
            timings=timings,
        )

    async def _fetched(self, row: PlannedRow, video: VideoResult) -> None:
        place = self._folder.place(row.file)
        fetched = await self._pika.download(video, place, overwrite=row.overwrite)
        self._put(
            row,
            state=RowState.DONE,
            address=fetched.address,
            size=fetched.size,
            sha256=fetched.sha256,
            timings=evolve(row.entry.timings, finished_at=time.time()),
        )

    async def _poster(self, row: PlannedRow) -> None:
        if row.entry.state is not RowState.DONE or self._folder.has(self._folder.poster(row.entry.poster)):
            return
        link = row.entry.result.image_url if row.entry.result else None
        if link is not None and await self._posters.fetch(link, row.poster):
            self._record(row, poster=row.poster)  # no event: the row is done already

    def _fail(self, row: PlannedRow, error: PikaError) -> None:
        ours = error.code if isinstance(error, InsufficientBalance) and error.code in OUR_CAPS else None
        theirs = ours is None and isinstance(error, InsufficientBalance | AuthError)
        if ours in {"max_submits", "max_cost"} or (self._one_account and theirs):
            # Every other new row would be refused for the same reason, one by one.
            self._stopped = error
        if ours is not None:
            self._put(row, error=Failure.of(error))
            return
        token = error.token or row.entry.token
        timings = evolve(row.entry.timings, finished_at=time.time())
        failure = Failure.of(error)
        self._put(
            row, problem=error, state=RowState.FAILED, token=token, file=None, error=failure, timings=timings
        )

    def _put(self, row: PlannedRow, *, problem: PikaError | None = None, **changes: Any) -> None:
        self._record(row, **changes)
        self.events.put_nowait(RowEvent(row=row.entry, line=row.listed.line, error=problem))

    def _record(self, row: PlannedRow, **changes: Any) -> None:
        row.entry = evolve(row.entry, **changes)
        self._manifest.append(row.entry)


def _why(job: Job) -> str:
    return "reused: an equal order had been bought before" if job.reused else job.why_provider


def no_room(error: BaseException) -> ConfigError:
    """Make the error for a folder that cannot be written to."""
    return ConfigError(f"The folder cannot be written to ({error}); make room there and run again to go on.")
