"""What a request would cost, asked of each provider. Free, and nothing is bought."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from pika_async._engine.choosing import Choice, by_price
from pika_async._prices import Price, Quote, price_of
from pika_async._transport import SendError
from pika_async.errors import PikaError, UnsupportedRequest
from pika_async.requests import as_json

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._engine.clock import Clock
    from pika_async._powers import Estimate
    from pika_async.provider import Estimates, HttpRequest, HttpResponse
    from pika_async.requests import VideoRequest


_LIFE = 600.0


async def quote(accounts: Sequence[Account], prices: Sequence[Price], request: VideoRequest) -> list[Quote]:
    """Return a quote of each account, in their order; the user's own price goes before a published one."""
    quotes = []
    for account in accounts:
        try:
            account.loaded.check(request)
        except UnsupportedRequest as error:
            quotes.append(Quote(provider=account.name, estimate=None, unsupported=error.message))
            continue
        estimate = price_of(prices, account.name, request)
        if estimate is None and "estimates" in account.loaded.powers:
            estimate = await _published(account, request)
        quotes.append(Quote(provider=account.name, estimate=estimate))
    return quotes


class Cheapest:
    """The rule `prefer="cheapest"`: asks for the price of each shape of request once in ten minutes."""

    def __init__(self, prices: Sequence[Price], clock: Clock) -> None:
        self._prices = prices
        self._clock = clock
        self._known: dict[str, tuple[float, asyncio.Future[list[Quote]]]] = {}

    async def __call__(self, able: Sequence[Account], request: VideoRequest) -> Choice:
        """Return the accounts that are *able*, the cheapest first."""
        shape = _shape(able, request)
        at, asked = self._known.get(shape, (-_LIFE, None))
        if asked is None or self._clock.now() - at >= _LIFE:
            asked = asyncio.ensure_future(quote(able, self._prices, request))
            self._known[shape] = self._clock.now(), asked
        quotes = await asyncio.shield(asked)
        return by_price(able, [one.estimate for one in quotes])


def _shape(able: Sequence[Account], request: VideoRequest) -> str:
    """Return what a price may depend on: all but the words, the seed and the media themselves."""
    given = as_json(request, lambda _: "")
    for name in ("prompt", "negative_prompt", "seed"):
        given.pop(name, None)
    return json.dumps([[account.key for account in able], type(request).__name__, given], sort_keys=True)


async def _published(account: Account, request: VideoRequest) -> Estimate | None:
    """Return the price that the adapter knows, or that the provider tells."""
    adapter = cast("Estimates", account.provider)
    try:
        asked = adapter.build_estimate(request)
        if asked is not None:
            return await account.ask(partial(_same, asked), partial(_read, adapter, request))
    except (SendError, PikaError):
        pass  # a catalogue that does not answer leaves what the adapter knows itself
    try:
        return adapter.read_estimate(None, request)
    except PikaError:
        return None


def _same(request: HttpRequest) -> HttpRequest:
    return request


def _read(adapter: Estimates, request: VideoRequest, answer: HttpResponse) -> Estimate | None:
    return adapter.read_estimate(answer, request)
