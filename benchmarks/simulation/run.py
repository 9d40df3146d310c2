"""Runs one plan from its start to the day of judgement."""

from __future__ import annotations

from functools import partial

from attrs import frozen

from benchmarks.simulation.chance import seeded
from benchmarks.simulation.laws import at_rest, broken_laws, laws_at_all_times
from benchmarks.simulation.ledgers import Port, Store
from benchmarks.simulation.media import Folder
from benchmarks.simulation.plan import Order, Plan
from benchmarks.simulation.process import Process
from benchmarks.simulation.sqlite import File, SimulatedSqlite
from benchmarks.simulation.world import StuckError, World
from pika_async._engine.effects import waits_for_a_word
from pika_async._ledger.records import AttemptState, JobRecord

_CALM_AT = 150.0
PATIENCE = 3600.0
"""Seconds after the last fault within which every world comes to rest."""
_ROUND = 30.0
_TOLD = 101.0
"""Longer than a process without jobs takes to hear what others hold, and a slow look-up to find a task."""


@frozen
class Outcome:
    """What became of a world. Equal digests mean that everything happened alike."""

    plan: Plan
    digest: str
    violations: tuple[str, ...]
    steps: int
    seconds: float
    happened: dict[str, int]
    lines: tuple[str, ...] = ()


def run(plan: Plan, *, keep: bool = False, patience: float = PATIENCE) -> Outcome:
    """Run *plan*; with *keep*, the event log is kept.

    A world that has not come to rest *patience* seconds after its last fault is judged by what must hold at
    every time alone: some orders wait for half an hour behind a doubt.
    """
    return _Run(plan, keep=keep, patience=patience).outcome()


class _Run:
    def __init__(self, plan: Plan, *, keep: bool, patience: float) -> None:
        self.plan = plan
        self.patience = patience
        self.world = World(plan, keep=keep)

    def outcome(self) -> Outcome:
        world = self.world
        if self.plan.ledger == "sqlite":
            world.store = File()
        if self.plan.saves:
            world.folder = Folder()
        with seeded(world.chances), world.watched():
            try:
                self._live()
            except StuckError as error:
                world.broken(str(error))
            finally:
                for process in world.all_processes:
                    process.alive = False
                    process.ledger.die()
                    process.files.die()
                    process.loop.drop()
                    process.loop.close()
                if world.store is not None:
                    world.store.remove()
                if world.folder is not None:
                    world.folder.remove()
        posts = sum(len(asked.departures) for asked in world.asked.values())
        world.happened.update(posts=posts, bills=sum(map(len, world.bills.values())))
        return Outcome(
            plan=self.plan,
            digest=world.digest,
            violations=tuple(world.violations),
            steps=world.steps,
            seconds=world.now,
            happened=dict(world.happened),
            lines=tuple(world.lines or ()),
        )

    def _live(self) -> None:
        world, plan = self.world, self.plan
        if plan.ledger == "shared":
            world.store = Store()
        for number in range(plan.processes):
            self._start(number)
        for order in plan.orders:
            world.after(order.at, partial(self._order, order, order.process))
            if order.again_in is not None:
                later = world.chances["again"].choice((0.0, 0.01, 5.0))
                world.after(order.at + later, partial(self._again_ordered, order))
        self._plan_faults()
        world.run(_CALM_AT)
        self._calm()
        self._judge()

    def _ledger(self, process: Process) -> Port | SimulatedSqlite:
        if isinstance(self.world.store, File):
            return SimulatedSqlite(self.world.store.path, process)
        if self.plan.ledger == "memory":
            return Port(Store(), process, shared=False)
        return Port(self.world.store, process, shared=True)

    def _start(self, number: int, generation: int = 0) -> None:
        world = self.world
        process = Process(world, f"process {number}.{generation}", self._ledger)
        process.number, process.generation = number, generation
        slot = world.by_number
        slot[number] = process
        world.processes = [*(p for p in world.processes if p.alive), process]
        world.all_processes.append(process)
        chance = world.chances[f"dooms of {number}"]
        if "crash" in self.plan.faults and not world.calm and generation < 3 and chance.random() < 0.8:
            process.doom = chance.choice((chance.randrange(1, 12), chance.randrange(1, 80)))
            if self.plan.returns:
                self._await_death(process)
        process.start(recover=generation > 0)
        if generation and world.remembers:
            for order in self.plan.orders:
                mine = number in {order.process, order.again_in} and order.at <= world.now
                if mine and order.key and not self._has_all(order):
                    process.order(order)

    def _has_all(self, order: Order) -> bool:
        asked = self.world.asked[order.prompt]
        return "video" in asked.told and (self.world.folder is None or asked.saved)

    def _await_death(self, process: Process) -> None:
        """Have another process take the place of one that dies."""
        chance = self.world.chances["restarts"]

        def look() -> None:
            if process.alive:
                if not self.world.calm:
                    self.world.after(1.0, look)
            else:
                pause = chance.choice((0.1, 3.0, 20.0, 90.0))
                self.world.after(pause, partial(self._again, process))

        self.world.after(1.0, look)

    def _again(self, process: Process) -> None:
        if self.world.by_number[process.number] is process:
            self._start(process.number, process.generation + 1)

    def _order(self, order, number: int, *, stays: bool = False) -> None:
        process = self.world.by_number[number]
        if process.alive and not process.closed:
            process.order(order, stays=stays)

    def _again_ordered(self, order) -> None:
        if self.world.remembers or self.world.by_number[order.again_in].generation == 0:
            # A process that was killed with its memory buys the same key once more, as everybody is told.
            self._order(order, order.again_in, stays=True)

    def _plan_faults(self) -> None:
        world, faults = self.world, self.plan.faults
        chance = world.chances["times"]
        if "outage" in faults:
            world.after(chance.uniform(0, 60), partial(world.outage, chance.choice((0.5, 5.0, 40.0, 70.0))))
        if "leap" in faults:
            by = chance.choice((-60.0, -5.0, 3.0, 30.0, 100.0, 100.0, -3000.0, 3000.0))
            world.after(chance.uniform(0, 60), partial(world.leap, by))
        if "sleep" in faults:
            world.after(chance.uniform(0, 60), partial(world.sleep, chance.choice((3.0, 30.0, 100.0, 600.0))))
        if "stop" in faults:
            for _ in range(2):
                number = chance.randrange(self.plan.processes)
                seconds = chance.choice((4.0, 6.0, 20.0, 80.0, 100.0))
                world.after(chance.uniform(0, 60), partial(self._stop, number, seconds))
        if "close" in faults:
            world.after(chance.uniform(0, 60), partial(self._close, chance.randrange(self.plan.processes)))

    def _stop(self, number: int, seconds: float) -> None:
        process = self.world.by_number[number]
        if process.alive:
            self.world.happened["stop"] += 1
            self.world.log(f"{process.name} is stopped for {seconds} s")
            process.stopped_until = self.world.now + seconds

    def _close(self, number: int) -> None:
        process = self.world.by_number[number]
        if process.alive and process.ready and not process.closed:
            self.world.happened["close"] += 1
            self.world.log(f"{process.name} closes")
            process.closed = True
            closing = process.close()
            closing.add_done_callback(lambda _: process.over())
            if self.plan.returns:
                self.world.after(40.0, partial(self._again, process))

    def _calm(self) -> None:
        """Let all faults end, have every order taken up again, and wait until nothing moves by itself."""
        world = self.world
        world.calm = True
        world.log("calm")
        for process in world.all_processes:
            process.stopped_until = min(process.stopped_until, world.now)
            process.doom = process._fuse = None
        gone = [number for number, process in world.by_number.items() if not process.alive or process.closed]
        if not self.plan.returns and len(gone) < self.plan.processes:
            gone = []
        for number in sorted(gone):
            self._start(number, world.by_number[number].generation + 1)
        until = world.now + self.patience + (max(0.0, -world.wall_set) if self._waits_for_all else 0.0)
        world.run(world.now + _ROUND)
        if world.remembers and not gone and self.plan.returns:
            # One recovery is enough: what it does not set on the way is lost.
            for first in world.living()[:1]:
                first.begin(first.recover())
            world.run(world.now + _ROUND)
        self._rest(until)

    def _rest(self, until: float) -> None:
        """Let time pass until nothing moves by itself; a person settles doubts meanwhile."""
        world = self.world
        while world.now < until and not self._quiet():
            for first in world.living()[:1]:
                if world.remembers and self.plan.returns and any(map(_waits_for_a_word, world.records())):
                    # Its account was refused, and perhaps still paused when it was recovered.
                    first.begin(first.recover())
                first.begin(first.decide())
            world.run(world.now + _ROUND)

    @property
    def _waits_for_all(self) -> bool:
        return self.patience >= PATIENCE

    def _quiet(self) -> bool:
        world = self.world
        waiting = any(not task.done() for p in world.living() for task in p.callers)
        stats = [stats for p in world.living() for stats in p.pika._lifecycle._engine.stats().values()]
        busy = any(one.on_the_wire or one.queued or one.outbox_age is not None for one in stats)
        open_ = waiting or busy or world.wants_a_word()
        return not open_ and all(at_rest(job) or world.is_left(job) for job in world.records())

    def _judge(self) -> None:
        world = self.world
        if self._quiet() or self._waits_for_all:
            if any(broken_laws(world, world.records())):
                world.run(world.now + _TOLD)
                self._rest(world.now + PATIENCE)
            laws = broken_laws(world, world.records())
        else:
            laws = laws_at_all_times(world)
        for law in laws:
            world.broken(law)
        closing = [process.close() for process in world.living()]
        world.run(world.now + 100, lambda: all(task.done() for task in closing))
        for task in closing:
            if not task.done():
                world.broken("a client does not close")
            elif task.exception() is not None:
                world.broken(f"closing raised {task.exception()!r}")


def _waits_for_a_word(job: JobRecord) -> bool:
    return job.newest.state is AttemptState.QUEUED and waits_for_a_word(job)
