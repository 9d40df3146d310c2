"""What does not agree in a ledger: its counts of slots, tasks and money against the jobs it holds. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from attrs import Factory, define

from pika_async._ledger.records import JobRecord
from pika_async._ledger.spending import added, total
from pika_async._ledger.standing import unsent
from pika_async._money import Money


@define
class Audit:
    """Counts what jobs hold, one after the other; *wrong* has a sentence for each that cannot be sent."""

    slots: Counter[str] = Factory(Counter)
    wrong: list[str] = Factory(list)
    _bound: Counter[tuple[str, str]] = Factory(Counter)
    _spent: Mapping[str, int] = Factory(dict)

    def add(self, job: JobRecord) -> None:
        """Count *job*."""
        self.slots.update({attempt.account: int(attempt.slot) for attempt in job.attempts})
        for attempt in job.attempts:
            self._spent = total(self._spent, added(None, attempt))
        self._bound.update((a.account, a.task.id) for a in job.attempts if a.task is not None)
        if job.request is None and unsent(job):
            self.wrong.append(f"Job {job.id} waits to be sent, and its request cannot be read.")

    def told(self, slots: Mapping[str, int], spent: Mapping[str, int]) -> list[str]:
        """Return what is wrong, where the ledger counts *slots* by account, and *spent* by unit."""
        wrong = [
            f"Account {account} counts {slots[account]} slots, and {held} attempts hold one."
            for account, held in sorted(self.slots.items())
            if slots[account] != held
        ]
        for unit in sorted(self._spent):
            # What was pruned is counted on.
            if spent.get(unit, 0) < self._spent[unit]:
                less, more = Money(spent.get(unit, 0), unit), Money(self._spent[unit], unit)
                wrong.append(f"The ledger counts {less} as spent, and its attempts may cost {more}.")
        twice = [f"A task on {name} is bound twice." for (name, _), many in self._bound.items() if many > 1]
        return [*self.wrong, *wrong, *twice]
