"""What a request would cost, asked of each provider. Free, and nothing is bought."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from pika_async._prices import Price, Quote, price_of
from pika_async._transport import SendError
from pika_async.errors import PikaError, UnsupportedRequest

if TYPE_CHECKING:
    from pika_async._engine.account import Account
    from pika_async._powers import Estimate
    from pika_async.provider import Estimates, HttpRequest, HttpResponse
    from pika_async.requests import VideoRequest


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
