"""Whether a transfer is too slow to be waited for. Pure: the seconds are told."""

from __future__ import annotations

from attrs import define


@define
class Pace:
    """Judges a transfer once per *window* seconds that were spent waiting for its bytes.

    *least* is in bytes per second. Time in which nobody waited, as while a disk was written, counts nothing.
    """

    least: float
    window: float
    _bytes: int = 0
    _seconds: float = 0.0

    def is_too_slow(self, came: int, waited: float) -> bool:
        """Count *came* bytes for which *waited* seconds were spent, and return whether it is too slow now.

        >>> pace = Pace(least=100, window=10)
        >>> pace.is_too_slow(500, 9), pace.is_too_slow(100, 1), pace.is_too_slow(5000, 10)
        (False, True, False)
        """
        self._bytes += came
        self._seconds += waited
        if self._seconds < self.window:
            return False
        slow = self._bytes < self.least * self._seconds
        self._bytes, self._seconds = 0, 0.0
        return slow
