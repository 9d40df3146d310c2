"""What attempts may cost, summed by unit: doubts count, what is proven unbilled does not. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from pika_async._ledger.records import Attempt
from pika_async._ledger.standing import charged
from pika_async._money import Money


def counts(attempt: Attempt) -> bool:
    """Return whether the price of *attempt* may be billed, as far as anyone knows."""
    return attempt.price is not None and charged(attempt) != "no"


def added(old: Attempt | None, new: Attempt) -> Money | None:
    """Return what the change from *old* to *new* adds to the sum; a negative amount gives money back."""
    price = new.price
    if price is None:
        return None
    before, after = old is not None and counts(old), counts(new)
    if before is after:
        return None
    return price if after else Money(-price.micros, price.unit)


def total(spent: Mapping[str, int], more: Money | None) -> Mapping[str, int]:
    """Return the sums *spent*, in millionths by unit, with *more*.

    >>> total({"USD": 5}, Money(-5, "USD")), total({"USD": 5}, Money(1, "credits"))
    ({}, {'USD': 5, 'credits': 1})
    """
    if more is None:
        return spent
    sums = {**spent, more.unit: spent.get(more.unit, 0) + more.micros}
    return {unit: micros for unit, micros in sums.items() if micros}
