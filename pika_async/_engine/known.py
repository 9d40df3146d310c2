"""Jobs that a token or a record of the ledger names: the flight that is here already, or a new one."""

from __future__ import annotations

from pika_async._engine.clock import Clock
from pika_async._engine.desk import Desk
from pika_async._engine.flight import Flight
from pika_async._engine.ids import attempt_id
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState
from pika_async._token import JobToken
from pika_async.errors import ConfigError


class Known:
    """Finds the flights of jobs; it asks neither the ledger nor a provider."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self._desk = desk
        self._clock = clock

    def get(self, job_id: str) -> Flight | None:
        """Return the flight of a job that is or was under way here; raises `ConfigError`.

        What is under way for its look-ups alone may have an account that is not open here.
        """
        known = self._desk.flights.get(job_id) or self._desk.flights.ended.get(job_id)
        if known is not None and not known.wanted:
            self._desk.flights.account_of(known.record)
        return known

    def taken_up(self, record: JobRecord) -> Flight:
        """Return the flight of a job of the ledger, under way from now on; raises `ConfigError`."""
        return self.get(record.id) or self._desk.take_up(record)

    def by_token(self, token: JobToken) -> Flight:
        """Find a job by its token, with what is known of it; nothing is asked before a caller waits."""
        known = self.get(token.job_id) or self._desk.flights.named.get(token.job_id)
        if known is not None:
            return known
        if (record := self._desk.ledger.known(token.job_id)) is not None:
            return self.of_record(record)
        account = self._desk.accounts.get(f"{token.provider}:{token.label}")
        if account is not None and token.address not in {None, account.address}:
            raise ConfigError(
                f"The job belongs to {token.provider} (account {token.label}) at another address than the "
                "one that this client was opened with; open it with the base_url of that time.",
                provider=token.provider,
                charged="unknown",
            )
        if account is None:
            raise ConfigError(
                f"The job belongs to {token.provider} (account {token.label}); open the client with that "
                "provider.",
                provider=token.provider,
                charged="unknown",
            )
        attempt = Attempt(
            id=attempt_id(token.job_id, 1),
            job_id=token.job_id,
            number=1,
            account=account.key,
            state=AttemptState.QUEUED if token.task is None else AttemptState.RUNNING,
            task=token.task,
            bound_by=None if token.task is None else "callback",  # anybody may write a token
        )
        record = JobRecord(
            id=token.job_id, request=None, created_at=self._desk.ledger.now(), attempts=(attempt,)
        )
        flight = Flight(record, account, self._clock)
        flight.recorded, flight.adopted = False, True
        self._desk.flights.named[flight.id] = flight
        return flight

    def of_record(self, record: JobRecord) -> Flight:
        """Return the flight of a job of the ledger; nothing is asked before a caller waits for it."""
        if (known := self.get(record.id)) is not None:
            return known
        flight = self._desk.flights.of(record)
        if record.state is JobState.OPEN:
            self._desk.flights[flight.id] = flight
        else:
            self._desk.enter(flight)
        return flight
