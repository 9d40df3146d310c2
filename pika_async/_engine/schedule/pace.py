"""When an account may be asked next: its request budget, its refusals and its failures. Pure."""

from __future__ import annotations

from math import inf
from typing import Final

_RECOVERY: Final = 30.0  # seconds in which a slowed account gets half of its pace back
_LONGEST: Final = 60.0


class Pace:
    """The spacing of one account's requests: at least `1 / rate` seconds, more after refusals.

    Spacing saves nothing up, so no window of w seconds holds more than `ceil(rate * w)` requests. A token
    bucket would let twice the rate into one second.
    """

    __slots__ = ("_failures", "_interval", "_resumes", "_sent", "_slowed", "_slowed_at", "spacing")

    def __init__(self, rate: float | None, interval: float) -> None:
        self.spacing = 0.0 if rate is None else 1.0 / rate
        self._interval = interval
        self._sent = self._resumes = self._slowed_at = -inf
        self._slowed = 0.0
        self._failures = 0

    def opens(self, now: float) -> float:
        """Return from when on the next request may go."""
        return max(self._sent + self._gap(now), self._resumes)

    def sent(self, now: float) -> None:
        """Note a request."""
        self._sent = now

    def spend(self, now: float) -> float:
        """Take the next place for a request, and return the time at which it may be sent."""
        when = max(now, self.opens(now))
        self.sent(when)
        return when

    def answered(self) -> None:
        """Note an answer: failures before it no longer count."""
        self._failures = 0

    def failed(self, now: float) -> None:
        """Note a failure: from the second in a row on, pause for one interval, two, four, up to a minute."""
        if now < self._resumes:
            return  # it was under way when the pause began
        self._failures += 1
        if self._failures > 1:
            self._resumes = now + min(self._interval * 2.0 ** min(self._failures - 2, 16), _LONGEST)

    def slow_down(self, now: float, retry_after: float | None = None) -> None:
        """Note a 429: half the rate, and nothing for *retry_after* seconds.

        Refusals within one interval count once, for they were under way together. Half of what was lost
        comes back every 30 seconds.
        """
        self._failures = 0
        if now >= self._slowed_at + self._interval:
            self._slowed = min(max(2.0 * self._gap(now), self._interval / 8.0), _LONGEST)
            self._slowed_at = now
        if retry_after is not None:
            self._resumes = max(self._resumes, now + retry_after)

    def _gap(self, now: float) -> float:
        if self._slowed == 0.0:
            return self.spacing
        slowed: float = self._slowed * 2.0 ** ((self._slowed_at - now) / _RECOVERY)
        if slowed <= max(self.spacing, self._interval / 64.0):
            self._slowed = 0.0
            return self.spacing
        return slowed
