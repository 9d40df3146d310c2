"""What one seed makes happen, as a value: who orders what, in which world, and which faults may come."""

from __future__ import annotations

import random
from typing import Literal, TypeAlias, get_args

from attrs import evolve, field, frozen

Kind: TypeAlias = Literal["memory", "shared", "sqlite"]
Fault: TypeAlias = Literal[
    "unreached",
    "refused",
    "unread",
    "reset",
    "partial",
    "page",
    "late",
    "look-ups",
    "lag",
    "commit-lost",
    "commit-unheard",
    "outage",
    "crash",
    "stop",
    "close",
    "leap",
    "sleep",
    "cancel",
    "gone",
    "cut",
    "changed",
    "no-etag",
    "other-part",
    "no-length",
]
FAULTS: tuple[Fault, ...] = get_args(Fault)
_OF_FILES: tuple[Fault, ...] = ("gone", "cut", "changed", "no-etag", "other-part", "no-length")
RECEIVER = "https://app.test/pika"
PROVIDERS = ("acedata", "duomi", "pika", "comfy", "fal")


@frozen(kw_only=True)
class Order:
    """One order of a caller in process *process*, *at* seconds after the start.

    With *key* it is asked again until its end is known. *again_in* is a second process that asks for the same
    key. The first caller of one with *leaves_after* stops waiting then.
    """

    number: int
    at: float
    process: int
    key: bool
    patience: float | None
    again_in: int | None
    leaves_after: float | None
    moderated: bool

    @property
    def prompt(self) -> str:
        return f"order {self.number}{' sandbox-moderated' if self.moderated else ''}"

    @classmethod
    def of(cls, seed: int, number: int, processes: int) -> Order:
        chance = random.Random(f"{seed} order {number}")
        key = chance.random() < 0.5
        order = cls(
            number=number,
            at=chance.choice((0.0, chance.uniform(0, 60))),
            process=chance.randrange(processes),
            key=key,
            patience=chance.choice((None, None, None, 120.0, 30.0)),
            again_in=chance.randrange(processes) if key and chance.random() < 0.3 else None,
            leaves_after=chance.choice((0.0, 0.05, chance.uniform(0, 40)))
            if chance.random() < 0.15
            else None,
            moderated=chance.random() < 0.03,
        )
        leaving = random.Random(f"{seed} leaves {number}")
        if order.again_in is not None and leaving.random() < 0.5:
            return evolve(order, leaves_after=leaving.choice((0.02, leaving.uniform(0, 40))))
        return order

    def waited_for_twice(self, processes: int) -> Order:
        """Return it with a caller in another process as well, who stays whatever becomes of the first."""
        return evolve(self, key=True, again_in=(self.process + 1) % processes, leaves_after=None)


@frozen(kw_only=True)
class Plan:
    """A world: its *seed* and what it is made of. *rate* is how often a fault comes where one may come.

    With *pushes* providers call back, and callbacks are lost, repeated, cut and late. Where a process that
    died or closed never *returns*, nobody recovers anything, and those that wait for its orders do its work.
    A ledger that is *slow* takes seconds for every third call. With *saves*, callers download what they
    bought.
    """

    seed: int
    ledger: Kind
    processes: int
    jobs: int
    providers: tuple[str, ...]
    slots: int
    faults: frozenset[Fault]
    rate: float
    render_time: float
    word: Literal["resubmit", "abandon", "none"] = "none"
    pushes: bool = False
    returns: bool = True
    slow: bool = False
    saves: bool = False
    orders: tuple[Order, ...] = field(init=False)

    @orders.default
    def _orders(self) -> tuple[Order, ...]:
        orders = tuple(Order.of(self.seed, number, self.processes) for number in range(self.jobs))
        return orders if self.returns else tuple(order.waited_for_twice(self.processes) for order in orders)

    @classmethod
    def of(cls, seed: int) -> Plan:
        chance = random.Random(f"{seed} plan")
        ledger: Kind = chance.choice(("memory", "shared", "shared", "sqlite"))
        first = chance.choice(PROVIDERS[:1] * 3 + PROVIDERS)
        others = [name for name in PROVIDERS if name != first]
        faults = tuple(fault for fault in FAULTS if fault not in _OF_FILES)
        if ledger == "memory":
            faults = tuple(fault for fault in faults if not fault.startswith(("commit", "outage")))
        share = chance.choice((0.15, 0.3, 0.5))
        files = random.Random(f"{seed} files")
        saves = files.random() < 0.25
        of_files = frozenset(fault for fault in _OF_FILES if saves and files.random() < 0.6)
        returns = random.Random(f"{seed} returns").random() > 0.15
        deaths: set[Fault] = set() if returns else {"crash", "unreached"}
        return cls(
            seed=seed,
            ledger=ledger,
            processes=1 if ledger == "memory" else chance.choice((1, 2, 2, 3)),
            jobs=chance.choice((1, 2, 3, 4, 6, 8)),
            providers=(first, chance.choice(others)) if chance.random() < 0.2 else (first,),
            slots=chance.choice((1, 2, 8, 32)),
            faults=of_files.union(deaths, [fault for fault in faults if chance.random() < share]),
            rate=chance.choice((0.03, 0.1, 0.3)),
            render_time=chance.choice((5.0, 20.0, 60.0)),
            word=chance.choice(("resubmit", "abandon", "none")),
            pushes=random.Random(f"{seed} pushes").random() < 0.15,
            returns=returns,
            slow=random.Random(f"{seed} slow").random() < 0.15,
            saves=saves,
        )

    @property
    def troubles_the_ledger(self) -> bool:
        """Whether the ledger itself fails in this world."""
        return bool(self.faults & {"commit-lost", "commit-unheard", "outage"})

    def smaller(self) -> list[Plan]:
        """Return worlds with one thing less, the greatest cuts first."""
        found = [evolve(self, jobs=fewer) for fewer in sorted({1, self.jobs // 2, self.jobs - 1}) if fewer]
        found += [evolve(self, processes=fewer) for fewer in range(1, self.processes)]
        found += [evolve(self, faults=self.faults - {fault}) for fault in sorted(self.faults)]
        if self.pushes:
            found.append(evolve(self, pushes=False))
        if self.saves:
            found.append(evolve(self, saves=False))
        if self.slow:
            found.append(evolve(self, slow=False))
        if not self.returns:
            found.append(evolve(self, returns=True))
        if self.ledger == "sqlite":
            found.append(evolve(self, ledger="shared"))
        if len(self.providers) > 1:
            found.append(evolve(self, providers=self.providers[:1]))
        return [plan for plan in found if plan != self]

    @property
    def command(self) -> str:
        """Return the command that replays this world."""
        usual, said = Plan.of(self.seed), [f"python -m benchmarks.simulation --seed {self.seed}"]
        if self.jobs != usual.jobs:
            said.append(f"--jobs {self.jobs}")
        if self.processes != usual.processes:
            said.append(f"--processes {self.processes}")
        if self.providers != usual.providers:
            said.append(f"--providers {','.join(self.providers)}")
        if self.ledger != usual.ledger:
            said.append(f"--ledger {self.ledger}")
        if self.pushes != usual.pushes:
            said.append("--no-callbacks")
        if self.saves != usual.saves:
            said.append("--no-downloads")
        if self.slow != usual.slow:
            said.append("--quick-ledger")
        if self.returns != usual.returns:
            said.append("--all-return")
        if self.faults != usual.faults:
            said.append(f"--faults {','.join(sorted(self.faults)) or 'none'}")
        return " ".join(said)
