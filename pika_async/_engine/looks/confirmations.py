"""Hints of callbacks: what one calls ended is looked up soon, those of one moment in one request."""

from __future__ import annotations

from collections.abc import Callable
from math import inf

from pika_async._engine.clock import Clock

_TOGETHER = 0.03
_APART = 0.1
_AGAIN = 0.25
_AT_ONCE = 50
_LOOKS = 6
"""How often a task is looked up whose callback said "ended" while the API still says "running"."""


class Confirmations:
    """Hurries look-ups that confirm callbacks; *hurry* puts one first in line, *tick* sends what is due."""

    def __init__(self, hurry: Callable[[str], None], clock: Clock, tick: Callable[[], None]) -> None:
        self._hurry = hurry
        self._clock = clock
        self._tick = tick
        self._hints: dict[str, None] = {}
        self._hinted: dict[str, int] = {}
        self._sent_at = -inf

    def confirm(self, attempt_id: str) -> None:
        """Look a task up soon, for a callback says that it has ended."""
        self._hinted[attempt_id] = 0
        self._hint(attempt_id)

    def __contains__(self, attempt_id: str) -> bool:
        """Return whether a callback said that the task has ended, and no look-up confirmed it yet."""
        return attempt_id in self._hinted

    def forget(self, attempt_id: str) -> None:
        """Expect no confirmation any more."""
        self._hinted.pop(attempt_id, None)

    def _hint(self, attempt_id: str) -> None:
        first = not self._hints
        self._hints[attempt_id] = None
        if len(self._hints) >= _AT_ONCE:
            self._send()
        elif first:
            at = max(self._clock.now() + _TOGETHER, self._sent_at + _APART)
            self._clock.call_at(at, self._send)

    def not_confirmed(self, attempt_id: str, *, failed: bool = False) -> None:
        """Try again later: the look-up failed, or the provider's status API is behind its own callback."""
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
            self._hurry(attempt_id)
        self._tick()
