"""Builds the POST of an attempt: once, before anything is recorded, or when its files are read."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import evolve

from pika_async._alternatives import unsupported
from pika_async._engine.account import Account
from pika_async._engine.addresses import Addresses
from pika_async._engine.clock import Clock
from pika_async._engine.flight import Flight
from pika_async._http import HttpRequest
from pika_async.errors import UnsupportedRequest
from pika_async.provider import Call
from pika_async.requests import VideoRequest


class Building:
    """Has adapters build POSTs; nothing is sent, recorded or kept here."""

    def __init__(self, addresses: Addresses, clock: Clock) -> None:
        self._addresses = addresses
        self._clock = clock

    def build(self, flight: Flight, account: Account, request: VideoRequest) -> HttpRequest:
        """Have the adapter build the POST of the newest attempt; raises `PikaError`."""
        attempt = flight.record.newest
        wish = flight.record.callback_url
        address = self._addresses.make(attempt.id, wish, account.name, account.capabilities)
        call = Call(callback_url=address, attempt_id=attempt.id, now=self._clock.wall())
        return account.build_submit(request, call)

    def build_ahead(self, flight: Flight, request: VideoRequest, accounts: Sequence[Account]) -> None:
        """Build the POST for the first account that can express *request*, and keep it with *flight*.

        So what no adapter can express is refused before anything is recorded, with `UnsupportedRequest`, and
        each request is built once.
        """
        refusals: dict[str, str] = {}
        for place, account in enumerate(accounts):
            try:
                # What is read or uploaded first is not known yet; what can be said without it is checked.
                later = account.capabilities.prepares(request)
                built = None if later else self.build(flight, account, request)
            except UnsupportedRequest as error:
                refusals[account.name] = error.message
                continue
            if place:
                first = evolve(flight.record.newest, account=account.key)
                fallbacks = tuple(other.key for other in accounts[place + 1 :])
                flight.record = evolve(flight.record, attempts=(first,), fallbacks=fallbacks)
                flight.account = account
            if built is not None:
                flight.built = flight.record.newest.id, self._clock.now(), built
            return
        raise unsupported(refusals, request)
