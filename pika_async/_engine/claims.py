"""What the claim of an attempt asks of the ledger: its times, the caps and the price."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from attrs import evolve

from pika_async._engine.account import Account
from pika_async._engine.desk import Desk
from pika_async._engine.flight import Flight
from pika_async._engine.unsent_errors import capped, paused, too_dear, unpriced
from pika_async._ledger.events import Claim
from pika_async._ledger.pacing import Obstacle
from pika_async._ledger.standing import next_fallback
from pika_async._ledger.times import Times
from pika_async._money import Money
from pika_async._powers import Estimate
from pika_async._sender import Timeouts
from pika_async.errors import PikaError
from pika_async.requests import VideoRequest

Price: TypeAlias = Callable[[Account, VideoRequest], Awaitable[Estimate | None]]
"""What an order costs on an account, where somebody can tell."""


class Claims:
    """Makes the claims of one client, within its caps."""

    def __init__(
        self,
        desk: Desk,
        timeouts: Timeouts,
        *,
        price: Price | None = None,
        max_submits: int | None = None,
        max_cost: Money | None = None,
    ) -> None:
        self._desk = desk
        self._timeouts = timeouts
        self._price = price
        self._max_submits = max_submits
        self._max_cost = max_cost
        self._times: dict[tuple[bool, float, float], Times] = {}

    async def claim(self, flight: Flight, account: Account, order: VideoRequest, *, held: bool) -> Claim:
        """Return the claim of the newest attempt of *flight*; *held* says that its answer is the video."""
        price = await self._priced(account, order)
        return Claim(
            attempt=flight.record.newest.id,
            owner=self._desk.owner,
            times=self._times_of(account, held=held),
            max_slots=account.max_concurrency,
            max_submits=self._max_submits,
            price=price,
            max_cost=self._max_cost,
            asked_at=flight.asked_at,
            despite_pause=not self._waits_for_later(flight),
            address=account.address,
        )

    def _waits_for_later(self, flight: Flight) -> bool:
        """Return whether the order outlives a refusal that is about the account or its key alone."""
        return self._desk.ledger.remembers and next_fallback(flight.record) is None

    async def _priced(self, account: Account, order: VideoRequest) -> Money | None:
        if self._price is None or (estimate := await self._price(account, order)) is None:
            return None
        try:
            return Money.of(estimate.amount, estimate.unit)
        except ValueError:
            return None

    def _times_of(self, account: Account, *, held: bool) -> Times:
        render, replayable = account.capabilities.longest_render, account.replay_window
        if (times := self._times.get((held, render, replayable))) is None:
            deadline = self._timeouts.held if held else self._timeouts.submit
            times = Times(deadline=deadline, longest_render=render)
            # What may still be sent again is not shown to a person yet.
            shown_after = replayable + deadline + times.acceptance + times.slack - times.lease
            times = evolve(times, resolve=max(times.resolve, shown_after))
            self._times[held, render, replayable] = times
        return times

    def held_back(self, obstacle: Obstacle, provider: str) -> PikaError:
        """Return the error for an order that a cap or a pause holds back."""
        match obstacle.reason, self._max_cost:
            case "cap", _:
                return capped(self._max_submits)
            case "cost", Money() as most:
                return too_dear(most)
            case "unpriced", Money() as most:
                return unpriced(provider, most)
            case _:
                return paused(obstacle.why)
