"""Hints of callbacks: what one calls ended is looked up soon, those of one moment in one request."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from pika_async._engine.clock import Clock
from pika_async._engine.schedule import Schedule

_TOGETHER = 0.03
_APART = 0.1
_AGAIN = 0.25
_LOOKS = 6
"""Looks at a task that a callback calls ended and the provider does not, before the net has it again."""


class Confirmations:
    """Hurries the looks that confirm callbacks; *tick* has the poller send what is due."""

    def __init__(self, schedule: Schedule, clock: Clock, tick: Callable[[], None]) -> None:
        self._schedule = schedule
        self._clock = clock
        self._tick = tick
        self._hints: dict[str, None] = {}
        self._hinted: dict[str, int] = {}
        self._sent_at = -inf

    def confirm(self, attempt_id: str) -> None:
        """Look a task up soon, for a callback says that it has ended."""
        self._hinted[attempt_id] = 0
        self._hint(attempt_id)

    def confirmed(self, attempt_id: str) -> bool:
        """Note that a look found the end; tells whether a callback had told it before."""
        return self._hinted.pop(attempt_id, None) is not None

    def _hint(self, attempt_id: str) -> None:
        first = not self._hints
        self._hints[attempt_id] = None
        if len(self._hints) >= self._schedule.batch:
            self._send()
        elif first:
            at = max(self._clock.now() + _TOGETHER, self._sent_at + _APART)
            self._clock.call_at(at, self._send)

    def not_confirmed(self, attempt_id: str, *, failed: bool = False) -> None:
        """Look at a hinted task again: the look failed, or the provider's left hand lags behind its right."""
        if attempt_id not in self._hinted:
            return
        self._hinted[attempt_id] += not failed
        looks = self._hinted[attempt_id]
        if looks >= _LOOKS:
            del self._hinted[attempt_id]
            return
        self._clock.call_at(self._clock.now() + _AGAIN * 2**looks, lambda: self._hint(attempt_id))

    def _send(self) -> None:
        if not self._hints:
            return
        hints, self._hints = self._hints, {}
        self._sent_at = self._clock.now()
        for attempt_id in hints:
            self._schedule.hurry(attempt_id)
        self._tick()
