"""The laws of pay-once, whatever happens in whatever order, in memory and in a file that crashes."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from collections.abc import Coroutine
from contextlib import nullcontext
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from pika_async._ledger import Ledger
from pika_async._ledger.events import (
    Abandon,
    Cancel,
    Claim,
    Event,
    Evidence,
    LeaseOver,
    Lost,
    Mismatch,
    NothingFound,
    Refused,
    Restored,
    Resubmit,
    Sending,
    SlotOver,
    Unknown,
)
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import Attempt, AttemptState, JobRecord, JobState
from pika_async._ledger.sqlite import SqliteLedger
from pika_async._ledger.sqlite import commit as plain_commit
from pika_async._ledger.standing import FINAL, charged
from pika_async._money import Money
from pika_async.errors import LedgerError
from tests import postgres
from tests.ledger.records import ACCOUNT, REFUSAL, failed, job, next_attempt, pending, refunded, succeeded

T = TypeVar("T")

JOBS = ("a", "b")
names = st.sampled_from(JOBS)
places = st.integers(0, 3)
owners = st.sampled_from(["one", "two"])
sources = st.sampled_from(["answer", "echo", "callback"])
snapshots = st.builds(
    lambda kind, task: kind(task),
    st.sampled_from([pending, succeeded, failed, refunded]),
    st.sampled_from("tuv"),
)

MAX_COST = Money.of(1, "USD")
prices = st.sampled_from([None, Money.of(0.3, "USD"), Money.of(0.5, "USD")])


class Laws(RuleBasedStateMachine):
    """Two jobs, two owners, three tasks; every job has a key, so that memory forgets none."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1000.0
        self.runner = asyncio.Runner()
        self.ledger = self.opened()
        self.run(self.ledger.open(self.wall))
        self.claims: list[str] = []
        self.marked: set[str] = set()
        self.proven: set[str] = set()
        self.final: dict[str, Attempt] = {}

    def opened(self) -> Ledger:
        return MemoryLedger()

    def wall(self) -> float:
        return self.now

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.runner.run(work)

    @initialize()
    def orders(self) -> None:
        for name in JOBS:
            self.run(self.ledger.create(job(name=name, key=name)))

    def record(self, name: str) -> JobRecord:
        record = self.run(self.ledger.get(name))
        assert record is not None
        return record

    def attempt(self, name: str, place: int) -> str:
        attempts = self.record(name).attempts
        return attempts[place % len(attempts)].id

    def apply(self, name: str, event: Event) -> None:
        before = self.record(name)
        try:
            change = self.run(self.ledger.apply(name, event))
            assert (change.before, change.after) == (before, self.record(name))
            assert change.moved is (change.after is not change.before)
        except LedgerError:
            self.recover()
        self.judge(before, event, self.record(name))

    def recover(self) -> None:
        raise AssertionError("memory does not fail")

    def judge(self, before: JobRecord, event: Event, after: JobRecord) -> None:
        known = {a.id: a for a in before.attempts}
        for new in after.attempts:
            old = known.get(new.id)
            if old is None:
                unsent = isinstance(event, LeaseOver) and self.was(before, event) is AttemptState.SUBMITTING
                reason = unsent or isinstance(event, Refused | Resubmit)
                assert reason, "a second attempt needs a refusal, a word, or the lack of a mark"
            elif old.state is AttemptState.QUEUED and new.state is AttemptState.SUBMITTING:
                siblings = {a.state for a in before.attempts if a.id != new.id}
                assert not siblings & {AttemptState.RUNNING, AttemptState.SUCCEEDED}
                self.claims.append(new.id)
            else:
                assert new.state is not AttemptState.QUEUED or old.state is AttemptState.QUEUED

            if isinstance(event, Sending) and event.attempt == new.id and new != old:
                assert after.state is JobState.OPEN
                assert not after.cancel_requested
                self.marked.add(new.id)
            assert new.state is not AttemptState.REFUSED or old == new or self.may_refuse(old, event)

    def may_refuse(self, old: Attempt | None, event: Event) -> bool:
        """Only the owner says that a marked attempt was refused; time alone never does."""
        return isinstance(event, Refused) or (old is not None and old.id not in self.marked)

    @staticmethod
    def was(before: JobRecord, event: LeaseOver) -> AttemptState | None:
        attempt = before.attempt(event.attempt)
        return None if attempt is None else attempt.state

    @rule(name=names, place=places, owner=owners)
    def sending(self, name: str, place: int, owner: str) -> None:
        self.apply(name, Sending(attempt=self.attempt(name, place), owner=owner))

    @rule(name=names, place=places)
    def lease_over(self, name: str, place: int) -> None:
        next_ = next_attempt(len(self.record(name).attempts) + 1, name)
        self.apply(name, LeaseOver(attempt=self.attempt(name, place), next=next_))

    @rule(name=names, place=places, task=st.sampled_from("tuv"))
    def mismatch(self, name: str, place: int, task: str) -> None:
        before = self.record(name)
        self.apply(name, Mismatch(attempt=self.attempt(name, place), task=task))
        if self.record(name) != before:
            self.proven.discard(task)

    @rule(seconds=st.sampled_from([1.0, 80.0, 500.0, 2500.0]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(name=names, place=places, owner=owners, cap=st.sampled_from([None, 1, 2]), price=prices)
    def claim(self, name: str, place: int, owner: str, cap: int | None, price: Money | None) -> None:
        """Grant no claim that would pass a cap: of slots, of submits or of money."""
        event = Claim(
            attempt=self.attempt(name, place),
            owner=owner,
            max_slots=cap,
            max_submits=6,
            price=price,
            address=f"of {owner}",
            max_cost=None if price is None else MAX_COST,
        )
        usage = self.run(self.ledger.usage(ACCOUNT))
        room = (
            (cap is None or usage.slots < cap)
            and usage.next_submit_at <= self.now
            and (price is None or usage.spent.get("USD", 0) + price.micros <= MAX_COST.micros)
        )
        claims = len(self.claims)
        self.apply(name, event)
        assert room or len(self.claims) == claims
        assert len(self.claims) <= 6

    @rule(name=names, place=places, owner=owners, again=st.booleans())
    def refused(self, name: str, place: int, owner: str, again: bool) -> None:
        next_ = next_attempt(len(self.record(name).attempts) + 1, name) if again else None
        event = Refused(attempt=self.attempt(name, place), owner=owner, refusal=REFUSAL, next=next_)
        self.apply(name, event)

    @rule(name=names, place=places, snapshot=snapshots, source=sources)
    def evidence(self, name: str, place: int, snapshot: Any, source: Any) -> None:
        self.apply(name, Evidence(attempt=self.attempt(name, place), snapshot=snapshot, source=source))
        if source != "callback" and not self.failing:
            self.proven.add(snapshot.task.id)

    @rule(name=names, place=places, owner=owners)
    def unknown(self, name: str, place: int, owner: str) -> None:
        self.apply(name, Unknown(attempt=self.attempt(name, place), owner=owner))

    @rule(name=names, place=places, kind=st.sampled_from([LeaseOver, Lost, SlotOver, Restored]))
    def sweep(self, name: str, place: int, kind: Any) -> None:
        self.apply(name, kind(attempt=self.attempt(name, place)))

    @rule(name=names, place=places, looked=st.booleans())
    def nothing_found(self, name: str, place: int, looked: bool) -> None:
        sent_at = self.now - 1.0 if looked else None
        self.apply(name, NothingFound(attempt=self.attempt(name, place), sent_at=sent_at))

    @rule(name=names)
    def cancel(self, name: str) -> None:
        self.apply(name, Cancel())

    @rule(name=names)
    def resubmit(self, name: str) -> None:
        self.apply(name, Resubmit(next=next_attempt(len(self.record(name).attempts) + 1, name)))

    @rule(name=names)
    def abandon(self, name: str) -> None:
        self.apply(name, Abandon())

    failing: ClassVar[bool] = False

    @invariant()
    def one_post_each(self) -> None:
        """At most one claim per attempt."""
        assert len(set(self.claims)) == len(self.claims)

    @invariant()
    def ends_stay(self) -> None:
        """Never move a final row back, nor change what it delivered."""
        for name in JOBS:
            for attempt in self.everything(name):
                if attempt.state in FINAL:
                    assert self.final.setdefault(attempt.id, attempt) == attempt

    @invariant()
    def evidence_stays(self) -> None:
        """Every task that an answer or a history named is known, and bound to one attempt at most."""
        bound = [a.task.id for name in JOBS for a in self.everything(name) if a.task is not None]
        extras = [extra.task.id for name in JOBS for extra in self.record_or_none(name).extras]
        assert len(bound) == len(set(bound))
        assert self.proven <= {*bound, *extras}

    @invariant()
    def counters_agree(self) -> None:
        """Slots are rows with a slot; submits are claims; spent is what may be billed, each price once."""
        attempts = [a for name in JOBS for a in self.everything(name)]
        usage = self.run(self.ledger.usage(ACCOUNT))
        assert (usage.slots, usage.submits) == (sum(a.slot for a in attempts), len(self.claims))
        priced = [a.price.micros for a in attempts if a.price is not None and charged(a) != "no"]
        assert usage.spent == ({"USD": sum(priced)} if priced else {})

    def record_or_none(self, name: str) -> JobRecord:
        return self.run(self.ledger.get(name)) or job(name=name)

    def everything(self, name: str) -> tuple[Attempt, ...]:
        return self.record_or_none(name).attempts

    def teardown(self) -> None:
        self.run(self.ledger.aclose())
        self.runner.close()


class LawsOfTheFile(Laws):
    """The same in a file, beside memory as its model, with crashes and failing commits, by two at once."""

    def __init__(self) -> None:
        self.prepare()
        self.fault: str | None = None
        self.was_lost = False
        super().__init__()
        self.model = MemoryLedger()
        self.run(self.model.open(self.wall))
        self.other = self.opened()
        self.run(self.other.open(self.wall))
        self.run(self.other.news())

    def prepare(self) -> None:
        self.folder = tempfile.TemporaryDirectory()

    def opened(self) -> Ledger:
        return SqliteLedger(Path(self.folder.name) / "jobs.db", commit=self.commit)

    def commit(self, connection: sqlite3.Connection) -> None:
        fault, self.fault = self.fault, None
        if fault == "lost":
            raise sqlite3.OperationalError("disk I/O error")
        plain_commit(connection)
        if fault == "unheard":
            raise sqlite3.OperationalError("disk I/O error")

    @initialize()
    def orders(self) -> None:
        super().orders()
        for name in JOBS:
            self.run(self.model.create(job(name=name, key=name)))

    @property
    def failing(self) -> bool:  # type: ignore[override]
        return self.was_lost

    def apply(self, name: str, event: Event) -> None:
        fault, self.was_lost = self.fault, False
        before = self.record(name)
        was = {job_id: self.record_or_none(job_id) for job_id in JOBS}
        self.run(self.other.news())
        super().apply(name, event)
        changed = {job_id for job_id, old in was.items() if self.record_or_none(job_id) != old}
        assert self.run(self.told(changed)) == changed
        self.was_lost = fault == "lost" and self.fault is None
        self.fault = None
        if not self.failing:
            self.run(self.model.apply(name, event))
        else:
            assert self.record(name) == before

    async def told(self, changed: set[str]) -> set[str]:
        return set(await self.other.news() or ())

    def recover(self) -> None:
        """Die of an order that failed."""
        self.crash()

    @rule()
    def crash(self) -> None:
        self.die()
        self.ledger = self.opened()
        self.run(self.ledger.open(self.wall))

    def die(self) -> None:
        assert isinstance(self.ledger, SqliteLedger)
        self.ledger._writer._orders.put(None)

    @precondition(lambda self: self.fault is None)
    @rule()
    def another_process_goes_on(self) -> None:
        for one in (self.ledger, self.other):
            self.run(one.news())
        self.ledger, self.other = self.other, self.ledger

    @precondition(lambda self: self.fault is None)
    @rule(fault=st.sampled_from(["lost", "unheard"]))
    def next_commit_fails(self, fault: str) -> None:
        self.fault = fault

    @invariant()
    def file_is_model(self) -> None:
        """Read in the file what the machine decided, after every crash."""
        for name in JOBS:
            assert self.run(self.ledger.get(name)) == self.run(self.model.get(name))
        assert self.run(self.ledger.usage(ACCOUNT)) == self.run(self.model.usage(ACCOUNT))

    def teardown(self) -> None:
        self.run(self.other.aclose())
        super().teardown()
        self.clear_away()

    def clear_away(self) -> None:
        self.folder.cleanup()


class LawsOfTheDatabase(LawsOfTheFile):
    """The same in Postgres, whose connections die before a commit, or after it and before its answer.

    What the next connection finds is what the caller is told, so that nothing is ever in doubt.
    """

    cluster: ClassVar[Any]
    direct: ClassVar[str]

    def prepare(self) -> None:
        self.cluster.sql("DROP SCHEMA IF EXISTS pika CASCADE")

    def opened(self) -> Ledger:
        from pika_async._ledger.postgres import PostgresLedger

        return PostgresLedger(self.cluster.dsn(), listen_dsn=self.direct, wall=self.wall, commit=self.ends)

    def ends(self) -> tuple[bytes, ...]:
        fault, self.fault = self.fault, None
        dies = b"SELECT pg_terminate_backend(pg_backend_pid())"
        return {"lost": (dies,), "unheard": (b"COMMIT", dies), None: (b"COMMIT",)}[fault]

    @property
    def failing(self) -> bool:  # type: ignore[override]
        return False

    async def told(self, changed: set[str]) -> set[str]:
        """Hear by notification, which takes its time; of a job that moved not, nothing comes."""
        told: set[str] = set()
        async with asyncio.timeout(10):
            while not told >= changed:
                told |= set(await self.other.news() or ())
                await asyncio.sleep(0.001)
        return told

    def die(self) -> None:
        ledger: Any = self.ledger
        self.run(ledger._session.link.drop())
        self.run(ledger.aclose())

    def clear_away(self) -> None:
        pass


TestLaws = Laws.TestCase
TestLaws.settings = settings(max_examples=40, stateful_step_count=40)
TestLawsOfTheFile = LawsOfTheFile.TestCase
TestLawsOfTheFile.settings = settings(max_examples=15, stateful_step_count=40)


@pytest.mark.parametrize("pooled", [False, True])
def test_the_laws_of_the_database(postgres_cluster, pooled, monkeypatch):
    """In Postgres as in a file; also through pgbouncer, where the server's side dies."""
    from pika_async._ledger.postgres import listening

    if pooled and postgres.POOLER is None:
        pytest.skip("pgbouncer is not installed here")
    # The net tells once more of what nobody has read yet; a busy machine would take that for news.
    monkeypatch.setattr(listening, "_NET", 600.0)
    with postgres.pooled(postgres_cluster) if pooled else nullcontext(postgres_cluster) as cluster:
        LawsOfTheDatabase.cluster, LawsOfTheDatabase.direct = cluster, postgres_cluster.dsn()
        run_state_machine_as_test(
            LawsOfTheDatabase,
            settings=settings(max_examples=3 if pooled else 5, stateful_step_count=30),
        )
