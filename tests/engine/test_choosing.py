"""Who gets an order first, and why: only prices of equal things are compared, and nothing follows a doubt."""

from __future__ import annotations

import pytest
from attrs import field, frozen
from hypothesis import given
from hypothesis import strategies as st

import pika_async.provider as api
from pika_async import Generate, SubmitUnknown
from pika_async._engine.choosing import by_price
from pika_async.provider import Estimate
from tests.engine.scripted import LOST, Scripted, answer, capable, scene

pytestmark = pytest.mark.anyio


@frozen
class Named:
    """As much of an account as a choice needs."""

    name: str


def price(amount, model="2.5", duration=5, resolution="1080p", unit="USD"):
    return Estimate(
        amount=amount, unit=unit, source="a test", model=model, duration=duration, resolution=resolution
    )


def chosen(*estimates):
    accounts = [Named(f"p{number}") for number in range(len(estimates))]
    choice = by_price(accounts, estimates)
    return [account.name for account in choice.accounts], choice.why


def test_the_cheapest_of_equal_things_comes_first():
    """Whoever has no price comes last, in the given order."""
    names, why = chosen(None, price(0.45), price(0.2), None)
    assert names == ["p2", "p1", "p0", "p3"]
    assert why == "the cheapest, 0.2 USD against 0.45 USD at p1"


@pytest.mark.parametrize(
    "other",
    [
        price(0.1, model="2.2"),
        price(0.1, duration=10),
        price(0.1, resolution="720p"),
        price(0.1, unit="points"),
        price(0.1, model=None),
    ],
)
def test_unlike_things_are_not_compared(other):
    """A shorter, coarser or older video is no cheaper one."""
    assert chosen(price(0.4), other)[0] == ["p0", "p1"]


def test_the_same_model_has_many_names():
    """What a provider puts before its number is no difference."""
    for model in ("2.5", "pika-2.5", "pika/v2.5", "V2.5"):
        assert chosen(price(0.4), price(0.1, model=model))[0] == ["p1", "p0"], model


def test_without_any_price_the_order_stays():
    """And the reason says so."""
    assert chosen(None, None) == (["p0", "p1"], "no price is known, so the first in the given order")


@given(st.lists(st.none() | st.builds(price, st.floats(0, 9), st.sampled_from(["2.5", "2.2"])), min_size=1))
def test_everybody_stays_in_the_line_once(estimates):
    """Equal prices keep the given order, and none is lost."""
    names, _ = chosen(*estimates)
    assert sorted(names) == sorted(f"p{number}" for number in range(len(estimates)))
    unpriced = [f"p{number}" for number, one in enumerate(estimates) if one is None]
    assert [name for name in names if name in unpriced] == unpriced


@frozen(kw_only=True)
class Priced(Scripted):
    """Knows its price."""

    amount: float = 1.0
    capabilities: api.Capabilities = field(factory=capable)

    def build_estimate(self, request, /):
        return None

    def read_estimate(self, response, request, /):
        return price(self.amount)


def sellers(**options):
    dear = Priced(capabilities=capable("dear"), amount=0.45)
    cheap = Priced(capabilities=capable("cheap"), amount=0.2)
    return scene(dear, cheap, **options)


async def test_an_order_goes_to_the_cheapest():
    """And the job says why."""
    async with sellers(prefer="cheapest") as s:
        job = await s.pika.submit(Generate("a cat"))
        assert job.provider == "cheap"
        assert job.why_provider == "the cheapest, 0.2 USD against 0.45 USD at dear"


async def test_without_the_rule_the_given_order_counts():
    """As ever."""
    async with sellers() as s:
        job = await s.pika.submit(Generate("a cat"))
        assert (job.provider, job.why_provider) == ("dear", "first in the given order")


async def test_a_proven_refusal_leads_on_and_a_doubt_never_does():
    """After a lost answer the next provider is not asked, however cheap it is."""
    async with sellers(prefer="cheapest") as s:
        s.hosts["cheap"].at_submit.append(answer(402, {"error": "InsufficientBalance"}))
        job = await s.pika.submit(Generate("a cat"))
        assert (job.provider, job.why_provider) == ("dear", "cheap refused it (InsufficientBalance)")
        s.hosts["cheap"].at_submit.append(LOST)
        with pytest.raises(SubmitUnknown) as doubt:
            await s.pika.submit(Generate("a dog"))
        assert doubt.value.provider == "cheap"
        assert "a dog" not in s.hosts["dear"].billed


async def test_what_the_cheapest_cannot_express_goes_to_who_can():
    """Prices decide among those who can alone."""
    dear = Priced(capabilities=capable("dear"), amount=0.45)
    cheap = Priced(capabilities=capable("cheap", fields={"image"}), amount=0.2)
    async with scene(cheap, dear, prefer="cheapest") as s:
        job = await s.pika.submit(Generate("a cat", seed=1))
        assert (job.provider, job.why_provider) == ("dear", "cheap cannot express the request")
