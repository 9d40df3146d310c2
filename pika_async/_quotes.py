"""What a request would cost, asked of each provider. Free, and nothing is bought.

Quotes, the cheapest provider and the cap on money all read their prices here.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, cast

from attrs import evolve

from pika_async._engine.choosing import Choice, by_price
from pika_async._prices import Price, Quote, price_of
from pika_async._sender import SendError
from pika_async.errors import PikaError, UnsupportedRequest
from pika_async.requests import as_json

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._engine.clock import Clock
    from pika_async._powers import Estimate
    from pika_async.provider import Estimates, HttpRequest, HttpResponse
    from pika_async.requests import VideoRequest

log = logging.getLogger("pika_async")

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


class Asked:
    """The price of an order that is about to be sent: the user's own, or else a published one.

    Providers are asked only where *asks*; each shape of request once in ten minutes.
    """

    def __init__(self, prices: Sequence[Price], clock: Clock, *, asks: bool) -> None:
        self._prices = prices
        self._clock = clock
        self._asks = asks
        self._known: dict[str, tuple[float, asyncio.Future[Estimate | None]]] = {}

    async def __call__(self, account: Account, request: VideoRequest) -> Estimate | None:
        """Return what *request* costs on *account*; None where nobody can tell."""
        own = price_of(self._prices, account.name, request)
        if own is not None or "estimates" not in account.loaded.powers:
            return own
        if not self._asks:
            return _table(account, request)
        shape = _shape([account], request)
        at, asked = self._known.get(shape, (-_LIFE, None))
        if asked is None or self._clock.now() - at >= _LIFE:
            asked = asyncio.ensure_future(_published(account, request))
            self._known[shape] = self._clock.now(), asked
        try:
            estimate = await asyncio.shield(asked)
        finally:
            if asked.done() and (asked.cancelled() or asked.exception() or asked.result() is None):
                # A catalogue that did not answer may do so now.
                self._known.pop(shape, None)
        return estimate


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
    adapter = _adapter(account)
    try:
        # Files and bytes are uploaded with the order; a price asks for their links alone.
        asked = adapter.build_estimate(account.capabilities.stand_in(request))
        if asked is not None:
            found = await account.ask(partial(_same, asked), partial(_read, adapter, request))
            return found if found is None or found.date else evolve(found, date=_day(account.wall()))
    except (SendError, PikaError):
        pass  # a catalogue that does not answer leaves what the adapter knows itself
    except Exception:
        log.exception("%s: the adapter failed to ask for a price", account.key)
    return _table(account, request)


def _table(account: Account, request: VideoRequest) -> Estimate | None:
    """Return the price that the adapter knows by itself; nobody is asked."""
    try:
        return _adapter(account).read_estimate(None, request)
    except PikaError:
        return None
    except Exception:
        log.exception("%s: the adapter failed to tell a price", account.key)
        return None


def _adapter(account: Account) -> Estimates:
    return cast("Estimates", account.provider)


def _day(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).date().isoformat()


def _same(request: HttpRequest) -> HttpRequest:
    return request


def _read(adapter: Estimates, request: VideoRequest, answer: HttpResponse) -> Estimate | None:
    return adapter.read_estimate(answer, request)
