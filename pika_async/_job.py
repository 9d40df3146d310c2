"""The handle of one job: wait for it, look at it, or take its token elsewhere."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from pika_async import _arguments as check
from pika_async._crossing import process_bound
from pika_async._plain import plain
from pika_async.errors import BadReply, JobTimeout, PikaError
from pika_async.results import JSON, State, VideoResult

if TYPE_CHECKING:
    from pika_async._engine.engine import Engine
    from pika_async._engine.flight import Flight
    from pika_async._events import JobEvents

DEFAULT_TIMEOUT = 900.0


@process_bound("hand over job.token, and call pika.job(token) in the other process")
class Job:
    """One video order under way, or ended. `await job` gives the video.

    A job outlives its client: keep `token`, and `pika.job(token)` goes on in any process on any day.
    """

    __slots__ = ("__weakref__", "_engine", "_flight")

    def __init__(self, engine: Engine, flight: Flight) -> None:
        self._engine = engine
        self._flight = flight

    @property
    def id(self) -> str:
        """Our own random id of the job."""
        return self._flight.id

    @property
    def token(self) -> str:
        """Portable text without secrets that any process turns back into this job."""
        from pika_async._token import JobToken

        account = self._flight.account
        return JobToken(
            job_id=self.id, provider=account.name, label=account.label, task=self._flight.task
        ).encode()

    @property
    def provider(self) -> str:
        """The name of the provider that has the job, or will get it."""
        return self._flight.account.name

    @property
    def state(self) -> State:
        """What was last known; `status()` looks again."""
        return self._flight.state

    @property
    def progress(self) -> float | None:
        """How far the render is, from 0 to 1, where the provider tells."""
        return getattr(self._flight.snapshot, "progress", None)

    @property
    def results(self) -> tuple[VideoResult, ...]:
        """Every video of the job; empty before it has succeeded."""
        return getattr(self._flight.snapshot, "results", ())

    @property
    def trace_id(self) -> str | None:
        """The provider's id for its support."""
        return getattr(self._flight.snapshot, "trace_id", None)

    @property
    def cost(self) -> float | None:
        """What the job cost, in the provider's own unit, where it tells."""
        return getattr(self._flight.snapshot, "cost", None)

    @property
    def raw(self) -> JSON:
        """The provider's own words about the task when they were last read."""
        return getattr(self._flight.snapshot, "raw", None)

    async def wait(self, timeout: float | None = DEFAULT_TIMEOUT) -> VideoResult:
        """Wait for the video.

        *timeout* is in seconds, from the later of now and the POST. Raises `JobTimeout` when it is over (the
        job goes on), `JobFailed`, `JobUnresolved`, or the error with which the provider refused.
        """
        from pika_async._engine.verdict import in_doubt, unresolved

        check.seconds("timeout", timeout)
        flight = self._flight
        await self._engine.resume(flight)
        if (doubtful := in_doubt(flight.record)) is not None and not flight.ended:
            raise self._engine.explain(flight, unresolved(doubtful))
        await wait_for(self._engine, flight, timeout=timeout)
        return first_result(self._engine, flight)

    async def status(self) -> State:
        """Ask the provider now, within the account's budget of look-ups, and give the state."""
        flight = self._flight
        await self._engine.resume(flight)
        await self._engine.look(flight)
        return flight.state

    def events(self) -> JobEvents:
        """Return what happens to the job: its state now, every change, and the end."""
        from pika_async._events import JobEvents

        return JobEvents(self._engine, self._flight)

    async def resubmit(self) -> None:
        """Order an unresolved job once more, on your word: the first one may turn out to be paid as well."""
        await self._engine.settle_by_word(self._flight, resubmit=True)

    async def abandon(self) -> None:
        """Return an unresolved job up, on your word; a video that still turns up is kept."""
        await self._engine.settle_by_word(self._flight, resubmit=False)

    def __await__(self) -> Generator[Any, None, VideoResult]:
        return self.wait().__await__()

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state} on {self.provider}>"


@plain.register
def _plain_job(job: Job) -> str:
    return job.token


async def wait_for(
    engine: Engine,
    flight: Flight,
    *,
    timeout: float | None,
    queue_timeout: float | None = None,
    accepted: bool = False,
) -> None:
    """Wait until *flight* has ended, or is *accepted*; raises `JobTimeout`, and what ends a wait alone."""
    from pika_async._engine.flight import NoSlotError, Phase

    phase = Phase.ACCEPTED if accepted else Phase.ENDED
    try:
        await flight.wait(phase, timeout=timeout, queue_timeout=queue_timeout)
    except PikaError:
        raise
    except NoSlotError:
        if flight.awaited or await engine.cancel_unsent(flight):
            raise not_queued(engine, flight, queue_timeout) from None
        # Its slot came in that very moment: the wait for the video begins.
        await wait_for(engine, flight, timeout=timeout, accepted=accepted)
    except TimeoutError:
        raise timed_out(engine, flight, timeout) from None


def not_queued(engine: Engine, flight: Flight, queue_timeout: float | None) -> PikaError:
    """Make the error for a job that got no slot in time; it is cancelled unless others wait for it."""
    what = "the job still waits for another caller" if flight.awaited else "nothing was bought"
    return engine.explain(
        flight,
        JobTimeout(
            f"No slot was free within {queue_timeout:g} s and {what}; raise max_concurrency or "
            "queue_timeout, or call again later.",
            charged="unknown" if flight.awaited else "no",
            retryable=not flight.awaited,
            phase="submit",
        ),
    )


def timed_out(engine: Engine, flight: Flight, timeout: float | None) -> PikaError:
    """Make the error for a wait that is over while the job goes on."""
    from pika_async._engine.verdict import spent

    return engine.explain(
        flight,
        JobTimeout(
            f"The video was not ready within {timeout:g} s; the job goes on: wait for error.job, or run "
            "`pika-async fetch` with its token.",
            charged=spent(flight.record),
            phase="poll",
        ),
    )


def first_result(engine: Engine, flight: Flight) -> VideoResult:
    """Return the first video of an ended job, or raise its error."""
    if flight.error is not None:
        raise flight.error
    results: tuple[VideoResult, ...] = getattr(flight.snapshot, "results", ())
    video = next((r for r in results if r.state is State.SUCCEEDED), None)
    if video is None:
        raise engine.explain(flight, BadReply("The adapter reported success without a video; report it."))
    return video
