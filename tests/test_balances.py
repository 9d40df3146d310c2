"""What is left on each account, told by those that tell it."""

from __future__ import annotations

import pytest
from attrs import frozen

from pika_async import Pika
from pika_async.provider import BadReply, Balance, HttpRequest
from pika_async.sandbox import Sandbox
from pika_demo import Demo

pytestmark = pytest.mark.anyio


@frozen(kw_only=True)
class Silent(Demo):
    """The example's adapter with a balance at an address where nothing is."""

    def build_balance(self):
        return HttpRequest(method="GET", url=f"{self.base_url}/nowhere")

    def read_balance(self, response, /):
        if response.status != 200:
            raise BadReply("There is no balance here; ask the provider.")
        return Balance(1.0, "USD")


async def test_each_account_tells_its_own(anyio_backend):
    """In the provider's unit; who tells none has None, and who does not answer says why."""
    async with Sandbox() as sandbox:
        adapter = Silent(api_key="sandbox", base_url=sandbox.url)
        async with sandbox.client("duomi") as pika:
            (points,) = await pika.balances()
        async with sandbox.client("acedata") as pika:
            (none,) = await pika.balances()
        async with Pika(adapter, poll_rate=None) as pika:
            (silent,) = await pika.balances()
    assert (points.provider, points.balance.unit, points.problem) == ("duomi", "points", None)
    assert (none.balance, none.problem) == (None, None)
    assert (silent.balance, silent.problem) == (None, "There is no balance here; ask the provider.")
    async with Pika(adapter, poll_rate=None) as pika:
        (gone,) = await pika.balances()
    assert gone.problem.startswith("It did not answer: ")
