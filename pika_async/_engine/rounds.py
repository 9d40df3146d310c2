"""When the next sweep comes: soon after a new question, then ever more rarely."""

from __future__ import annotations

from collections.abc import Callable

from pika_async._engine.clock import Clock, Timer
from pika_async._engine.desk import Desk
from pika_async._engine.effects import Question
from pika_async._engine.flight import Flight

_PERIOD = 5.0
_FIRST = 1.0
_SLOWEST = 600.0


class Rounds:
    """The timer of the sweeper; carries out `Question`. *due* is what the timer calls.

    Where processes share a ledger a round comes every five seconds, otherwise only while a question is open.
    """

    def __init__(self, desk: Desk, clock: Clock, due: Callable[[], None]) -> None:
        self._desk = desk
        self._clock = clock
        self._due = due
        self._timer: Timer | None = None
        self._due_at = 0.0
        self._pause = _FIRST
        self._running = False
        desk.carries_out(Question, self._question)

    def open(self) -> None:
        """Begin, where other processes may have left something."""
        if self._desk.ledger.shared:
            self._later(_FIRST)

    def stop(self) -> None:
        """Have no round any more."""
        if self._timer is not None:
            self._timer.cancel()

    def begun(self) -> None:
        """Note that a round runs: none is called for before it is over."""
        self._timer, self._running = None, True

    def over(self, questions: int) -> None:
        """Note that a round has ended, and how many *questions* it left open."""
        self._running = False
        shared = self._desk.ledger.shared
        if questions or shared:
            self._pause = min(self._pause * 2, _PERIOD if shared else _SLOWEST)
            self._later(self._pause)

    def _question(self, _: Flight, __: Question) -> None:
        self._pause = _FIRST
        self._later(_FIRST)

    def _later(self, seconds: float) -> None:
        if self._desk.closing or self._running:
            return
        when = self._clock.now() + seconds
        if self._timer is not None:
            if self._due_at <= when:
                return  # a stream of new questions must not put off the sweep for ever
            self._timer.cancel()
        self._due_at = when
        self._timer = self._clock.call_at(when, self._due)
