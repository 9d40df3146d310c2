"""What orders came to, by provider: estimated and real cost, refunds, and what may be charged. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from attrs import define, field, frozen

from pika_async._crossing import Value

if TYPE_CHECKING:
    from pika_async._job_view import AttemptView, JobView
    from pika_async._money import Money
    from pika_async.results import Charged


@frozen(kw_only=True)
class Spent(Value):
    """What the orders at one provider cost.

    *charged* counts jobs by whether they were charged. The sums are by unit, and units are never added
    together: *estimated* are the prices of what was charged, *may_be_charged* those of what is not known yet,
    *refunded* those of the *refunds* that a provider accepted and did not charge. *unpriced* counts orders
    that were or may be charged and have no price. *cost* is what the provider itself reported, for
    *costs_told* orders, in its own unit; what it refunded is not in it.
    """

    charged: Mapping[Charged, int]
    estimated: Mapping[str, float]
    may_be_charged: Mapping[str, float]
    refunded: Mapping[str, float]
    refunds: int
    unpriced: int
    cost: float
    costs_told: int


@define
class _Sums:
    charged: dict[Charged, int] = field(factory=lambda: {"yes": 0, "no": 0, "unknown": 0})
    prices: dict[str, dict[str, Money]] = field(factory=dict)
    refunds: int = 0
    unpriced: int = 0
    costs: list[float] = field(factory=list)

    def add(self, attempt: AttemptView) -> None:
        match attempt.charged:
            case "no" if attempt.task is None:
                return  # it was refused, or never sent
            case "no":
                self.refunds += 1
                self._price("refunded", attempt)
            case "yes":
                self._price("estimated", attempt)
            case "unknown":
                self._price("may_be_charged", attempt)
        if attempt.charged != "no":
            self.unpriced += attempt.price is None
            self.costs += [] if attempt.cost is None else [attempt.cost]

    def _price(self, name: str, attempt: AttemptView) -> None:
        if (price := attempt.price) is not None:
            sums = self.prices.setdefault(name, {})
            sums[price.unit] = sums[price.unit].plus(price) if price.unit in sums else price

    def told(self) -> Spent:
        def amounts(name: str) -> dict[str, float]:
            return {unit: float(money.amount) for unit, money in self.prices.get(name, {}).items()}

        return Spent(
            charged=self.charged,
            estimated=amounts("estimated"),
            may_be_charged=amounts("may_be_charged"),
            refunded=amounts("refunded"),
            refunds=self.refunds,
            unpriced=self.unpriced,
            cost=sum(self.costs),
            costs_told=len(self.costs),
        )


@define
class Spending:
    """Sums up jobs, one after the other, by provider."""

    _sums: dict[str, _Sums] = field(factory=dict)

    def add(self, job: JobView) -> None:
        """Count *job*, and each of its attempts for the provider that it went to."""
        self._of(job.provider).charged[job.charged] += 1
        for attempt in job.attempts:
            self._of(attempt.account.partition(":")[0]).add(attempt)

    def told(self) -> dict[str, Spent]:
        """Return what they came to."""
        return {provider: sums.told() for provider, sums in self._sums.items()}

    def _of(self, provider: str) -> _Sums:
        return self._sums.setdefault(provider, _Sums())
