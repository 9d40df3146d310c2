"""A batch under way: rows ordered as slots allow, waited for, downloaded; no row stops another."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from typing import TYPE_CHECKING, Any, Final, Self

from attrs import evolve

from pika_async import _arguments as arguments
from pika_async._crossing import process_bound
from pika_async._engine.files import check_files
from pika_async._job import Job
from pika_async._token import JobToken
from pika_async.batch.client import adapters_of, has_memory_only, is_open, ledger_of
from pika_async.batch.folder import BatchFolder
from pika_async.batch.known import PRETENDED
from pika_async.batch.manifest import Failure, Manifest, RowState
from pika_async.batch.plan import Plan, PlannedRow, make_plan
from pika_async.batch.posters import Posters
from pika_async.batch.preview import check
from pika_async.batch.report import Report, RowEvent
from pika_async.batch.rows import Listed, refused
from pika_async.errors import ConfigError, InsufficientBalance, PikaError, SubmitUnknown, UnsupportedRequest
from pika_async.requests import Generate, Ingredients, Style, VideoRequest
from pika_async.results import VideoResult

if TYPE_CHECKING:
    from types import TracebackType

    from pika_async._client import Pika

_TIMEOUT: Final = 900.0


@process_bound("make another Batch(...) in the other process, once this one has ended")
class Batch(AsyncIterator[RowEvent]):
    """Makes *folder* hold a video of each of *rows*, and records in its manifest what became of each.

        rows = read_list("prompts.csv")
        async with Batch(rows, "videos", pika=Pika("acedata", ledger="jobs.db")) as batch:
            async for event in batch:
                print(event.row.number, event.row.state)
        print(batch.report.done, "of", batch.report.total)

    *rows* are requests, or what `read_list` returns. *pika* needs a ledger that outlives the process; the
    batch opens the client and closes it, unless it is open already. *timeout* is the longest wait for one
    render, in seconds; its job goes on. Costs one render for each row that was never ordered: the same rows
    and the same folder again buy nothing twice, and fetch what is missing. *retry_failed* orders rows anew
    that failed for good, which may cost again. *adopt* takes over, by their tokens, jobs that the manifest
    names and the ledger does not know.

    Entering raises `ConfigError`, before anything is bought, when a row is wrong or the folder cannot be
    used. Leaving early orders no more rows, and waits for the answers to orders under way.
    """

    def __init__(
        self,
        rows: Iterable[Listed | VideoRequest],
        folder: str | os.PathLike[str],
        *,
        pika: Pika,
        timeout: float | None = _TIMEOUT,
        retry_failed: bool = False,
        adopt: bool = False,
    ) -> None:
        arguments.seconds("timeout", timeout)
        arguments.flag("retry_failed", retry_failed)
        arguments.flag("adopt", adopt)
        arguments.able("pika", pika, "submit", "stats")
        self._listed = [_listed(number, row) for number, row in enumerate(arguments.series("rows", rows), 1)]
        self._folder = BatchFolder(arguments.path("folder", folder))
        self._pika = pika
        self._timeout = timeout
        self._retry_failed, self._adopt = retry_failed, adopt
        self._plan = Plan((), (), 0)
        self._manifest = Manifest(self._folder.manifest)
        self._posters = Posters(self._folder.path, pika)
        self._orders: dict[asyncio.Task[Job], PlannedRow] = {}
        self._left_behind: Mapping[str, Job] = {}
        self._capped: PikaError | None = None
        self._events: asyncio.Queue[RowEvent | None] = asyncio.Queue()
        self._running: asyncio.Task[None] | None = None
        self._closing = AsyncExitStack()
        self.width = 1
        self.notes: list[str] = []

    @property
    def report(self) -> Report:
        """What has become of the rows so far, or in the end."""
        return Report(
            folder=self._folder.path,
            rows=tuple(row.entry for row in self._plan.rows),
            lines=tuple(row.listed.line for row in self._plan.rows),
            astray=self._plan.astray,
        )

    @property
    def unanswered(self) -> int:
        """How many orders are under way whose answer has not come."""
        return sum(not order.done() for order in self._orders)

    async def __aenter__(self) -> Self:
        self._check()
        async with AsyncExitStack() as stack:
            warning = stack.enter_context(self._folder.held())
            self.notes += [warning] if warning else []
            stack.push_async_callback(self._settle)
            if not is_open(self._pika):
                await stack.enter_async_context(self._pika)
            accounts = self._pika.stats()
            self.width = sum(stats.max_concurrency for stats in accounts.values())
            self._plan = plan = await make_plan(
                self._listed,
                self._folder,
                ledger_of(self._pika),
                sandbox=all(account.endswith(f":{PRETENDED}") for account in accounts),
                retry_failed=self._retry_failed,
                adopt=self._adopt,
            )
            self.notes += plan.notes
            try:
                self._folder.try_names(row.file for row in plan.rows if row.entry.state is not RowState.DONE)
                self._manifest.replace(plan.entries)
            except OSError as error:
                raise _no_room(error) from None
            self._closing = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async with self._closing:
            if self._running is not None:
                self._running.cancel()
                await asyncio.gather(self._running, return_exceptions=True)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> RowEvent:
        if self._running is None:
            self._running = asyncio.ensure_future(self._run())
            self._running.add_done_callback(lambda _: self._events.put_nowait(None))
        event = await self._events.get()
        if event is not None:
            return event
        self._events.put_nowait(None)
        await self._running
        raise StopAsyncIteration

    def _check(self) -> None:
        if has_memory_only(self._pika):
            raise ConfigError(
                "A batch needs a ledger that outlives the process, or it could buy twice after a crash; open "
                'the client with a file, as in Pika(ledger="jobs.db").'
            )
        able = adapters_of(self._pika)
        problems: list[tuple[int, str]] = []
        for row in self._listed:
            try:
                check_files(row.request)
                check(row.request, able)
            except UnsupportedRequest as error:
                problems.append((row.line, error.message))
        if problems:
            raise refused("the list", problems)

    async def _run(self) -> None:
        # What is paid already is looked for first: it holds the slots that new rows need.
        self._left_behind = {job.id: job async for job in self._pika.recover()}
        slots = asyncio.Semaphore(self.width)
        broken: Sequence[BaseException] = ()
        try:
            async with asyncio.TaskGroup() as group:
                for row in sorted(self._plan.rows, key=lambda row: row.token is None):
                    if row.settled:
                        group.create_task(self._poster(row))
                        continue
                    await slots.acquire()
                    if self._capped is not None and row.token is None:
                        slots.release()
                        self._put(row, error=Failure.of(self._capped))
                    else:
                        group.create_task(self._carry(row, slots))
        except* OSError as errors:
            broken = errors.exceptions
        if broken:
            raise _no_room(broken[0])

    async def _settle(self) -> None:
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
            if self._running is not None:
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
            result=video,
            file=row.file,
            timings=timings,
        )
        return video

    def _waiting(self, token: str) -> Job:
        return self._left_behind.get(JobToken.decode(token).job_id) or self._pika.job(token)

    async def _ordered(self, row: PlannedRow) -> Job:
        order = asyncio.ensure_future(self._pika.submit(row.listed.request, idempotency_key=row.key))
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

    def _note_job(self, row: PlannedRow, job: Job) -> None:
        timings = evolve(row.entry.timings, submitted_at=row.entry.timings.submitted_at or time.time())
        self._put(
            row,
            state=RowState.RENDERING,
            provider=job.provider,
            token=job.token,
            error=None,
            timings=timings,
        )

    async def _fetched(self, row: PlannedRow, video: VideoResult) -> None:
        fetched = await self._pika.download(video, self._folder.path / row.file, overwrite=row.overwrite)
        self._put(
            row,
            state=RowState.DONE,
            size=fetched.size,
            sha256=fetched.sha256,
            timings=evolve(row.entry.timings, finished_at=time.time()),
        )

    async def _poster(self, row: PlannedRow) -> None:
        if row.entry.state is not RowState.DONE or self._folder.has(self._folder.poster(row.entry.poster)):
            return
        link = row.entry.result.image_url if row.entry.result else None
        if link is not None and await self._posters.fetch(link, row.poster):
            self._put(row, poster=row.poster)

    def _fail(self, row: PlannedRow, error: PikaError) -> None:
        if isinstance(error, InsufficientBalance) and error.code == "max_submits":
            self._capped = error
            self._put(row, error=Failure.of(error))
            return
        token = error.token or row.entry.token
        timings = evolve(row.entry.timings, finished_at=time.time())
        failure = Failure.of(error)
        self._put(
            row, problem=error, state=RowState.FAILED, token=token, file=None, error=failure, timings=timings
        )

    def _put(self, row: PlannedRow, *, problem: PikaError | None = None, **changes: Any) -> None:
        row.entry = evolve(row.entry, **changes)
        self._manifest.append(row.entry)
        self._events.put_nowait(RowEvent(row=row.entry, line=row.listed.line, error=problem))


def _no_room(error: BaseException) -> ConfigError:
    return ConfigError(f"The folder cannot be written to ({error}); make room there and run again to go on.")


def _listed(number: int, row: Listed | VideoRequest) -> Listed:
    match row:
        case Listed():
            return row
        case Generate() | Ingredients() | Style():
            return Listed(number=number, line=number, request=row)
    raise arguments.refuse(f"row {number} of rows", "a Generate, Ingredients or Style", row)
