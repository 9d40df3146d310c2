"""Several clients on one file: they share slots, pace and look-ups, and hear of each other."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from pika_async._ledger.sqlite import SqliteLedger
from pika_async.testing import FakeClock
from tests.engine.scripted import Host, Scripted, refusal, scene

pytestmark = pytest.mark.anyio
ACCOUNT = "scripted:default"


class Fleet:
    """Clients on one file, each with a ledger object of its own, in one virtual time."""

    def __init__(self, path, size, **options):
        self.path, self.size, self.options = path, size, options
        self.clock = FakeClock()
        self.hosts = {"scripted": Host(self.clock)}
        self.scenes = []

    async def __aenter__(self):
        self.stack = AsyncExitStack()
        for _ in range(self.size):
            opened = scene(ledger=SqliteLedger(self.path), clock=self.clock, hosts=self.hosts, **self.options)
            self.scenes.append(await self.stack.enter_async_context(opened))
        return self

    async def __aexit__(self, *_):
        await self.stack.aclose()

    @property
    def host(self):
        return self.hosts["scripted"]

    async def passes(self, seconds, step=0.5):
        """Let time pass in steps, with the files' threads beside it."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            await self.clock.advance(step)
            for s in self.scenes:
                await s.engine.desk.ledger.usage(ACCOUNT)
                await s.engine.desk.ledger.usage(ACCOUNT)

    def order(self, count, of=0):
        """Let each client order *count* videos."""
        return [
            s.begin(s.pika.generate(f"{place}-{number}", timeout=None))
            for place, s in enumerate(self.scenes)
            for number in range(count)
        ]

    @property
    def looks(self):
        return sum(len(s.wire.polls) for s in self.scenes)


async def looks_of(path, size, count):
    """Return how many look-ups it takes until every video is there."""
    async with Fleet(path, size, poll_interval=1, max_concurrency=100) as fleet:
        fleet.host.render_time = 30
        waits = fleet.order(count // size)
        for _ in range(200):
            await fleet.passes(1)
            if all(wait.done() for wait in waits):
                break
        assert all(wait.result() for wait in waits)
        assert set(fleet.host.billed.values()) == {1}
        return fleet.looks


async def test_three_clients_look_up_as_often_as_one(tmp_path):
    """One of them looks for all."""
    alone = await looks_of(tmp_path / "one.db", 1, 30)
    assert await looks_of(tmp_path / "three.db", 3, 30) <= 1.1 * alone + 1


async def test_one_leads_and_the_others_hear_of_it(tmp_path):
    """Whoever orders a video has it, whoever found its end."""
    async with Fleet(tmp_path / "jobs.db", 3) as fleet:
        waits = fleet.order(3)
        await fleet.passes(3)
        assert sorted(s.stats.polls for s in fleet.scenes) == [False, False, True]
        await fleet.passes(30)
        assert all(wait.result() for wait in waits)


async def test_the_leader_dies(tmp_path):
    """Another looks after its lease, and two seconds."""
    async with Fleet(tmp_path / "jobs.db", 2) as fleet:
        fleet.host.render_time = 100
        waits = fleet.order(1)
        await fleet.passes(3)
        leader = next(s for s in fleet.scenes if s.stats.polls)
        looks = leader.engine.looks[ACCOUNT]
        leader.engine._leader._later = lambda *_: None
        for timer in leader.engine._leader._timers.values():
            timer.cancel()
        looks._tick = lambda: None
        if looks._timer is not None:
            looks._timer.cancel()
        other = next(s for s in fleet.scenes if s is not leader)
        before = len(other.wire.polls)
        await fleet.passes(17)
        assert len(other.wire.polls) > before
        await fleet.passes(120)
        assert all(wait.result() for wait in waits)


async def test_a_429_told_to_one_slows_all(tmp_path):
    """Nobody submits before the provider's wish is over."""
    async with Fleet(tmp_path / "jobs.db", 3) as fleet:
        fleet.host.at_submit.append(refusal("RateLimited", 429, retry_after="20"))
        first = fleet.scenes[0].begin(fleet.scenes[0].pika.generate("refused"))
        await fleet.passes(2)
        assert first.exception().retryable
        waits = fleet.order(2)
        await fleet.passes(15)
        assert not fleet.host.billed
        await fleet.passes(90)
        assert all(wait.result() for wait in waits)


async def test_slots_are_shared_and_nobody_starves(tmp_path):
    """Never more than the cap over all clients, and each gets its turn."""
    async with Fleet(tmp_path / "jobs.db", 3, max_concurrency=2) as fleet:
        fleet.host.render_time = 5
        waits = fleet.order(2)
        most = 0
        for _ in range(200):
            await fleet.passes(1)
            most = max(most, (await fleet.scenes[0].engine.desk.ledger.usage(ACCOUNT)).slots)
            if all(wait.done() for wait in waits):
                break
        assert all(wait.result() for wait in waits)
        assert most <= 2
        assert fleet.clock.now() - 1000.0 < 120


async def test_orders_outlive_a_file_that_is_locked(tmp_path):
    """For half a minute every commit fails: all are done afterwards, once each."""
    import sqlite3

    down = []

    def commit(connection):
        if down:
            connection.execute("ROLLBACK")
            error = sqlite3.OperationalError("database is locked")
            error.sqlite_errorname = "SQLITE_BUSY"
            raise error
        connection.execute("COMMIT")

    clock = FakeClock()
    ledger = SqliteLedger(tmp_path / "jobs.db", commit=commit)
    async with scene(Scripted(), ledger=ledger, clock=clock) as s:
        down.append(True)
        waits = [s.begin(s.pika.generate(f"cat {number}", timeout=None)) for number in range(12)]
        for _ in range(60):
            await clock.advance(0.5)
            await asyncio.gather(ledger.usage(ACCOUNT), ledger.usage(ACCOUNT))
        assert not s.host.billed
        down.clear()
        for _ in range(120):
            await clock.advance(0.5)
            await ledger.usage(ACCOUNT)
        assert all(wait.result() for wait in waits)
        assert set(s.host.billed.values()) == {1}
        assert len(s.host.billed) == 12


async def test_an_idle_client_writes_nothing(tmp_path):
    """It has the file open and waits for nothing."""
    commits = []

    def commit(connection):
        commits.append(1)
        connection.execute("COMMIT")

    clock = FakeClock()
    ledger = SqliteLedger(tmp_path / "jobs.db", commit=commit)
    async with scene(Scripted(), ledger=ledger, clock=clock):
        before = len(commits)
        for _ in range(60):
            await clock.advance(1)
            await ledger.usage(ACCOUNT)
        assert len(commits) == before
