"""What accounts use, who sends for them, and what was learned of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pika_async._ledger.events import Event
from pika_async._ledger.evolve import evolve
from pika_async._ledger.forgetting import is_over
from pika_async._ledger.pacing import paced
from pika_async._ledger.records import Attempt, Member, Usage
from pika_async._ledger.sharing import shared
from pika_async._ledger.spending import added, total


class Accounts:
    """Keeps the figures of each account, and counts every change of an attempt."""

    def __init__(self) -> None:
        self.figures: dict[str, Usage] = {}
        self.spent: Mapping[str, int] = {}
        self._submits = 0
        self._members: dict[str, dict[str, Member]] = {}
        self._leases: dict[str, tuple[str, float]] = {}
        self._learned: dict[str, str] = {}

    def usage(self, account: str) -> Usage:
        """Read what *account* uses, and all submits ever claimed here."""
        usage = self.figures.get(account)
        if usage is None:
            return Usage(submits=self._submits, spent=self.spent)
        if usage.submits == self._submits and usage.spent == self.spent:
            return usage
        return evolve(usage, submits=self._submits, spent=self.spent)

    def count(self, old: Attempt | None, new: Attempt) -> None:
        """Count what the change from *old* to *new* takes and frees: a slot, a submit, money."""
        held = old is not None and old.slot
        if new.claimed_at is not None and (old is None or old.claimed_at is None):
            self._submits += 1
        if new.price is not None and (money := added(old, new)) is not None:
            self.spent = total(self.spent, money)
        if new.slot is not held:
            usage = self.figures.get(new.account) or Usage()
            slots = usage.slots + new.slot - held
            self.figures[new.account] = evolve(usage, slots=slots, submits=self._submits)

    def pace(self, account: str, event: Event, now: float) -> Usage:
        """Set the pace as *event*, which has moved a job, asks for; return what the account uses then."""
        kept = self.usage(account)
        if (usage := paced(kept, event, now)) is not kept:
            self.figures[account] = usage
        return usage

    def present(self, account: str, member: Member, seconds: float, now: float) -> Usage:
        """Say that a process sends for *account*, for *seconds* from now on."""
        members = self._members.setdefault(account, {})
        members[member.owner] = evolve(member, until=now + seconds)
        self._members[account] = {m.owner: m for m in members.values() if m.until > now}
        self.figures[account] = shared(self.usage(account), self._members[account].values(), now)
        return self.figures[account]

    def members(self, account: str, now: float) -> Sequence[Member]:
        """Read the processes that send for *account* and are alive."""
        return [m for m in self._members.get(account, {}).values() if m.until > now]

    def lease(self, name: str, owner: str, seconds: float, now: float) -> bool:
        """Take or keep the lease *name*, unless another owner has it."""
        holder, until = self._leases.get(name, (owner, 0.0))
        if holder != owner and until > now:
            return False
        self._leases[name] = owner, now + seconds
        return True

    def learned(self, account: str, state: str | None) -> str | None:
        """Read what pollers learned of *account*; with *state*, keep that first."""
        if state is not None:
            self._learned[account] = state
        return self._learned.get(account)

    def forget_links(self, now: float) -> None:
        """Forget the links of uploads that are good no longer."""
        for name in [name for name, state in self._learned.items() if is_over(name, state, now)]:
            del self._learned[name]
