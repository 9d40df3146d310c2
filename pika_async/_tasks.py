"""The tasks that bring recorded jobs to workers: their names and queues, and how an order gets one.

Procrastinate delivers them, from tables in the database of the ledger. The ledger stays the only truth: a
task says no more than "look at this job", and one too many does no harm.
"""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from pika_async._secret import Secret

if TYPE_CHECKING:
    from procrastinate import App

log = logging.getLogger("pika_async")

PROCESS: Final = "pika.process"
DELIVER: Final = "pika.deliver"
RESCUE: Final = "pika.rescue"
SEEK: Final = "pika.seek"
TIDY: Final = "pika.tidy"
CARE: Final = "pika1 care"
"""The queue of what any worker may do."""
DELIVERIES: Final = "pika1 deliver"
SEARCHES: Final = "pika1 seek"

_CONNECTIONS: Final = 1
_PATIENCE: Final = 5.0


def queue_of(account: str) -> str:
    """Return the queue of an account: only workers that can serve it listen there.

    The number is that of the tasks' form. A release that changes it leaves the older tasks to older workers.

    >>> queue_of("acedata:default")
    'pika1 acedata:default'
    """
    return f"pika1 {account}"


def task_of(job_id: str, account: str) -> dict[str, Any]:
    """Return how the task of a job is configured; there is at most one that waits for each job."""
    return {"name": PROCESS, "queue": queue_of(account), "queueing_lock": job_id}


def connected(dsn: Secret, connections: int = _CONNECTIONS) -> App:
    """Return an app of Procrastinate on *dsn*, not open yet, with at most so many connections."""
    from procrastinate import App, PsycopgConnector

    connector = PsycopgConnector(
        conninfo=dsn.reveal(),
        # A pool such as pgbouncer may run the next statement elsewhere.
        kwargs={"prepare_threshold": None},
        min_size=0,
        max_size=connections,
        timeout=_PATIENCE,
    )
    return App(connector=connector)


class Tasks:
    """Gives enqueued orders their tasks. What it cannot do, the workers' rescue does."""

    def __init__(self, dsn: Secret) -> None:
        self._dsn = dsn
        self._app: App | None = None
        self._missing = find_spec("procrastinate") is None
        self._ready = False

    async def defer_on(self, connection: Any, job_id: str, account: str) -> None:
        """Put a job on the queue of its account in the open transaction of *connection*."""
        if self._missing:
            return
        cursor = await connection.execute("SELECT to_regclass('procrastinate_jobs') IS NOT NULL AS made")
        row = await cursor.fetchone()
        if row and (row["made"] if isinstance(row, dict) else row[0]):
            app = connected(self._dsn)
            task = app.configure_task(**task_of(job_id, account), connection=connection)
            await task.defer_async(job_id=job_id)

    async def defer(self, job_id: str, account: str) -> None:
        """Put a recorded job on the queue of its account; never raises, for the order is safe already."""
        if self._missing:
            return
        from procrastinate.exceptions import AlreadyEnqueued, ProcrastinateException

        try:
            app = await self._opened()
            if app is not None:
                await app.configure_task(**task_of(job_id, account)).defer_async(job_id=job_id)
        except AlreadyEnqueued:
            pass
        except (ProcrastinateException, OSError) as error:
            log.warning("job %s: has no task yet (%s); a worker finds it", job_id, type(error).__name__)

    async def _opened(self) -> App | None:
        """Return the app; None where no worker ever made its tables, because another queue is used."""
        if self._app is None:
            app = connected(self._dsn)
            await app.open_async()
            self._app = app
        if not self._ready:
            self._ready = await self._app.check_connection_async()
        return self._app if self._ready else None

    async def aclose(self) -> None:
        """Let the connections go."""
        app, self._app = self._app, None
        if app is not None:
            await app.close_async()
