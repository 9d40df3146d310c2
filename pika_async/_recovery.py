"""What `recover` returns: jobs to be taken over, all at once or one by one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from typing import TYPE_CHECKING, Any

from pika_async._crossing import process_bound
from pika_async._job import Job

if TYPE_CHECKING:
    from pika_async._engine.orders import Orders


@process_bound("hand over the token of each job, and call pika.job(token) in the other process")
class Recovered(AsyncIterator[Job]):
    """`await` takes over every job and returns a list; `async for` takes them over one by one.

    Nothing is taken over before that.
    """

    def __init__(self, orders: Orders, *, queued: bool) -> None:
        self._orders = orders
        self._flights = orders.resuming.recover(queued=queued)

    async def __anext__(self) -> Job:
        flight = await anext(self._flights)
        flight.held = True
        return Job(self._orders, flight)

    async def _all(self) -> list[Job]:
        return [job async for job in self]

    def __await__(self) -> Generator[Any, None, list[Job]]:
        return self._all().__await__()
