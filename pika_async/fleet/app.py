"""What a worker does with each kind of task, and when a task that failed is tried again."""

from __future__ import annotations

from typing import Final, Protocol

from procrastinate import App, BaseRetryStrategy, JobContext, RetryDecision
from procrastinate.jobs import Job

from pika_async import errors
from pika_async._tasks import CARE, DELIVER, DELIVERIES, PROCESS, RESCUE, SEARCHES, SEEK, TIDY, queue_of

_RESCUE_EVERY: Final = "* * * * * */10"
_SEEK_EVERY: Final = "* * * * * */5"
_TIDY_EVERY: Final = "17 * * * *"
_SLOWEST: Final = 600
_DELIVERIES_AT_MOST: Final = 20


class Duties(Protocol):
    """What tasks ask of the worker that has them."""

    async def process(self, job_id: str) -> None:
        """Bring a job to the provider."""

    async def deliver(self, job_id: str, account: str) -> None:
        """Bring a finished video to where it belongs."""

    async def rescue(self) -> None:
        """Give tasks to the orders, and workers to the tasks, that lost them."""

    async def tidy(self) -> None:
        """Forget tasks that ended long ago."""

    async def seek(self) -> None:
        """Give tasks to the finished videos that nobody delivered."""


class ElsewhereError(Exception):
    """The job is to be sent on *account*, which this worker does not serve."""

    def __init__(self, account: str) -> None:
        super().__init__(f"the job went on to {account}")
        self.account = account


class Sending(BaseRetryStrategy):
    """An order that was not sent comes again: at once to another worker, later where waiting may help."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return when to try again; None for what no try mends."""
        if isinstance(exception, ElsewhereError):
            return RetryDecision(retry_in={"seconds": 0}, queue=queue_of(exception.account))
        seconds = again_in(exception, job.attempts)
        return None if seconds is None else RetryDecision(retry_in={"seconds": seconds})


class Delivering(BaseRetryStrategy):
    """A delivery that failed is tried again, ever more rarely, for some hours."""

    def get_retry_decision(
        self,
        *,
        exception: BaseException,  # noqa: ARG002 - whatever went wrong may be mended meanwhile
        job: Job,
    ) -> RetryDecision | None:
        """Return when to try again; None after the last try."""
        if job.attempts >= _DELIVERIES_AT_MOST:
            return None
        return RetryDecision(retry_in={"seconds": min(_SLOWEST, 2 ** min(job.attempts, 10))})


def again_in(error: BaseException, tries: int) -> int | None:
    """Return after how many seconds an order that *error* kept unsent is tried again.

    >>> again_in(errors.AuthError("The key is refused."), 0)
    0
    >>> again_in(errors.ProviderUnavailable("Nothing was sent."), 2)
    15
    """
    later = min(60, 5 * (tries + 1))
    match error:
        case errors.RateLimited(retry_after=float() | int() as seconds):
            return int(seconds)
        case errors.AuthError() | errors.JobTimeout():
            return 0  # another worker's key, or its slots, may do
        case errors.LedgerError():
            return 2
        case errors.ConfigError() | errors.UnsupportedRequest():
            return None
        case _:
            return later


def add_tasks(app: App, *, delivers: bool) -> None:
    """Register the tasks; a worker that *delivers* also looks for videos that nobody delivered."""

    @app.task(name=PROCESS, pass_context=True, retry=Sending())
    async def process(context: JobContext, job_id: str) -> None:
        await _duties(context).process(job_id)

    @app.periodic(cron=_RESCUE_EVERY)
    @app.task(name=RESCUE, queue=CARE, queueing_lock=RESCUE, pass_context=True)
    async def rescue(context: JobContext, timestamp: int) -> None:  # noqa: ARG001
        await _duties(context).rescue()

    @app.periodic(cron=_TIDY_EVERY)
    @app.task(name=TIDY, queue=CARE, queueing_lock=TIDY, pass_context=True)
    async def tidy(context: JobContext, timestamp: int) -> None:  # noqa: ARG001
        await _duties(context).tidy()

    if delivers:

        @app.task(name=DELIVER, queue=DELIVERIES, pass_context=True, retry=Delivering())
        async def deliver(context: JobContext, job_id: str, account: str) -> None:
            await _duties(context).deliver(job_id, account)

        @app.periodic(cron=_SEEK_EVERY)
        @app.task(name=SEEK, queue=SEARCHES, queueing_lock=SEEK, pass_context=True)
        async def seek(context: JobContext, timestamp: int) -> None:  # noqa: ARG001
            await _duties(context).seek()


def _duties(context: JobContext) -> Duties:
    duties: Duties = context.additional_context["duties"]
    return duties
