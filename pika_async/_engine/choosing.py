"""Which account gets an order first, and why: by the given order, or by the user's rule on prices. Pure."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias

from attrs import frozen

from pika_async._engine.account import Account
from pika_async._ledger.records import AttemptState, JobRecord, Refusal
from pika_async._powers import Estimate
from pika_async.requests import VideoRequest

MEDIA: Final = "media"
"""The code of a refusal of ours: the media of the order could not be brought to the provider."""


@frozen
class Choice:
    """Accounts in the order in which they are asked, and *why* the first one is."""

    accounts: tuple[Account, ...]
    why: str


Rule: TypeAlias = Callable[[Sequence[Account], VideoRequest], Awaitable[Choice]]
"""A rule of the user's, over the accounts that can express a request."""


def in_given_order(accounts: Sequence[Account], able: Sequence[Account]) -> Choice:
    """Return the accounts that are *able*, in the order in which the user named them."""
    before = [account.name for account in accounts[: accounts.index(able[0])]]
    why = f"{' and '.join(before)} cannot express the request" if before else "first in the given order"
    return Choice(tuple(able), why if len(accounts) > 1 else "the only provider of the client")


def by_price(able: Sequence[Account], estimates: Sequence[Estimate | None]) -> Choice:
    """Return the accounts that are *able*, the cheapest first.

    Only prices of equal things are compared: of the same model class, duration and resolution, in the same
    unit, and so with the first price that is known. Who has no such price comes after, in the given order.
    """
    known = [(account, price) for account, price in zip(able, estimates, strict=True) if price is not None]
    if not known:
        return Choice(tuple(able), "no price is known, so the first in the given order")
    bought = _bought(known[0][1])
    equal = sorted((pair for pair in known if _bought(pair[1]) == bought), key=lambda pair: pair[1].amount)
    cheapest = [account for account, _ in equal]
    rest = [account for account in able if account not in cheapest]
    price = equal[0][1]
    why = f"the cheapest, {price.amount:g} {price.unit}"
    if len(equal) > 1:
        dearer, its = equal[1]
        why += f" against {its.amount:g} {its.unit} at {dearer.name}"
    return Choice((*cheapest, *rest), why)


def _bought(price: Estimate) -> tuple[str | None, float | None, str | None, str]:
    """Return what a price buys, as far as two providers can mean the same by it."""
    model = (
        None if price.model is None else re.sub(r"\A(pika[ /_-]*)?(v(?=[0-9]))?", "", price.model.casefold())
    )
    return model, price.duration, price.resolution, price.unit


def why(record: JobRecord, first: str) -> str:
    """Say why the account of the newest attempt has the job; *first* is why the first one had it.

    After a proven refusal that is the refusal, whoever reads it.
    """
    newest = record.newest
    for attempt in reversed(record.attempts):
        if attempt.account != newest.account and attempt.state is AttemptState.REFUSED:
            name, refusal = attempt.account.partition(":")[0], attempt.outcome
            if not isinstance(refusal, Refusal):
                return f"{name} refused it"
            did = "could not take its media" if refusal.code == MEDIA else "refused it"
            return f"{name} {did} ({refusal.error})"
    return first
