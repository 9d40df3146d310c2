"""The database's clock as this process knows it: what it said last, and what has passed here since."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

log = logging.getLogger("pika_async")

_LEAP: Final = 5.0
"""Seconds by which a clock may differ from what passed here: S of docs/pay-once.md."""
_UNSTEADY: Final = 60.0


class DatabaseClock:
    """Told by each statement that reads the clock; *wall*, for tests, is what stamps are made by instead."""

    def __init__(self, wall: Callable[[], float] | None = None) -> None:
        self._wall = wall
        self._ahead = time.time() - time.monotonic()
        self._is_told = False
        self._unsteady_until = 0.0

    def told(self, seconds: float) -> None:
        """Take over what the database says."""
        ahead, now = seconds - time.monotonic(), time.monotonic()
        if self._is_told and abs(ahead - self._ahead) > _LEAP:
            self._unsteady_until = now + _UNSTEADY
            log.warning(
                "the clock of the database leapt by %.0f s; nothing is sent for %d s, because leases and "
                "deadlines were counted by it",
                ahead - self._ahead,
                _UNSTEADY,
            )
        self._ahead, self._is_told = ahead, True

    @property
    def unsteady_until(self) -> float:
        """Return until when, in the ledger's time, no claim may rest on this clock."""
        left = self._unsteady_until - time.monotonic()
        return self.now() + left if left > 0 else 0.0

    def database(self) -> float:
        """Return the database's time, in wall-clock seconds."""
        return time.monotonic() + self._ahead

    def now(self) -> float:
        """Return the time by which the ledger stamps."""
        return self.database() if self._wall is None else self._wall()
