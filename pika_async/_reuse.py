"""The video of an equal request, bought before and still to be had: `Pika(reuse=...)`."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, get_args

from attrs import frozen

from pika_async._stored import find
from pika_async._waits import end_of
from pika_async.errors import PikaError
from pika_async.requests import VideoRequest

if TYPE_CHECKING:
    from pika_async._download.media import MediaSession
    from pika_async._engine.flight import Flight
    from pika_async._engine.orders import Orders
    from pika_async._ledger.records import JobRecord
    from pika_async.results import VideoResult

_PAGE = 100


@frozen
class Reuse:
    """Finds a job that ended with a video within *age* from its order, on the accounts of this client."""

    age: timedelta
    orders: Orders
    session: Callable[[], MediaSession]

    async def __call__(self, request: VideoRequest) -> Flight | None:
        """Return the newest job that asked for what *request* asks for, and whose video can be read now."""
        from pika_async._engine.digest import digest
        from pika_async._engine.files import hashes

        wanted = digest(request, await hashes(request))
        oldest = self.orders.desk.ledger.now() - self.age.total_seconds()
        before = None
        while page := await self.orders.jobs("succeeded", _PAGE, before):
            for flight in page:
                if flight.record.created_at < oldest:
                    return None
                if _digest(flight.record) == wanted and await self._is_there(flight):
                    flight.reused = True
                    return flight
            before = page[-1].id
        return None

    async def _is_there(self, flight: Flight) -> bool:
        """Return whether the provider still has the video, or else a copy is where it was saved."""
        copies = self.orders.origins.copies
        copies.pop(flight.id, None)
        try:
            video = end_of(self.orders, flight)
        except PikaError:
            return False
        if await self._is_reachable(video):
            return True
        if (copy := await find(self.orders.desk.ledger, flight.id, video.id)) is None:
            return False
        copies[flight.id] = copy
        return True

    async def _is_reachable(self, video: VideoResult) -> bool:
        """Read the first bytes of the video, as a download does."""
        from pika_async._fetching import stream

        try:
            async with stream(lambda: self.orders, self.session, video) as chunks:
                return bool(await anext(chunks, b""))
        except PikaError:
            return False


def _digest(record: JobRecord) -> str | None:
    """Return the digest of what a job asked for; None where the ledger does not know it whole."""
    from pika_async._engine.digest import current_digest, digest

    if record.digest is not None or not isinstance(record.request, get_args(VideoRequest)):
        return current_digest(record)
    try:
        return digest(record.request, record.files or {})
    except KeyError:  # a file whose hash was not recorded
        return None
