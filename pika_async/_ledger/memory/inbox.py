"""The callbacks that a ledger has received and nobody has dealt with yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from pika_async._ledger.records import CALLBACKS_PER_ATTEMPT, Received

_REMEMBERED = 10_000


class Inbox:
    """Keeps callbacks until they are dealt with, and knows repeats; of both the oldest are forgotten."""

    def __init__(self) -> None:
        self.waiting: dict[int, Received] = {}
        self._had: dict[str, set[bytes]] = {}
        self._received = 0

    def put(self, attempt_id: str, body: bytes, headers: Mapping[str, str], now: float) -> bool:
        """Keep a callback; False for a repeat, or when the attempt has had too many."""
        had = self._had.setdefault(attempt_id, set())
        if len(self._had) > _REMEMBERED:
            del self._had[next(iter(self._had))]
        if body in had or len(had) >= CALLBACKS_PER_ATTEMPT:
            return False
        had.add(body)
        self._received += 1
        self.waiting[self._received] = Received(
            id=self._received, attempt_id=attempt_id, received_at=now, headers=headers, body=body
        )
        if len(self.waiting) > _REMEMBERED:
            del self.waiting[next(iter(self.waiting))]
        return True

    def pending(self, limit: int, after: int) -> Sequence[Received]:
        """Read the callbacks nobody has dealt with, oldest first."""
        newer = (received for received in self.waiting.values() if received.id > after)
        return list(islice(newer, limit))

    def done(self, received_id: int) -> None:
        """Mark a callback as dealt with."""
        self.waiting.pop(received_id, None)
