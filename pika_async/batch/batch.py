"""A batch as a program sees it: checked when it is entered, and an iterator of what happens to its rows."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Final, Self

from pika_async import _arguments as arguments
from pika_async._crossing import process_bound
from pika_async._engine.files import check_files
from pika_async.batch.client import adapters_of, has_memory_only, is_open, ledger_of
from pika_async.batch.entry import RowState
from pika_async.batch.folder import BatchFolder
from pika_async.batch.known import PRETENDED
from pika_async.batch.manifest import Manifest
from pika_async.batch.plan import Plan, make_plan
from pika_async.batch.preview import check
from pika_async.batch.report import Report, RowEvent
from pika_async.batch.rows import Listed, refused
from pika_async.batch.run import BatchRun, no_room
from pika_async.batch.store import BatchStore
from pika_async.errors import ConfigError, UnsupportedRequest
from pika_async.requests import Edit, Generate, Ingredients, Style, VideoRequest

if TYPE_CHECKING:
    from types import TracebackType

    from pika_async._client import Pika

_TIMEOUT: Final = 900.0


@process_bound("make another Batch(...) in the other process, once this one has ended")
class Batch(AsyncIterator[RowEvent]):
    """Saves a video of each of *rows* in *folder*, and records the result of each in a manifest.

        rows = read_list("prompts.csv")
        async with Batch(rows, "videos", pika=Pika("acedata", ledger="jobs.db")) as batch:
            async for event in batch:
                print(event.row.number, event.row.state)
        print(batch.report.done, "of", batch.report.total)

    *rows* are requests, or what `read_list` returns. *pika* needs a ledger that is a file or a database; the
    batch opens the client and closes it, unless it is open already. With *store*, for example
    `s3://bucket/june`, the videos are kept there, and *folder* holds manifest, posters and gallery (needs the
    extra `[s3]`). *timeout* is the longest wait for one render, in seconds; the job continues after it.

    Costs one render for each row that was never ordered: the same rows and the same folder again buy nothing
    twice, and fetch what is missing. *retry_failed* orders the rows again whose jobs failed, which may cost
    again. *adopt* takes over, by their tokens, jobs that the manifest names and the ledger does not know.

    Entering raises `ConfigError`, before anything is bought, when a row is wrong or the folder cannot be
    used. Leaving early orders no more rows, and waits for the answers to orders under way.
    """

    def __init__(
        self,
        rows: Iterable[Listed | VideoRequest],
        folder: str | os.PathLike[str],
        *,
        pika: Pika,
        store: str | None = None,
        timeout: float | None = _TIMEOUT,
        retry_failed: bool = False,
        adopt: bool = False,
    ) -> None:
        arguments.seconds("timeout", timeout)
        arguments.flag("retry_failed", retry_failed)
        arguments.flag("adopt", adopt)
        arguments.able("pika", pika, "submit", "stats")
        self._listed = [_listed(number, row) for number, row in enumerate(arguments.series("rows", rows), 1)]
        kept = None if store is None else BatchStore(arguments.text("store", store))
        self._folder = BatchFolder(arguments.path("folder", folder), kept)
        self._pika = pika
        self._timeout = timeout
        self._retry_failed, self._adopt = retry_failed, adopt
        self._plan = Plan((), (), 0)
        self._run: BatchRun | None = None
        self._running: asyncio.Task[None] | None = None
        self._closing = AsyncExitStack()
        self.width = 1
        self.notes: list[str] = []

    @property
    def report(self) -> Report:
        """The results of the rows, so far or at the end."""
        return Report(
            folder=self._folder.path,
            rows=tuple(row.entry for row in self._plan.rows),
            lines=tuple(row.listed.line for row in self._plan.rows),
            astray=self._plan.astray,
        )

    @property
    def unanswered(self) -> int:
        """How many orders are under way whose answer has not come."""
        return self._run.unanswered if self._run is not None else 0

    async def __aenter__(self) -> Self:
        if self._run is not None:
            raise ConfigError("This batch was entered before; make another Batch(...) to go on.")
        self._check()
        async with AsyncExitStack() as stack:
            warning = stack.enter_context(self._folder.held())
            self.notes += [warning] if warning else []
            manifest = Manifest(self._folder.manifest)
            run = BatchRun(self._pika, self._folder, manifest, timeout=self._timeout)
            stack.push_async_callback(run.settle)
            if not is_open(self._pika):
                await stack.enter_async_context(self._pika)
            accounts = self._pika.stats()
            self.width = sum(stats.max_concurrency for stats in accounts.values())
            plan = await make_plan(
                self._listed,
                self._folder,
                ledger_of(self._pika),
                sandbox=all(account.endswith(f":{PRETENDED}") for account in accounts),
                retry_failed=self._retry_failed,
                adopt=self._adopt,
            )
            self.notes += plan.notes
            self._folder.try_names(row.file for row in plan.rows if row.entry.state is not RowState.DONE)
            try:
                manifest.replace(plan.entries)
            except OSError as error:
                raise no_room(error) from None
            self._plan, self._run = plan, run
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
        if self._run is None:
            raise ConfigError("The batch is not open yet; use it inside `async with Batch(...) as batch:`.")
        events = self._run.events
        if self._running is None:
            self._running = asyncio.ensure_future(self._run.carry_out(self._plan.rows, self.width))
            self._running.add_done_callback(lambda _: events.put_nowait(None))
        event = await events.get()
        if event is not None:
            return event
        events.put_nowait(None)
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


def _listed(number: int, row: Listed | VideoRequest) -> Listed:
    match row:
        case Listed():
            return row
        case Generate() | Ingredients() | Style() | Edit():
            return Listed(number=number, line=number, request=row)
    raise arguments.refuse(f"row {number} of rows", "a Generate, Ingredients, Style or Edit", row)
