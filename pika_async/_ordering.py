"""Placing an order: checked, handed to the engine, and waited for as far as the caller wants."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Literal

from pika_async import _arguments as check
from pika_async._job import Job, Timeout, Unset
from pika_async._telemetry import span
from pika_async.errors import ConfigError, UnsupportedRequest
from pika_async.requests import Generate, GenerateFields, VideoRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from pika_async._engine.flight import Flight
    from pika_async._engine.orders import Orders
    from pika_async._events import JobEvent
    from pika_async._item import Order
    from pika_async._ledger.change import Change
    from pika_async._ledger.records import JobRecord
    from pika_async._lifecycle import Lifecycle
    from pika_async._options import Options
    from pika_async.results import VideoResult


class Ordering:
    """The ways to order of one client; *timeout* is its own limit of a wait, in seconds."""

    def __init__(self, lifecycle: Lifecycle, options: Options, timeout: float | None) -> None:
        self._lifecycle = lifecycle
        self._callback_url = options.callback_url
        self._timeout = check.seconds("timeout", timeout)

    def limit(self, timeout: Timeout) -> float | None:
        """Return the limit of a wait: that of the call, or else that of the client."""
        return self._timeout if isinstance(timeout, Unset) else check.seconds("timeout", timeout)

    async def video(
        self,
        request: VideoRequest,
        *,
        timeout: Timeout,
        queue_timeout: float | None,
        callback_url: str | Literal[False] | None,
        idempotency_key: str | None,
        on_event: Callable[[JobEvent], object] | None = None,
    ) -> VideoResult:
        """Order, and wait for the video; see `Pika.generate`."""
        orders, limit = self._lifecycle.engine.orders, self.limit(timeout)
        check.seconds("queue_timeout", queue_timeout)
        check.function("on_event", on_event)
        flight = await self._placed(orders, request, callback_url, idempotency_key)
        if on_event is not None:
            from pika_async._events import report

            report(flight, on_event)
        from pika_async._waits import wait_for_bought

        return await wait_for_bought(orders, flight, timeout=limit, queue_timeout=queue_timeout)

    async def job(
        self,
        order: Order,
        fields: GenerateFields,
        *,
        queue_timeout: float | None,
        callback_url: str | Literal[False] | None,
        idempotency_key: str | None,
    ) -> Job:
        """Order, and wait until the provider has it; see `Pika.submit`."""
        orders = self._lifecycle.engine.orders
        check.seconds("queue_timeout", queue_timeout)
        flight = await self._placed(orders, as_request(order, fields), callback_url, idempotency_key)
        from pika_async._waits import wait_for_order

        await wait_for_order(orders, flight, timeout=None, queue_timeout=queue_timeout, accepted=True)
        if flight.error is not None:
            orders.desk.flights.told(flight)
            raise flight.error
        flight.held = True
        return Job(orders, flight)

    async def recorded(
        self,
        order: Order,
        fields: GenerateFields,
        *,
        callback_url: str | Literal[False] | None,
        idempotency_key: str | None,
        connection: object,
    ) -> Job:
        """Order by recording it for the processes that work on the ledger; see `Pika.enqueue`."""
        engine = self._lifecycle.engine
        if not engine.desk.ledger.remembers:
            raise ConfigError("enqueue needs a ledger that other processes share; pass ledger= to Pika.")
        request = as_request(order, fields)
        on: Callable[[JobRecord], Awaitable[Change]] | None = None
        if connection is not None:
            if (create_on := getattr(engine.desk.ledger, "create_on", None)) is None:
                raise ConfigError("connection= needs a ledger on Postgres, in the same database.")
            on = partial(create_on, connection)
        with span("pika.enqueue") as about:
            flight = await self._placed(
                engine.orders, request, callback_url, idempotency_key, kept=True, record_on=on
            )
            about(flight.id)
            tasks = self._lifecycle.tasks
            if tasks is not None and flight.record.newest.state == "queued":
                if connection is None:
                    await tasks.defer(flight.id, flight.account.key)
                elif not flight.recorded:  # an order that was there already has its task
                    await tasks.defer_on(connection, flight.id, flight.account.key)
        return Job(engine.orders, flight)

    async def _placed(
        self,
        orders: Orders,
        request: VideoRequest,
        callback_url: str | Literal[False] | None,
        idempotency_key: str | None,
        *,
        kept: bool = False,
        record_on: Callable[[JobRecord], Awaitable[Change]] | None = None,
    ) -> Flight:
        receiver = check.callback_url("callback_url", callback_url)
        if idempotency_key is not None:
            check.text("idempotency_key", idempotency_key)
        return await orders.buy(
            request,
            callback_url=self._callback_url if receiver is None else receiver,
            idempotency_key=idempotency_key,
            kept=kept,
            record_on=record_on,
        )


def as_request(order: Order, fields: GenerateFields) -> VideoRequest:
    """Make a request of a prompt and *fields*; a request stays as it is, and takes none."""
    if isinstance(order, str):
        try:
            return Generate(order, **fields)
        except UnsupportedRequest as error:
            raise UnsupportedRequest(f"The request is refused: {error.message}") from None
    if fields:
        raise ConfigError(
            f"Put {', '.join(fields)} into the request: submit takes fields with a prompt only."
        )
    return order
