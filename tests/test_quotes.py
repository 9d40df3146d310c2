"""What a request would cost, asked of each provider before anything is bought."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from attrs import evolve, frozen

from pika_async import Generate, Pika, Style
from pika_async.provider import Estimate, HttpRequest
from pika_async.sandbox import Sandbox
from pika_demo import Demo

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)

pytestmark = pytest.mark.anyio


@frozen(kw_only=True)
class Priced(Demo):
    """The example's adapter with a catalogue, and a table for when that does not answer."""

    path: str | None = "/demo/prices"

    def build_estimate(self, request, /):
        return None if self.path is None else HttpRequest(method="GET", url=f"{self.base_url}{self.path}")

    def read_estimate(self, response, request, /):
        if response is None or response.status != 200:
            return Estimate(amount=5.0, unit="USD", source="the adapter's table", date="2026-11-26")
        return Estimate(amount=json.loads(response.body)["price"], unit="USD", source="the catalogue")


@pytest.fixture
async def sandbox(anyio_backend):
    """Return a sandbox, whose catalogue of prices is missing."""
    async with Sandbox(render_time=0.02) as sandbox:
        yield sandbox


async def test_a_price_that_nobody_publishes_is_none(sandbox):
    """Nothing is guessed, and nothing is bought."""
    async with sandbox.client("acedata") as pika:
        (quote,) = await pika.quote("A cat")
    assert (quote.provider, quote.estimate, quote.unsupported) == ("acedata", None, None)
    assert not sandbox.billed.total()


async def test_a_price_of_your_own_goes_before_all(sandbox, tmp_path):
    """It is what the user's contract says."""
    (tmp_path / "prices.toml").write_text('[[price]]\nprovider = "acedata"\namount = 0.2\n')
    async with sandbox.client("acedata", prices=tmp_path / "prices.toml") as pika:
        (quote,) = await pika.quote(Generate("A cat"))
    assert (quote.estimate.amount, quote.estimate.source) == (0.2, "your own prices")


@pytest.mark.parametrize("path", ["/nowhere", None])
async def test_without_a_catalogue_the_adapters_table_counts(sandbox, path):
    """A look-up that fails is no reason to have no price."""
    adapter = evolve(Priced(api_key="sandbox", base_url=sandbox.url), path=path)
    async with Pika(adapter, poll_rate=None) as pika:
        (quote,) = await pika.quote("A cat")
    assert quote.estimate.source == "the adapter's table"


async def test_what_a_provider_cannot_do_is_said(sandbox):
    """The other providers still tell their prices."""
    async with sandbox.client("duomi") as pika:
        (quote,) = await pika.quote(Style("A cat", style="An unknown effect"))
    assert quote.estimate is None
    assert "style" in quote.unsupported


async def test_a_file_that_is_not_uploaded_yet_has_a_price(sandbox):
    """A catalogue asks for a link; any will do, and nothing is uploaded for it."""
    async with sandbox.client("pika") as pika:
        (quote,) = await pika.quote(Generate("A cat", image=PNG))
    assert quote.estimate.unit == "USD"
    assert quote.estimate.source == "Pika's catalogue"
    assert quote.estimate.date == datetime.now(UTC).date().isoformat()
