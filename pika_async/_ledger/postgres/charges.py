"""What a batch does to accounts and to the sums of prices, and what they come to by that. Pure."""

from __future__ import annotations

from attrs import define, field

from pika_async._ledger.events import Claim, Event
from pika_async._ledger.evolve import evolve
from pika_async._ledger.pacing import paced
from pika_async._ledger.postgres.known import Known
from pika_async._ledger.records import Attempt, Usage
from pika_async._ledger.sharing import slots_for
from pika_async._ledger.spending import added, total
from pika_async._money import Money


@define
class Charge:
    """What a batch does to one account: added to what is there, and refused where that has moved too far.

    *slack* is by how many slots others may have filled the account since it was read; *submits_slack* the
    same for all submits. *pace* are the account's new figures where they are set and not added to.
    """

    slots: int = 0
    submits: int = 0
    claims: int = 0
    slack: int | None = None
    submits_slack: int | None = None
    pace: Usage | None = None


@define
class Sum:
    """What a batch adds to the sum of prices in one unit; *slack* as in `Charge`."""

    micros: int = 0
    slack: int | None = None


@define
class Charges:
    """Charges by account and sums by unit, on what was read of them before."""

    known: Known
    held_until: float
    of: dict[str, Charge] = field(factory=dict)
    sums: dict[str, Sum] = field(factory=dict)
    _usages: dict[str, Usage] = field(factory=dict)

    @property
    def set_a_pace(self) -> bool:
        """Whether the figures of an account are set, and not added to."""
        return any(charge.pace is not None for charge in self.of.values())

    def usage(self, account: str) -> Usage:
        """Return what an account uses after what was decided so far."""
        if account not in self._usages:
            self._usages[account] = self.known.usage(account)
        usage = self._usages[account]
        submits = self.known.usage("").submits + sum(charge.submits for charge in self.of.values())
        spent = self.known.spent
        for unit, sum_ in self.sums.items():
            spent = total(spent, Money(sum_.micros, unit))
        return evolve(usage, submits=submits, spent=spent, held_until=self.held_until)

    def grant(self, account: str, claim: Claim, usage: Usage) -> None:
        """Count a claim that was granted on *usage*, and by how much others may go before it."""
        charge = self._charge(account)
        charge.claims += 1
        if (slots := slots_for(claim.owner, claim.max_slots, usage)) is not None:
            charge.slack = _least(charge.slack, slots - 1 - usage.slots)
        if claim.max_submits is not None:
            charge.submits_slack = _least(charge.submits_slack, claim.max_submits - 1 - usage.submits)
        if claim.max_cost is not None and (price := claim.price) is not None:
            sum_ = self.sums.setdefault(price.unit, Sum())
            left = claim.max_cost.micros - usage.spent.get(price.unit, 0)
            sum_.slack = _least(sum_.slack, left - price.micros)

    def pace(self, account: str, event: Event, now: float) -> Usage:
        """Set the pace as *event*, which has moved a job, asks for; return what the account uses then."""
        kept = self.usage(account)
        usage = paced(kept, event, now)
        if usage is not kept:
            self._usages[account] = usage
            charge = self._charge(account)
            turned = usage.waiting != kept.waiting
            if not isinstance(event, Claim) or turned or charge.pace is not None:
                charge.pace = usage
        return usage

    def count(self, old: Attempt | None, new: Attempt) -> None:
        """Count what the change from *old* to *new* takes and frees: a slot, a submit, money."""
        slots = int(new.slot) - int(old is not None and old.slot)
        submits = int(new.claimed_at is not None and (old is None or old.claimed_at is None))
        if slots or submits:
            usage = self.usage(new.account)
            charge = self._charge(new.account)
            charge.slots += slots
            charge.submits += submits
            self._usages[new.account] = evolve(usage, slots=usage.slots + slots)
        if new.price is not None and (money := added(old, new)) is not None:
            self.sums.setdefault(money.unit, Sum()).micros += money.micros

    def _charge(self, account: str) -> Charge:
        return self.of.setdefault(account, Charge())


def _least(one: int | None, other: int) -> int:
    return other if one is None else min(one, other)
