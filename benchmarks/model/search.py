"""Breadth-first search through every state of a small world; the first violation has the shortest trace."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import pairwise
from time import perf_counter
from typing import TypeAlias

from attrs import frozen

from benchmarks.model.book import Book
from benchmarks.model.laws import (
    OF_ENDS,
    OF_EVENTS,
    OF_FENCES,
    OF_RECORDS,
    OF_WORLDS,
    Records,
    Told,
    Truth,
    a_replay_leaves_under_its_first_key,
    a_replay_leaves_within_t,
)
from benchmarks.model.steps import Step, Steps
from benchmarks.model.world import Setting, World
from pika_async._ledger.events import Evidence, Unbind

Law: TypeAlias = Callable[..., bool]


@frozen(kw_only=True)
class Violation:
    """A law that does not hold after the last step of *trace*."""

    law: Law
    trace: tuple[Step, ...]
    book: Book


@frozen(kw_only=True)
class Found:
    """What the search of one setting came to; *complete* says that every state was visited."""

    setting: Setting
    states: int
    steps: int
    depth: int
    records: int
    seconds: float
    complete: bool
    violation: Violation | None = None


class Search:
    """Searches one setting. Worlds are compared as wholes, so no two are taken for one."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._book = Book(setting.caps)
        self._steps = Steps(setting, self._book)
        self._numbers: dict[World, int] = {}
        self._worlds: list[World] = []
        self._parents: list[int] = []
        self._depths: list[int] = []
        self._read: dict[tuple[int, ...], tuple[Records, Law | None]] = {}
        self._judged: dict[tuple[tuple[int, ...], int, str], Law | None] = {}

    def run(self, at_most: int | None = None) -> Found:
        """Visit every state, until one breaks a law, or until there are *at_most*."""
        began, taken = perf_counter(), 0
        queue = deque([self._add(self._steps.start(), 0)])
        violation = None
        while queue and violation is None and (at_most is None or len(self._worlds) < at_most):
            number = queue.popleft()
            world = self._worlds[number]
            stuck = True
            for step in self._steps.of(world):
                taken += 1
                is_new = step.world not in self._numbers
                stuck = stuck and step.world == world
                law = self._of_step(world, step) or (self._of_world(step.world) if is_new else None)
                if law is not None:
                    violation = Violation(law=law, trace=(*self._trace(number), step), book=self._book)
                    break
                if is_new:
                    queue.append(self._add(step.world, number))
            if stuck and violation is None and (law := self._broken(OF_ENDS, self._records(world)[0])):
                violation = Violation(law=law, trace=self._trace(number), book=self._book)
        return Found(
            setting=self._setting,
            states=len(self._worlds),
            steps=taken,
            depth=max(self._depths),
            records=len(self._book.records),
            seconds=perf_counter() - began,
            complete=not queue and violation is None,
            violation=violation,
        )

    def _add(self, world: World, parent: int) -> int:
        number = self._numbers[world] = len(self._worlds)
        self._worlds.append(world)
        self._parents.append(parent)
        self._depths.append(self._depths[parent] + 1 if number else 0)
        return number

    def _of_step(self, world: World, step: Step) -> Law | None:
        if step.fenced is not None:
            jobs = self._records(world)[0].jobs
            job = next(j for j in jobs if j.attempt(step.fenced) is not None)
            if (law := self._broken(OF_FENCES, job)) is not None:
                return law
        if step.replayed is not None and step.place is not None:
            job = self._records(world)[0].jobs[step.place]
            attempt = job.attempt(step.replayed)
            if attempt is None or not a_replay_leaves_within_t(job, attempt):
                return a_replay_leaves_within_t
            if not a_replay_leaves_under_its_first_key(attempt, step.under):
                return a_replay_leaves_under_its_first_key
        if step.event is None or step.place is None:
            return None
        key = world.jobs, step.place, step.name
        if key not in self._judged:
            self._judged[key] = self._of_event(world, step)
        return self._judged[key]

    def _of_event(self, world: World, step: Step) -> Law | None:
        before, after = self._records(world)[0].jobs, self._records(step.world)[0].jobs
        slots = sum(a.slot for job in after for a in job.attempts)
        proof = step.event.source if isinstance(step.event, Evidence) else None
        for place, (old, new) in enumerate(zip(before, after, strict=True)):
            event = step.event if place == step.place else Unbind(attempt="")
            if (place == step.place or old is not new) and event is not None:
                told = Told(self._setting, event, old, new, slots, proof if place != step.place else None)
                if (law := self._broken(OF_EVENTS, told)) is not None:
                    return law
        return None

    def _of_world(self, world: World) -> Law | None:
        records, law = self._records(world)
        return law or self._broken(OF_WORLDS, Truth(world, records))

    def _records(self, world: World) -> tuple[Records, Law | None]:
        read = self._read.get(world.jobs)
        if read is None:
            records = Records(self._setting, tuple(map(self._book.job, world.jobs)))
            read = self._read[world.jobs] = records, self._broken(OF_RECORDS, records)
        return read

    def _trace(self, number: int) -> tuple[Step, ...]:
        path = [number]
        while path[-1]:
            path.append(self._parents[path[-1]])
        path.reverse()
        worlds = [self._worlds[one] for one in path]
        return tuple(
            next(step for step in self._steps.of(one) if step.world == other)
            for one, other in pairwise(worlds)
        )

    @staticmethod
    def _broken(laws: Iterable[Law], case: object) -> Law | None:
        return next((law for law in laws if not law(case)), None)
