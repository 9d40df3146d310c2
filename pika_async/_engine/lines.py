"""The lines of all accounts, kept by the effects of changes: what waits to be sent, and the slots held.

Effects only note what they say. Whoever sends is woken in the next round of the event loop, so that no
change of one job runs inside a change of another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, ItemsView, ValuesView

from pika_async._engine.desk import Desk
from pika_async._engine.effects import Queue, Requeued, SlotFreed, SlotTaken
from pika_async._engine.flight import Flight
from pika_async._engine.line import Line


class Lines:
    """One `Line` for each account; carries out `Queue`, `Requeued`, `SlotTaken` and `SlotFreed`."""

    def __init__(self, desk: Desk) -> None:
        self._lines = {key: Line(account, desk.owner) for key, account in desk.accounts.items()}
        self._wake: Callable[[Line], None] | None = None
        desk.carries_out(Queue, self._queue)
        desk.carries_out(Requeued, self._requeued)
        desk.carries_out(SlotTaken, self._slot_taken)
        desk.carries_out(SlotFreed, self._slot_freed)

    def __getitem__(self, key: str) -> Line:
        return self._lines[key]

    def items(self) -> ItemsView[str, Line]:
        """Return the lines with the keys of their accounts."""
        return self._lines.items()

    def values(self) -> ValuesView[Line]:
        """Return the lines."""
        return self._lines.values()

    def on_change(self, wake: Callable[[Line], None]) -> None:
        """Have *wake* called soon after something that waits may go on."""
        self._wake = wake

    def _requeued(self, flight: Flight, effect: Requeued) -> None:
        line = self._lines.get(effect.attempt.account)
        # What a queue brings is brought again by it.
        is_ours = flight.wanted and not (flight.kept or flight.ended or flight.cancelled)
        if is_ours and line is not None and flight not in line:
            self._queue(flight, Queue(effect.attempt))

    def _queue(self, flight: Flight, effect: Queue) -> None:
        if (line := self._lines.get(effect.attempt.account)) is None:
            return  # a fallback that is not open here: other processes send it
        flight.account = line.account
        flight.requeued()
        line.add(flight)
        self._changed(line)

    def _slot_taken(self, _: Flight, effect: SlotTaken) -> None:
        if (line := self._lines.get(effect.account)) is not None:
            line.slots += 1

    def _slot_freed(self, _: Flight, effect: SlotFreed) -> None:
        if (line := self._lines.get(effect.account)) is not None:
            line.slots -= 1
            self._changed(line)

    def _changed(self, line: Line) -> None:
        if len(line) and self._wake is not None:
            asyncio.get_running_loop().call_soon(self._wake, line)
