"""A clock for tests of the fence: its three hands can be moved apart."""

from __future__ import annotations

from pika_async.testing import FakeClock


class SkewedClock(FakeClock):
    """Three clocks that can be moved apart, as a suspended machine or a corrected time does."""

    def __init__(self):
        super().__init__()
        self.ahead = {"now": 0.0, "wall": 0.0, "boot": 0.0}

    def now(self):
        return super().now() + self.ahead["now"]

    def wall(self):
        return super().wall() + self.ahead["wall"]

    def boot(self):
        return super().boot() + self.ahead["boot"]
