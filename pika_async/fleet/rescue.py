"""Orders without a task, tasks without a worker, and videos that nobody delivered: found and given on."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from procrastinate import App
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from procrastinate.jobs import Job, Status

from pika_async._tasks import CARE, DELIVER, DELIVERIES, SEARCHES, task_of
from pika_async.fleet import statements

log = logging.getLogger("pika_async")

BEAT: Final = 3.0
SILENT: Final = 12.0
"""Seconds between the signs of life of a worker, and after how many without one it counts as dead."""
_AT_ONCE: Final = 500
_OURS: Final = "pika."
_KEPT_HOURS: Final = 72


async def rescue(app: App, untasked_after: float = statements.UNTASKED_AFTER) -> None:
    """Bring the tasks of dead workers, and orders without a task for some seconds, back to the queue."""
    await app.job_manager.prune_stalled_workers(SILENT)
    await app.connector.execute_query_async(statements.GONE)
    for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=SILENT):
        if job.task_name.startswith(_OURS):
            await _bring_back(app, job)
    while True:
        found = await app.connector.execute_query_all_async(
            statements.WITHOUT_TASK, after=untasked_after, limit=_AT_ONCE
        )
        for order in found:
            job_id, account = order["job_id"], order["account"]
            try:
                await app.configure_task(**task_of(job_id, account)).defer_async(job_id=job_id)
            except AlreadyEnqueued:
                continue
            log.info("job %s: had no task and has one again", job_id)
        if len(found) < _AT_ONCE:
            return


async def _bring_back(app: App, job: Job) -> None:
    periodic = job.task_kwargs.get("timestamp") is not None
    try:
        if periodic:
            await app.job_manager.finish_job(job, Status.ABORTED, delete_job=True)
        else:
            await app.job_manager.retry_job(job)
    except ConnectorException as error:
        # Its worker lives after all and has ended it, or another task for the same job waits already.
        log.debug("task %s: not brought back: %s", job.id, error)


async def tidy(app: App, queues: Sequence[str]) -> None:
    """Forget tasks that ended: what comes back every few seconds after an hour, the others after days."""
    for queue in (CARE, SEARCHES):
        await app.job_manager.delete_old_jobs(1, queue=queue, include_failed=True, include_aborted=True)
    for queue in queues:
        await app.job_manager.delete_old_jobs(_KEPT_HOURS, queue=queue)


async def seek(app: App, accounts: Sequence[str]) -> None:
    """Give a delivery to every finished video of the tasks that has none."""
    found = await app.connector.execute_query_all_async(
        statements.UNDELIVERED, accounts=list(accounts), limit=_AT_ONCE
    )
    for video in found:
        job_id, account = video["job_id"], video["account"]
        task = app.configure_task(DELIVER, queue=DELIVERIES, queueing_lock=f"{DELIVER} {job_id}")
        try:
            await task.defer_async(job_id=job_id, account=account)
        except AlreadyEnqueued:
            continue
