"""The handle of one job: wait for it, look at it, or take its token elsewhere."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from pika_async import _arguments as check
from pika_async._crossing import process_bound
from pika_async._plain import plain
from pika_async.results import JSON, Cancelled, State, VideoResult

if TYPE_CHECKING:
    from pika_async._engine.flight import Flight
    from pika_async._engine.orders import Orders
    from pika_async._events import JobEvents

DEFAULT_TIMEOUT: Final = 900.0


class Unset(Enum):
    """Stands for what a call leaves to its client, or a client to its provider."""

    CLIENTS = "the client's"
    PROVIDERS = "the provider's"


Timeout: TypeAlias = float | Literal[Unset.CLIENTS] | None


@process_bound("hand over job.token, and call pika.job(token) in the other process")
class Job:
    """One video order under way, or ended. `await job` returns the video.

    A job continues without its client: keep `token`, and use `pika.job(token)` in any process at any time.
    """

    __slots__ = ("__weakref__", "_flight", "_orders")

    def __init__(self, orders: Orders, flight: Flight) -> None:
        self._orders = orders
        self._flight = flight

    @property
    def id(self) -> str:
        """Our own random id of the job."""
        return self._flight.id

    @property
    def token(self) -> str:
        """Portable text without secrets that any process turns back into this job."""
        return self._flight.token

    @property
    def provider(self) -> str:
        """The name of the provider that has the job, or will get it."""
        return self._flight.account.name

    @property
    def why_provider(self) -> str:
        """Why that provider has the job: its place, its price, or an earlier refusal."""
        from pika_async._engine.choosing import why

        flight = self._flight
        return why(flight.record, flight.why or "the ledger or the token says so")

    @property
    def reused(self) -> bool:
        """Whether an equal order has returned this job again and bought nothing; see `Pika(reuse=...)`."""
        return self._flight.reused

    @property
    def stored(self) -> str | None:
        """Where a whole copy of the video lies, for a job that was reused because of it; its link is gone."""
        copy = self._orders.origins.copies.get(self.id)
        return None if copy is None else copy.place

    @property
    def state(self) -> State:
        """What was last known; `refresh()` asks the provider."""
        return self._flight.state

    @property
    def progress(self) -> float | None:
        """How far the render is, from 0 to 1, where the provider tells."""
        return getattr(self._flight.snapshot, "progress", None)

    @property
    def results(self) -> tuple[VideoResult, ...]:
        """Every video of the job; empty before it has succeeded."""
        results: tuple[VideoResult, ...] = getattr(self._flight.snapshot, "results", ())
        if results:
            self._orders.desk.flights.told(self._flight)
        return results

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
        """Wait for the video; `await job` does the same without a time limit.

        *timeout* is in seconds, from the later of now and the POST; None is no limit. Raises `JobTimeout`
        when it is over (the job goes on), `JobFailed`, `JobUnresolved`, or the error with which the provider
        refused. Costs nothing.
        """
        from pika_async._waits import wait_for_video

        check.seconds("timeout", timeout)
        return await wait_for_video(self._orders, self._flight, timeout)

    async def refresh(self) -> State:
        """Ask the provider now, within the account's budget of look-ups, and return the state."""
        flight = self._flight
        await self._orders.resuming.resume(flight)
        await self._orders.resuming.refresh(flight)
        return flight.state

    async def status(self) -> State:
        """Do what `refresh` does, under its old name, until 0.3."""
        warnings.warn("job.status() is now job.refresh().", DeprecationWarning, stacklevel=2)
        return await self.refresh()

    def events(self) -> JobEvents:
        """Return what happens to the job: its state now, every change, and the end."""
        from pika_async._events import JobEvents

        return JobEvents(self._orders, self._flight)

    async def cancel(self, *, remote: bool = False) -> Cancelled:
        """Give the job up if it was never sent, at no cost; what was sent goes on and is not lost.

        A job that waits for a slot is unsent. With *remote* the provider is asked to stop what was sent,
        where it supports that. It may finish and bill the video all the same; the job then returns it. The
        end of a wait or the closing of a client never asks it. Raises `PikaError` where the provider does not
        answer, and `LedgerError` while the ledger fails: another process may send the job until it works.
        """
        return await self._orders.decisions.cancel(self._flight, remote=check.flag("remote", remote))

    async def resubmit(self) -> None:
        """Order an unresolved job once more, on your word: the first one may turn out to be paid as well."""
        await self._orders.decisions.settle_by_word(self._flight, resubmit=True)

    async def abandon(self) -> None:
        """Give an unresolved job up, on your word; a video that still turns up is kept."""
        await self._orders.decisions.settle_by_word(self._flight, resubmit=False)

    def __await__(self) -> Generator[Any, None, VideoResult]:
        return self.wait(None).__await__()

    def __repr__(self) -> str:
        return f"<Job {self.id} {self.state} on {self.provider}>"

    def _repr_html_(self) -> str:
        from html import escape

        done = "" if self.progress is None else f", {self.progress:.0%}"
        cost = "" if self.cost is None else f", cost {self.cost:g}"
        line = f"Job {self.id}: {self.state} on {self.provider}{done}{cost}"
        return f"<p>{escape(line)}</p>" + "".join(video._repr_html_() for video in self.results)


@plain.register
def _plain_job(job: Job) -> str:
    return job.token
