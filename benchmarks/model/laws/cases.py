"""What a law judges: one event, what a ledger says, and a world beside its ledger."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import define, field, frozen

from benchmarks.model.book import NOW
from benchmarks.model.world import FLYING, Setting, World
from pika_async._ledger import machine
from pika_async._ledger.events import Event
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState, Usage
from pika_async._ledger.standing import LOST

S = AttemptState
LIVE = frozenset({S.RUNNING, S.SUCCEEDED})
_UNSENT = frozenset({S.QUEUED, S.SUBMITTING, S.CANCELLED})


@frozen(eq=False)
class Told:
    """One job before and after *event*; *slots* are what all jobs hold after it.

    *proof* is the source of evidence that was told to another job and changed this one.
    """

    setting: Setting
    event: Event
    before: JobRecord
    after: JobRecord
    slots: int
    proof: str | None = None

    def rows(self) -> Iterator[tuple[Attempt | None, Attempt]]:
        """Return each attempt as it was and as it is."""
        return ((self.before.attempt(new.id), new) for new in self.after.attempts)

    def claimed(self) -> Attempt | None:
        """Return the attempt that was claimed."""
        return next(
            (new for old, new in self.rows() if was(old, S.QUEUED) and new.claimed_at is not None), None
        )

    def entered(self, state: AttemptState) -> Iterator[tuple[Attempt | None, Attempt]]:
        """Return the attempts that are in *state* now and were not."""
        return ((old, new) for old, new in self.rows() if new.state is state and not was(old, state))


@define(eq=False)
class Records:
    """What a ledger says: computed once for the many worlds that it is the ledger of."""

    setting: Setting
    jobs: tuple[JobRecord, ...]
    attempts: tuple[Attempt, ...] = field(init=False)
    shown: frozenset[str] = field(init=False)
    refused: frozenset[str] = field(init=False)
    ids: frozenset[str] = field(init=False)
    unsent: frozenset[str] = field(init=False)
    doubted: frozenset[str] = field(init=False)
    closed: frozenset[str] = field(init=False)
    given_up: frozenset[str] = field(init=False)
    won: frozenset[tuple[str, str]] = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Read the records once."""
        self.attempts = tuple(a for job in self.jobs for a in job.attempts)
        bound = [a.task.id for a in self.attempts if a.task is not None]
        self.shown = frozenset(bound).union(extra.task.id for job in self.jobs for extra in job.extras)
        self.refused = frozenset(a.id for a in self.attempts if a.state is S.REFUSED)
        self.unsent = frozenset(a.id for a in self.attempts if a.state in _UNSENT)
        self.ids = frozenset(a.id for a in self.attempts)
        self.doubted = frozenset(a.id for a in self.attempts if a.state in LOST)
        lost = {JobState.FAILED, JobState.CANCELLED}
        self.closed = frozenset(job.id for job in self.jobs if job.state in lost)
        self.given_up = frozenset(a.id for a in self.attempts if a.abandoned)
        winners = {(job.id, job.winner) for job in self.jobs}
        self.won = frozenset(
            (a.task.id, a.job_id) for a in self.attempts if a.task is not None and (a.job_id, a.id) in winners
        )


@frozen(eq=False)
class Truth:
    """A world, beside what the records of its ledger say."""

    world: World
    records: Records

    def may_buy(self) -> set[str]:
        """Return the attempts of which the provider has a task, or may still get one."""
        flying = {p.attempt for p in self.world.posts if p.phase == FLYING}
        return flying.union(b.attempt for b in self.world.billed)


def after(job: JobRecord, event: Event) -> JobRecord:
    """Return what the shipped machine makes of *job* when it is told *event*."""
    return machine.settle(job, event, NOW, Usage(), None)[0]


def moves(job: JobRecord, event: Event) -> bool:
    """Say whether *event* changes *job*."""
    return after(job, event) is not job


def was(old: Attempt | None, state: AttemptState) -> bool:
    """Say whether there was an attempt, in *state*."""
    return old is not None and old.state is state
