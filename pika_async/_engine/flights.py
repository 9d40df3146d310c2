"""Which jobs are in flight here, and the account that each belongs to."""

from __future__ import annotations

from collections.abc import Mapping
from weakref import WeakValueDictionary

from pika_async._engine.account import Account
from pika_async._engine.clock import Clock
from pika_async._engine.flight import Flight
from pika_async._ledger.records import JobRecord
from pika_async._ledger.standing import OPEN, spent
from pika_async.errors import ConfigError
from pika_async.requests import VideoRequest


class Flights(dict[str, Flight]):
    """The jobs under way by their ids; beside them those that ended untold, and those a token names.

    *remembers* says whether the ledger outlives the process.
    """

    def __init__(self, accounts: Mapping[str, Account], clock: Clock, *, remembers: bool) -> None:
        super().__init__()
        self._accounts = accounts
        self._clock = clock
        self._remembers = remembers
        self.ended: dict[str, Flight] = {}
        # Only a token names these and nobody has waited for them: made-up ones must not pile up.
        self.named: WeakValueDictionary[str, Flight] = WeakValueDictionary()

    def of(self, record: JobRecord) -> Flight:
        """Return a flight of a job of the ledger: the one that its token made here before, or a new one."""
        return self.on(self.account_of(record), record)

    def on(self, account: Account, record: JobRecord) -> Flight:
        """Return a flight of a job of the ledger as `of` does, on an *account* that is open here."""
        request = record.request
        request = request if isinstance(request, VideoRequest) else None
        if (flight := self.named.pop(record.id, None)) is None:
            return Flight(record, account, self._clock, request)
        flight.account, flight.record, flight.request = account, record, request
        flight.recorded, flight.adopted = True, False
        return flight

    def account_of(self, record: JobRecord) -> Account:
        """Return the account of the newest attempt; raises `ConfigError` if it is not open here.

        So it does for an older one that has not ended; one that was refused, say, concerns nobody any more.
        """
        for attempt in record.attempts:
            matters = attempt is record.newest or attempt.state in OPEN
            if matters and attempt.account not in self._accounts:
                provider, _, label = attempt.account.partition(":")
                raise ConfigError(
                    f"Job {record.id} belongs to {provider} (account {label}); open the client with that "
                    "provider.",
                    provider=provider,
                    charged=spent(record),
                )
        return self._accounts[record.newest.account]

    def told(self, flight: Flight) -> None:
        """Note that a caller has seen how the job ended."""
        if flight.ended:
            flight.told = True
            self.ended.pop(flight.id, None)

    def forget(self, flight: Flight) -> None:
        """Drop a job of which nothing more can be learned; who ordered it may not have looked yet."""
        known_elsewhere = flight.held and self._remembers
        if self.pop(flight.id, None) is not None and flight.wanted and not known_elsewhere:
            self.ended[flight.id] = flight
