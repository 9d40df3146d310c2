"""What users decide of a job: to cancel it, to wait no more, and to settle a doubt."""

from __future__ import annotations

from collections.abc import Mapping

from pika_async._engine.asking import ask_to_cancel
from pika_async._engine.desk import Desk
from pika_async._engine.dispatch import Dispatch
from pika_async._engine.flight import Flight
from pika_async._engine.ids import attempt_id
from pika_async._engine.looks.looks import Looks
from pika_async._engine.resuming import Resuming
from pika_async._engine.unsent_errors import not_cancelled
from pika_async._ledger.events import Abandon, Cancel, NextAttempt, Resubmit
from pika_async._ledger.records import JobState
from pika_async._ledger.standing import in_doubt, is_watched, spent, unsent
from pika_async.errors import ConfigError, PikaError
from pika_async.results import Cancelled


class Decisions:
    """Carries out what a user says of one job."""

    def __init__(
        self, desk: Desk, resuming: Resuming, dispatch: Dispatch, looks: Mapping[str, Looks]
    ) -> None:
        self._desk = desk
        self._resuming = resuming
        self._dispatch = dispatch
        self._looks = looks

    async def cancel_unsent(self, flight: Flight) -> bool:
        """Cancel a job that was never sent; return whether it was in time."""
        return not flight.ended and await self._cancel(flight)

    async def _cancel(self, flight: Flight) -> bool:
        """Cancel a job if the ledger agrees that it was never sent: another process may have sent it."""
        if not unsent(flight.record):
            return False
        flight.cancelled = True
        after = (await self._desk.tell(flight, Cancel())).after
        return after.state is JobState.CANCELLED and spent(after) == "no"

    async def cancel(self, flight: Flight, *, remote: bool) -> Cancelled:
        """Cancel a job that was never sent; with *remote*, ask the provider to stop one that was."""
        await self._resuming.resume(flight)
        flight = self._desk.flights.get(flight.id, flight)
        if unsent(flight.record):
            # Also one that was left unsent, whose end here is not its end in the ledger.
            self._resuming.must_be_open()
            if await self._cancel(flight):
                return Cancelled.UNSENT
            if unsent(flight.record):
                raise self._desk.explain(flight, not_cancelled())
        if not remote or flight.ended:
            return Cancelled.TOO_LATE
        outcomes = set()
        for attempt in flight.record.attempts:
            if attempt.task is not None and is_watched(attempt):
                try:
                    outcomes.add(await ask_to_cancel(self._desk.accounts[attempt.account], attempt.task))
                except PikaError as error:
                    error.charged = spent(flight.record)  # the question costs nothing, the task does
                    self._desk.explain(flight, error)
                    raise
                self._looks[attempt.account].look_soon(attempt.id)
        in_order = (Cancelled.REQUESTED, Cancelled.UNSUPPORTED)
        return next((one for one in in_order if one in outcomes), Cancelled.TOO_LATE)

    def abandon_wait(self, flight: Flight) -> None:
        """Note that a caller was cancelled: an unsent job nobody else waits for is not bought."""
        nobody_else = not flight.awaited and not flight.kept
        if flight.posted_at is None and unsent(flight.record) and nobody_else:
            flight.cancelled = True
            self._desk.spawn(self.cancel_unsent(flight))

    async def settle_by_word(self, flight: Flight, *, resubmit: bool) -> None:
        """Apply a user's decision to an unresolved job."""
        await self._resuming.settle_in(flight)
        doubtful = in_doubt(flight.record)
        if doubtful is None:
            raise ConfigError(
                f"Job {flight.id} is {flight.record.newest.state}, not unresolved; nothing is to settle."
            )
        if resubmit and flight.request is None:
            raise ConfigError("The request of this job is not known here; resubmit it from its own ledger.")
        next_id = attempt_id(flight.id, flight.record.newest.number + 1)
        again = NextAttempt(id=next_id, account=doubtful.account)
        flight.asked(self._desk.ledger.now())
        word = Resubmit(next=again, attempt=doubtful.id) if resubmit else Abandon(attempt=doubtful.id)
        if not (await self._desk.tell(flight, word)).moved:
            raise ConfigError(f"Job {flight.id} was settled meanwhile; look at it again.")
        if resubmit:
            self._dispatch.send_now(flight.account.key)
