"""What a claim asks of the ledger: the caps on submits and money, and how long its lease is."""

from __future__ import annotations

import asyncio

import pytest
from attrs import Factory, evolve, frozen

from pika_async import Generate
from pika_async.errors import (
    InsufficientBalance,
    PikaError,
)
from pika_async.provider import Estimate, HttpRequest
from tests.engine.ledgers import WatchedLedger
from tests.engine.scripted import Scripted, refusal, scene

pytestmark = pytest.mark.anyio


async def test_the_spending_cap_counts_claims():
    """The third submit of two is refused unsent; a refused one has been counted, for it was sent."""
    async with scene(max_submits=2) as s:
        s.host.at_submit.append(refusal("SubmitRefused"))
        with pytest.raises(PikaError):
            await s.pika.generate("first")
        await s.after(30, s.pika.generate("second"))
        with pytest.raises(InsufficientBalance) as caught:
            await s.pika.generate("third")
        assert caught.value.code == "max_submits"
        assert "max_submits" in caught.value.message
        assert caught.value.charged == "no"
        assert len(s.wire.submits) == 2
        assert s.stats.in_flight == 0


@frozen(kw_only=True)
class Dear(Scripted):
    """A provider that publishes a price of 0.4 dollars, and counts who asks for it."""

    asked: list[str] = Factory(list)

    def build_estimate(self, request, /):
        return HttpRequest(method="GET", url=f"{self.base_url}/history")

    def read_estimate(self, response, request, /):
        self.asked.append("nobody" if response is None else "catalogue")
        return None if response is None else Estimate(amount=0.4, unit="USD", source="its catalogue")


async def test_the_cap_on_money_counts_prices():
    """The third order of 0.4 dollars is refused unsent; what was refused gives its money back."""
    dear = Dear()
    async with scene(dear, max_cost=1) as s:
        s.host.at_submit.append(refusal("SubmitRefused"))
        with pytest.raises(PikaError):
            await s.pika.generate("refused")
        for words in ("first", "second"):
            await s.after(30, s.pika.generate(words))
        with pytest.raises(InsufficientBalance, match="above max_cost, 1 USD") as caught:
            await s.pika.generate("third")
        assert (caught.value.code, caught.value.charged) == ("max_cost", "no")
        assert len(s.wire.submits) == 3
        assert s.stats.in_flight == 0
        assert dear.asked == ["catalogue"]


async def test_the_cap_on_money_holds_for_many_at_once():
    """No race spends one price more, and all of them ask for it once."""
    async with scene(Dear(), max_cost=2) as s:
        waits = asyncio.gather(*(s.pika.generate(str(n)) for n in range(20)), return_exceptions=True)
        ends = await s.after(60, waits)
        assert len(s.wire.submits) == 5
        assert sum(isinstance(end, InsufficientBalance) for end in ends) == 15


async def test_what_has_no_price_is_refused_under_a_cap():
    """Nobody can count it; without a cap nobody asks the provider either."""
    async with scene(max_cost="5 credits") as s:
        with pytest.raises(InsufficientBalance, match="is not known in credits") as caught:
            await s.pika.generate("a cat")
        assert (caught.value.code, caught.value.charged) == ("no_price", "no")
        assert not s.wire.submits
    dear = Dear()
    async with scene(dear) as s:
        await s.after(30, s.pika.generate("a cat"))
        assert dear.asked == ["nobody"]


async def test_the_spending_cap_holds_for_many_at_once():
    """No race buys one more."""
    async with scene(max_submits=7) as s:
        waits = asyncio.gather(*(s.pika.generate(str(n)) for n in range(20)), return_exceptions=True)
        results = await s.after(60, waits)
        assert s.host.billed.total() == 7
        assert sum(isinstance(r, InsufficientBalance) for r in results) == 13


async def test_an_answer_that_is_waited_for_has_a_longer_lease():
    """Its POST ends with the video; until then nobody may believe its owner dead."""
    leases = []
    for held in (False, True):

        class Holding(Scripted):
            def build_submit(self, request, call, /, held=held):
                return evolve(Scripted.build_submit(self, request, call), held=held)

        ledger = WatchedLedger()
        async with scene(Holding(), ledger=ledger) as s:
            await s.pika.submit(Generate("a cat"))
            attempt, timeouts = ledger.job.newest, s.wire.timeouts
            leases.append(attempt.lease_until - attempt.claimed_at)
    assert leases[1] - leases[0] == pytest.approx(timeouts.held - timeouts.submit)
