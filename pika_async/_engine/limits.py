"""How much an account may do at once and per second, submits only; polls are the schedule's matter."""

from __future__ import annotations

from email.utils import parsedate_to_datetime

from attrs import define

POSTS_AT_ONCE = 64
"""POSTs on the wire at once; wider gains nothing on one loop, and the claim-to-byte time must stay short."""


@define
class Limits:
    """Slots for jobs in flight, and a pace of submits that halves on a 429 and grows back.

    Times are monotonic seconds, handed in. *spacing* is seconds between two submits, 0 for no pace.
    """

    max_concurrency: int
    in_flight: int = 0
    on_the_wire: int = 0
    spacing: float = 0.0
    _next_at: float = 0.0
    _recent: float = 0.0
    _recent_at: float = 0.0

    def start(self, now: float) -> bool:
        """Take a slot and a place on the wire, if both and the pace allow."""
        if self.in_flight >= self.max_concurrency or self.on_the_wire >= POSTS_AT_ONCE or now < self._next_at:
            return False
        self.in_flight += 1
        self.on_the_wire += 1
        self._next_at = max(self._next_at, now + self.spacing) if self.spacing else self._next_at
        self._note(now)
        return True

    def wait_until(self, now: float) -> float | None:
        """Return the time at which the pace allows the next submit, None when only a slot is missing."""
        return self._next_at if self._next_at > now else None

    def hold(self, until: float) -> None:
        """Start nothing before *until*."""
        self._next_at = max(self._next_at, until)

    def adopt(self) -> None:
        """Count a job that is in flight already; this may exceed the cap, because it reports reality."""
        self.in_flight += 1

    def off_the_wire(self) -> None:
        """Note that a POST is answered or lost."""
        self.on_the_wire -= 1

    def release(self) -> None:
        """Return a slot back."""
        self.in_flight -= 1

    def accepted(self) -> None:
        """Speed up a little: the provider took one."""
        if self.spacing:
            self.spacing *= 0.95
            if self.spacing < 0.001:
                self.spacing = 0.0

    def throttled(self, now: float, retry_after: float | None) -> None:
        """Halve the pace after a 429, and wait as long as the provider asks."""
        rate = max(self._recent, 1.0)
        self.spacing = min(max(2 * self.spacing, 2 / rate), 60.0) if now >= self._next_at else self.spacing
        self._next_at = max(self._next_at, now + (retry_after or self.spacing))

    def _note(self, now: float) -> None:
        """Keep the rate of recent submits per second, fading over about a second."""
        self._recent = max(0.0, self._recent * (1.0 - min(1.0, now - self._recent_at))) + 1.0
        self._recent_at = now


def retry_after(header: str | None, wall: float) -> float | None:
    """Read `Retry-After` as seconds from *wall*, an hour at most; None for what cannot be read.

    >>> retry_after("2", 0.0), retry_after("Thu, 01 Jan 1970 00:00:09 GMT", 4.0), retry_after("soon", 0.0)
    (2.0, 5.0, None)
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text[:9]), 3600.0)
    try:
        return min(max(0.0, parsedate_to_datetime(text).timestamp() - wall), 3600.0)
    except (TypeError, ValueError, OverflowError):
        return None
