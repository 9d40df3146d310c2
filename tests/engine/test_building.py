"""The POST of an attempt, built once and for the first account that can express the request."""

from __future__ import annotations

import pytest
from attrs import evolve

import pika_async.provider as api
from pika_async import Generate
from pika_async._engine.building import Building
from pika_async._engine.flight import Flight
from pika_async.errors import UnsupportedRequest
from tests.engine.scripted import Historian, Scripted, capable, scene
from tests.ledger.records import attempt, job

pytestmark = pytest.mark.anyio

REQUEST = Generate("a cat")


class Picky(Scripted):
    """Cannot express what only building shows."""

    def build_submit(self, request, call, /):
        raise UnsupportedRequest("No cats here.")


def named(name, kind=Scripted):
    """Return an adapter of another name."""
    return kind(capabilities=capable(name))


def built(s, **fields):
    """Build ahead for every account of the client; return the flight."""
    accounts = list(s.engine.desk.accounts.values())
    fallbacks = tuple(account.key for account in accounts[1:])
    record = job(attempt(account=accounts[0].key), request=REQUEST, fallbacks=fallbacks, **fields)
    flight = Flight(record, accounts[0], s.clock, REQUEST)
    Building(s.engine.addresses, s.clock).build_ahead(flight, REQUEST, accounts)
    return flight


async def test_a_post_is_kept_for_the_moment_of_sending():
    """With the attempt that it was built for, and when."""
    async with scene() as s:
        flight = built(s)
        attempt_id, at, request = flight.built
        assert (attempt_id, at) == (flight.record.newest.id, s.clock.now())
        assert request.body.value["prompt"] == "a cat"


async def test_an_account_that_cannot_express_it_is_passed_over():
    """The order begins with the first that can, and may go on to those after it."""
    async with scene(named("a", Picky), named("b"), named("c")) as s:
        flight = built(s)
        assert flight.account.name == "b"
        assert flight.record.newest.account == "b:default"
        assert flight.record.fallbacks == ("c:default",)
        assert flight.built[2].url.startswith("https://b.test")


async def test_what_nobody_can_express_is_refused():
    """With every adapter's own words."""
    async with scene(named("a", Picky), named("b", Picky)) as s:
        with pytest.raises(UnsupportedRequest, match="No cats here"):
            built(s)


async def test_the_orders_own_receiver_goes_first():
    """The token in the address is the attempt's."""
    async with scene(Historian()) as s:
        address = built(s, callback_url="https://me.example.com/x").built[2].body.value["callback_url"]
        assert address.reveal().startswith("https://me.example.com/x")
        assert s.engine.addresses.attempt_in(address) == "j-1"


async def test_media_that_are_read_first_are_built_later():
    """What a link holds is not known yet."""
    able = capable(media={"image": api.Takes(links=False, inline=True)})
    async with scene(Scripted(capabilities=able)) as s:
        (account,) = s.engine.desk.accounts.values()
        request = evolve(REQUEST, image="https://media.test/cat.png")
        flight = Flight(job(attempt(account=account.key), request=request), account, s.clock, request)
        Building(s.engine.addresses, s.clock).build_ahead(flight, request, [account])
        assert flight.built is None
