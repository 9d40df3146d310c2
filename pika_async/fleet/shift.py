"""The duties of one worker: takes tasks from Procrastinate, sends their jobs, and ends without doubt."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import Final

from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.worker import Worker

from pika_async import AuthError, JobTimeout, LedgerError, Pika, PikaError, __version__
from pika_async._client import engine_of
from pika_async._tasks import CARE, DELIVERIES, SEARCHES, queue_of
from pika_async.fleet import rescue as rescuing
from pika_async.fleet import statements
from pika_async.fleet.app import ElsewhereError, add_tasks
from pika_async.fleet.delivery import Hook, deliver
from pika_async.fleet.options import Work

log = logging.getLogger("pika_async")

_PATIENCE: Final = 20.0
"""Seconds for which a task waits for a slot before its place serves another."""
_REFUSED_FOR: Final = 30.0
"""Seconds for which a worker whose key was refused takes no tasks: others may have a good one."""
_END_WITHIN: Final = 25.0
_PAUSE: Final = 1.0
_POLL: Final = 2.0
"""Seconds between looks for tasks where LISTEN is not heard, behind pgbouncer say."""


class Shift:
    """The duties of one worker, from its first task until it ends."""

    def __init__(self, task: Work, pika: Pika, app: App, hook: Hook | None) -> None:
        self.accounts = tuple(f"{name}:{task.account}" for name in task.providers)
        self._task = task
        self._pika = pika
        self._app = app
        self._hook = hook
        self._delivers = task.out is not None or hook is not None
        self._worker: Worker | None = None
        self._ending = False
        self._refused_until = 0.0
        self._outdated: LedgerError | None = None
        add_tasks(app, delivers=self._delivers)

    async def run(self, stop: asyncio.Event) -> None:
        """Take tasks until *stop* is set; raises `LedgerError` where only newer releases may go on."""

        def end(error: LedgerError) -> None:
            self._outdated = error
            stop.set()

        engine_of(self._pika).attendance.on_outdated = end
        ending = asyncio.create_task(self._end(stop))
        try:
            await self._begin()
            while not self._ending:
                await self._take_tasks()
                await self._pause(stop)
        finally:
            ending.cancel()
            await asyncio.gather(ending, return_exceptions=True)
        if self._outdated is not None:
            raise self._outdated

    async def _begin(self) -> None:
        """Find the orders of before: whoever enqueues when there is no worker yet can give no task."""
        try:
            await rescuing.rescue(self._app, untasked_after=0.0)
        except ConnectorException as error:
            log.warning("the tasks cannot be read yet (%s)", type(error).__name__)

    async def _end(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._ending = True
        if self._worker is not None:
            self._worker.stop()  # type: ignore[no-untyped-call]
        await self._pika.drain()

    async def _take_tasks(self) -> None:
        queues = [CARE, *map(queue_of, self.accounts), *([DELIVERIES, SEARCHES] if self._delivers else [])]
        worker = self._worker = Worker(
            self._app,
            queues=queues,
            name=_label(),
            concurrency=self._task.places,
            fetch_job_polling_interval=_POLL,
            shutdown_graceful_timeout=_END_WITHIN,
            additional_context={"duties": self},
            install_signal_handlers=False,
            update_heartbeat_interval=rescuing.BEAT,
            stalled_worker_timeout=rescuing.SILENT,
        )
        enrolling = asyncio.create_task(self._enrol(worker))
        try:
            await worker.run()  # type: ignore[no-untyped-call]
        except (ConnectorException, OSError) as error:
            log.warning("the tasks cannot be read (%s); trying again", type(error).__name__)
        finally:
            enrolling.cancel()
            await asyncio.gather(enrolling, return_exceptions=True)

    async def _enrol(self, worker: Worker) -> None:
        """Note who works with what."""
        while worker.worker_id is None:  # noqa: ASYNC110 - Procrastinate tells nobody
            await asyncio.sleep(0.05)
        ask = self._app.connector.execute_query_async
        try:
            await ask(
                statements.ENROL,
                worker=worker.worker_id,
                label=_label(),
                version=__version__,
                accounts=list(self.accounts),
                places=self._task.places,
                cap=self._task.max_concurrency,
            )
        except ConnectorException as error:
            log.warning("this worker is not listed: %s", error)

    async def _pause(self, stop: asyncio.Event) -> None:
        if self._ending:
            return
        seconds = max(_PAUSE, self._refused_until - asyncio.get_running_loop().time())
        try:
            async with asyncio.timeout(seconds):
                await stop.wait()
        except TimeoutError:
            return

    async def trouble(self) -> str | None:
        """Return why this worker takes no tasks; None if it does."""
        if self._ending:
            return "ending"
        if self._worker is None or self._worker.worker_id is None:
            return "the worker does not run; its key was refused, or the database does not answer"
        try:
            async with asyncio.timeout(2.0):
                await self._app.check_connection_async()
        except (ConnectorException, OSError, TimeoutError):
            return "the database does not answer"
        return None

    async def process(self, job_id: str) -> None:
        """Bring a job to the provider; whoever polls its account sees the rest."""
        if self._ending:
            raise JobTimeout("The worker ends; the task goes to another.", charged="no")
        await self._check_it_is_ours(job_id)
        try:
            await self._pika.process(job_id, accepted=True, patience=_PATIENCE)
        except AuthError as error:
            self._refused(error)
            raise
        except PikaError:
            await self._check_it_is_ours(job_id)
            raise

    async def _check_it_is_ours(self, job_id: str) -> None:
        """Raise `ElsewhereError` for a job that goes on with a provider which this worker does not serve."""
        record = await engine_of(self._pika).desk.ledger.get(job_id)
        if record is not None and record.newest.account not in self.accounts:
            raise ElsewhereError(record.newest.account)

    def _refused(self, error: PikaError) -> None:
        """Take no tasks for a while: a key that is refused must not draw in the orders of good ones."""
        if self._refused_until < asyncio.get_running_loop().time():
            log.error("this worker takes no tasks for %g s: %s", _REFUSED_FOR, error.message)
        self._refused_until = asyncio.get_running_loop().time() + _REFUSED_FOR
        if self._worker is not None:
            self._worker.stop()  # type: ignore[no-untyped-call]

    async def deliver(self, job_id: str, account: str) -> None:
        """Bring a finished video to where it belongs, and tell the user's code."""
        await deliver(self._pika, job_id, account, self._task.out, self._hook)

    async def rescue(self) -> None:
        """Give tasks to orders that lost them, and other workers to tasks that did."""
        await rescuing.rescue(self._app)

    async def tidy(self) -> None:
        """Forget tasks that ended long ago."""
        await rescuing.tidy(self._app, [*map(queue_of, self.accounts), DELIVERIES])

    async def seek(self) -> None:
        """Give tasks to finished videos that nobody delivered."""
        await rescuing.seek(self._app, self.accounts)


def _label() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
