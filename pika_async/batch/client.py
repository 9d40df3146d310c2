"""What a batch needs of an open client beyond its public methods, in one place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pika_async._client import Pika
    from pika_async._download.media import MediaSession
    from pika_async._job import Job
    from pika_async._ledger import Ledger
    from pika_async._registry import Loaded
    from pika_async.requests import VideoRequest


def adapters_of(pika: Pika) -> Sequence[Loaded]:
    """Return the adapters of *pika*, open or not, in order of preference."""
    return pika._options.loaded  # noqa: SLF001


def ledger_of(pika: Pika) -> Ledger:
    """Return the open ledger of an open client."""
    return pika._lifecycle.engine.desk.ledger  # noqa: SLF001


def media_session(pika: Pika) -> MediaSession:
    """Return the connections to media hosts of an open client, which closes them."""
    return pika._lifecycle.media()  # noqa: SLF001


def is_open(pika: Pika) -> bool:
    """Return whether *pika* is open."""
    return pika._lifecycle.is_open  # noqa: SLF001


async def reusable(pika: Pika, request: VideoRequest) -> Job | None:
    """Return the job that *pika* returns again for an equal request, where it was told to do so."""
    from pika_async._job import Job

    orders = pika._lifecycle.engine.orders  # noqa: SLF001
    flight = None if orders.reuse is None else await orders.reuse(request)
    return None if flight is None else Job(orders, flight)


def has_memory_only(pika: Pika) -> bool:
    """Return whether *pika* forgets its jobs when it is closed."""
    from pika_async._ledger.memory import MemoryLedger

    ledger = pika._options.ledger  # noqa: SLF001
    return ledger is None or isinstance(ledger, MemoryLedger)
