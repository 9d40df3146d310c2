"""The database's clock as this process knows it: what it said last, and what has passed here since."""

from __future__ import annotations

import time
from collections.abc import Callable


class DatabaseClock:
    """Told by each statement that reads the clock; *wall*, for tests, is what stamps are made by instead."""

    def __init__(self, wall: Callable[[], float] | None = None) -> None:
        self._wall = wall
        self._ahead = time.time() - time.monotonic()

    def told(self, seconds: float) -> None:
        """Take over what the database says."""
        self._ahead = seconds - time.monotonic()

    def database(self) -> float:
        """Return the database's time, in wall-clock seconds."""
        return time.monotonic() + self._ahead

    def now(self) -> float:
        """Return the time by which the ledger stamps."""
        return self.database() if self._wall is None else self._wall()
