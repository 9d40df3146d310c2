"""What those who wait for a job are told of its changes, and what the log says of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from pika_async._engine.effects import Accepted, Ended, Moved, Progress, Trouble
from pika_async._engine.expectation import Stage
from pika_async._engine.flight import Flight
from pika_async._ledger.standing import LOST
from pika_async.errors import JobHandle, PikaError
from pika_async.results import Failed, Succeeded

log = logging.getLogger("pika_async")


class Callers:
    """Carries out the effects that are for callers; *handle* makes what they hold of a job."""

    def __init__(self, handle: Callable[[Flight], JobHandle]) -> None:
        self._handle = handle
        self.acts: Mapping[type, Callable[[Flight, Any], None]] = {
            Moved: _log,
            Progress: _progressed,
            Accepted: _accepted,
            Ended: self._ended,
            Trouble: self._trouble,
        }

    def explain(self, flight: Flight, error: PikaError) -> PikaError:
        """Complete *error* with the job it is about."""
        error.job = error.job or self._handle(flight)
        error.provider = error.provider or flight.account.name
        return error

    def _ended(self, flight: Flight, ended: Ended) -> None:
        if flight.ended:
            return
        if isinstance(ended.outcome, Succeeded):
            flight.snapshot = ended.outcome
            flight.end()
        else:
            if isinstance(last := flight.record.newest.outcome, Failed):
                flight.snapshot = last
            flight.end(self.explain(flight, ended.outcome))

    def _trouble(self, flight: Flight, trouble: Trouble) -> None:
        flight.trouble(self.explain(flight, trouble.error))


def _progressed(flight: Flight, progress: Progress) -> None:
    flight.progressed(progress.snapshot)


def _accepted(flight: Flight, _: Accepted) -> None:
    if flight.stage is Stage.WAITING:
        flight.reach(Stage.ACCEPTED)


def _log(flight: Flight, moved: Moved) -> None:
    attempt = moved.attempt
    level = logging.WARNING if attempt is not None and attempt.state in LOST else logging.INFO
    if not log.isEnabledFor(level):
        return
    if attempt is None:
        log.log(level, "job %s: %s", flight.id, moved.state)
    else:
        what = (flight.id, attempt.number, attempt.account, moved.state)
        log.log(level, "job %s: attempt %d on %s is %s", *what)
