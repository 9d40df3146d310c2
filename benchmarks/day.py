"""A day of 100,000 orders in virtual time: ten clients in ten loops share a ledger and a provider account.

A seed is an hour of it, with 4,167 orders and an empty ledger at its start. The clients, their timers,
leases, budgets and look-ups are the shipped ones; network, provider and ledger's delays are those of the
simulation, without its faults.
"""

from __future__ import annotations

from collections import Counter
from functools import partial

from benchmarks._campaign import Campaign, Tally
from benchmarks.simulation import world as worlds
from benchmarks.simulation.chance import seeded
from benchmarks.simulation.ledgers import Port, Store
from benchmarks.simulation.network import Departure
from benchmarks.simulation.plan import Order, Plan
from benchmarks.simulation.process import Process
from benchmarks.simulation.provider import Server, attempt_in
from pika_async._http import HttpRequest
from pika_async._ledger.change import Change
from pika_async.testing._world import as_received

CLAIM = "ten processes on one ledger end 100,000 orders of a day with one video each, each bought once"
_PROCESSES, _ORDERS, _HOUR = 10, 4_167, 3_600.0
_PATIENCE = 1_800.0


class Hour(worlds.World):
    """A world without faults, whose books are read at its end, as it has too many orders for more."""

    def __init__(self, seed: int) -> None:
        plan = Plan(
            seed=seed,
            ledger="shared",
            processes=_PROCESSES,
            jobs=0,
            providers=("acedata",),
            slots=200,
            faults=frozenset(),
            rate=0.0,
            render_time=60.0,
        )
        super().__init__(plan)
        self.store = Store()
        self.posts = 0

    def log(self, what: str) -> None:
        """Keep nothing: millions of lines would be hashed."""

    def changed(self, change: Change) -> None:
        """Leave the states of single jobs to the simulation."""

    def departs(self, server: Server, request: HttpRequest) -> Departure:
        """Count a POST."""
        self.posts += 1
        return Departure(self.posts, server.name, "", attempt_in(as_received(request)), "")

    def open(self) -> None:
        """Start the processes, and have orders come to them over the hour."""
        self.calm = True
        for number in range(_PROCESSES):
            process = Process(self, f"process {number}", lambda it: Port(self.store, it, shared=True))
            self.processes.append(process)
            process.start(recover=False)
        chance = self.chances["orders"]
        for number in range(_ORDERS):
            at = chance.uniform(1, _HOUR)
            process = chance.choice(self.processes)
            order = Order(
                number=number,
                at=at,
                process=0,
                key=False,
                patience=None,
                again_in=None,
                leaves_after=None,
                moderated=False,
            )
            self.after(at, partial(process.order, order))

    def ended(self) -> bool:
        """Say whether every caller has been told."""
        return all(asked.told for asked in self.asked.values()) and len(self.asked) == _ORDERS

    def close(self) -> None:
        """Close every client, and let go of its loop."""
        closing = [process.begin(process.pika.aclose()) for process in self.processes]
        self.run(self.now + 100, lambda: all(task.done() for task in closing))
        for process in self.processes:
            process.alive = False
            process.loop.drop()
            process.loop.close()


def one(seed: int) -> Tally:
    """Live through one hour, and read the provider's books."""
    hour = Hour(seed)
    with seeded(hour.chances), hour.watched():
        hour.open()
        while hour.now < _HOUR or (not hour.ended() and hour.now < _HOUR + _PATIENCE):
            hour.run(hour.now + 10)
            hour.steps = 0  # what takes the simulation for a standstill is some minutes' work here
        hour.close()
    bills = {prompt: len(found) for prompt, found in hour.bills.items()}
    videos = sum(asked.told == ["video"] for asked in hour.asked.values())
    tally = Tally(Counter(orders=_ORDERS, videos=videos, POSTs=hour.posts), list(hour.violations))
    tally.counts["bought twice"] = sum(bills.values()) - len(bills)
    tally.counts["without a video"] = _ORDERS - videos
    tally.counts["jobs not ended"] = sum(record.state != "succeeded" for record in hour.store.records)
    tally.broken += [f"{prompt} was bought {n} times" for prompt, n in bills.items() if n > 1]
    tally.broken += [f"{prompt} was told {a.told}" for prompt, a in hour.asked.items() if a.told != ["video"]]
    return tally


CAMPAIGN = Campaign(
    name="day",
    claim=CLAIM,
    one=one,
    quick=1,
    full=24,
    none=("bought twice", "without a video", "jobs not ended"),
    least={"orders": 100_000},
)
measure = CAMPAIGN.measure

if __name__ == "__main__":
    CAMPAIGN.main()
