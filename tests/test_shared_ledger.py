"""Several clients on one file: they share slots, pace and look-ups, and hear of each other."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import AsyncExitStack, closing

import pytest

from pika_async._engine.looks.leader import LEASE
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.testing import FakeClock
from tests.engine.scripted import Host, Scripted, refusal, scene

pytestmark = pytest.mark.anyio
ACCOUNT = "scripted:default"


class Fleet:
    """Clients on one file, each with a ledger object and a clock of its own; a dead one's stands still."""

    def __init__(self, path, size, **options):
        self.path, self.size, self.options = path, size, options
        self.clock = FakeClock()
        self.hosts = {"scripted": Host(self.clock)}
        self.scenes, self.dead = [], []

    async def __aenter__(self):
        self.stack = AsyncExitStack()
        for _ in range(self.size):
            await self.joined()
        return self

    async def __aexit__(self, *_):
        await self.stack.aclose()

    async def joined(self):
        """Open one client more."""
        clock = FakeClock()
        await clock.advance(self.clock.now() - clock.now())
        ledger = SqliteLedger(self.path)
        opened = scene(ledger=ledger, clock=clock, hosts=self.hosts, **self.options)
        self.scenes.append(await self.stack.enter_async_context(opened))
        return self.scenes[-1]

    @property
    def host(self):
        return self.hosts["scripted"]

    @property
    def leader(self):
        (leader,) = (s for s in self.scenes if s.stats.polls)
        return leader

    def kill(self, client):
        """Let nothing happen in *client* any more; what it holds stays held."""
        self.dead.append(client)
        self.scenes.remove(client)

    async def passes(self, seconds, step=0.5):
        """Let time pass in steps, with the files' threads beside it."""
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            await self.clock.advance(step)
            for s in self.scenes:
                await s.clock.advance(step)
                await s.engine.desk.ledger.usage(ACCOUNT)
                await s.engine.desk.ledger.usage(ACCOUNT)

    def order(self, count):
        """Let each client order *count* videos."""
        return [wait for s in self.scenes for wait in self.ordered_by(s, count)]

    def ordered_by(self, client, count):
        """Let one client order *count* videos."""
        place = self.scenes.index(client)
        return [
            client.begin(client.pika.generate(f"{place}-{number}", timeout=None)) for number in range(count)
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
    """Thirty videos each, and ninety: one of them looks for all."""
    alone = await looks_of(tmp_path / "one.db", 1, 90)
    assert await looks_of(tmp_path / "three.db", 3, 90) <= 1.1 * alone


async def test_one_leads_and_the_others_hear_of_it(tmp_path):
    """Whoever orders a video has it, whoever found its end."""
    async with Fleet(tmp_path / "jobs.db", 3) as fleet:
        waits = fleet.order(3)
        await fleet.passes(3)
        assert sorted(s.stats.polls for s in fleet.scenes) == [False, False, True]
        await fleet.passes(30)
        assert all(wait.result() for wait in waits)


async def test_the_leader_dies(tmp_path):
    """Another looks within its lease, and two seconds."""
    async with Fleet(tmp_path / "jobs.db", 2) as fleet:
        fleet.host.render_time = 100
        for s in fleet.scenes:
            await s.pika.submit("a cat")
        await fleet.passes(8)
        leader = fleet.leader
        fleet.kill(leader)
        (other,) = fleet.scenes
        assert not other.wire.polls
        await fleet.passes(LEASE + 2)
        assert {key for _, ids in fleet.host.asked for key in ids} == {"t1", "t2"}
        assert other.wire.polls
        await fleet.passes(100)
        assert len(await other.pika.jobs(state="succeeded")) == 2


async def test_a_leader_whose_key_is_refused_steps_back(tmp_path):
    """Videos are paid that only another process can look up; later it tries again."""
    async with Fleet(tmp_path / "jobs.db", 2) as fleet:
        fleet.host.render_time = 60
        fleet.ordered_by(fleet.scenes[0], 1)
        await fleet.passes(3)
        leader = fleet.leader
        (other,) = (s for s in fleet.scenes if s is not leader)
        leader.wire.script = lambda _: refusal("AuthError", 401)
        await fleet.passes(40)
        assert fleet.leader is other
        await fleet.passes(40)
        assert (await other.pika.jobs(state="succeeded"))[0].results


async def test_a_client_with_nothing_of_its_own_takes_over(tmp_path):
    """The only one that ordered is dead: its videos are paid all the same."""
    async with Fleet(tmp_path / "jobs.db", 2) as fleet:
        buyer, idle = fleet.scenes
        fleet.host.render_time = 100
        await buyer.pika.submit("a cat")
        await fleet.passes(8)
        fleet.kill(buyer)
        await fleet.passes(LEASE + 2)
        assert idle.wire.polls
        await fleet.passes(100)
        assert len(await idle.pika.jobs(state="succeeded")) == 1
        await fleet.passes(6)
        assert not idle.stats.polls


async def test_what_is_taken_over_is_as_old_as_it_is(tmp_path):
    """A task of long ago must not pass for a new one: nobody would look for minutes, and learn nonsense."""
    async with Fleet(tmp_path / "jobs.db", 2) as fleet:
        buyer, other = fleet.scenes
        fleet.host.render_time = 1000
        await buyer.pika.submit("a cat")
        await fleet.passes(60)
        fleet.kill(buyer)
        await fleet.passes(LEASE + 3)
        (flight,) = other.engine.desk.flights.values()
        assert other.clock.now() - flight.posted_at == pytest.approx(60 + LEASE + 3, abs=1)


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


async def test_a_402_told_to_one_pauses_all(tmp_path):
    """What waited is left in the ledger with the provider's words; nobody sends it one by one."""
    async with Fleet(tmp_path / "jobs.db", 3, max_concurrency=1) as fleet:
        first = fleet.ordered_by(fleet.scenes[0], 1)
        await fleet.passes(1)
        fleet.host.at_submit.append(refusal("InsufficientBalance", 402))
        waits = fleet.order(3)
        await fleet.passes(25)
        assert first[0].result()
        assert all(type(wait.exception()).__name__ == "InsufficientBalance" for wait in waits)
        assert sum(len(s.wire.submits) for s in fleet.scenes) == 2
        assert all(s.stats.paused == "The host said InsufficientBalance" for s in fleet.scenes)
        assert len(await fleet.scenes[2].pika.jobs(state="queued")) == 9


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


async def test_a_slot_that_one_frees_is_used_by_another_at_once(tmp_path):
    """Within the time in which news go round."""
    async with Fleet(tmp_path / "jobs.db", 2, max_concurrency=1) as fleet:
        holder, waiting = fleet.scenes
        (first,) = fleet.ordered_by(holder, 1)
        await fleet.passes(1)
        fleet.ordered_by(waiting, 1)
        await fleet.passes(8)
        assert not waiting.wire.submits
        while not first.done():
            await fleet.passes(0.1, step=0.1)
        await fleet.passes(0.5, step=0.1)
        assert waiting.wire.submits


async def test_whoever_frees_a_slot_does_not_take_it_for_ever(tmp_path):
    """A client with a long queue lets one with a single order go before its last ones."""
    async with Fleet(tmp_path / "jobs.db", 2, max_concurrency=1) as fleet:
        fleet.host.render_time = 5
        busy, late = fleet.scenes
        waits = fleet.ordered_by(busy, 6)
        await fleet.passes(2)
        (wait,) = fleet.ordered_by(late, 1)
        while not wait.done():
            await fleet.passes(0.5, step=0.1)
        after = sum(other.done() for other in waits)
        while not all(other.done() for other in waits):
            await fleet.passes(0.5, step=0.1)
        assert after <= 3
        assert all(other.result() for other in waits)


async def test_of_different_caps_the_least_holds(tmp_path, caplog):
    """The others say so once; when whoever has the least is gone, the next one holds."""
    async with Fleet(tmp_path / "jobs.db", 1, max_concurrency=1) as fleet:
        fleet.options = {"max_concurrency": 3}
        wide = await fleet.joined()
        fleet.host.render_time = 40
        fleet.ordered_by(wide, 3)
        await fleet.passes(3)
        assert len(wide.wire.submits) == 1
        assert wide.stats.max_concurrency == 1
        said = "max_concurrency is 3 here and 1 in another process of this ledger; the least holds"
        assert caplog.text.count(said) == 1
        narrow = fleet.scenes[0]
        await narrow.pika.aclose()
        fleet.scenes.remove(narrow)
        await fleet.passes(30)
        assert len(wide.wire.submits) == 3


async def test_a_key_that_one_process_has_wrong_pauses_that_one_alone(tmp_path):
    """When every living process was refused, the account is paused for all who ask of it."""
    async with Fleet(tmp_path / "jobs.db", 2, max_concurrency=1) as fleet:
        bad, good = fleet.scenes
        fleet.host.at_submit.append(refusal("AuthError", 401))
        fleet.ordered_by(bad, 1)
        await fleet.passes(2)
        assert bad.stats.paused
        assert good.stats.paused is None
        fleet.host.at_submit.append(refusal("AuthError", 401))
        fleet.ordered_by(good, 1)
        await fleet.passes(2)
        usage = await good.engine.desk.ledger.usage(ACCOUNT)
        assert usage.paused_until > good.engine.desk.ledger.now()
        assert usage.paused_why.startswith("no process has a key that the provider takes")
        (anew,) = fleet.ordered_by(await fleet.joined(), 1)
        await fleet.passes(30)
        assert anew.result()
        assert (await good.engine.desk.ledger.usage(ACCOUNT)).paused_why is None


async def test_orders_outlive_a_file_that_is_locked(tmp_path):
    """For half a minute every commit fails: all are done afterwards, once each."""
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


async def test_an_outage_costs_no_video_whatever_it_meets(tmp_path):
    """Tasks that end, POSTs that are answered, and orders that wait, while another program locks the file."""
    clock = FakeClock()
    ledger = SqliteLedger(tmp_path / "jobs.db", patience=0.0)
    async with scene(Scripted(), ledger=ledger, clock=clock, max_concurrency=8) as s:

        async def passes(seconds):
            for _ in range(int(seconds * 2)):
                await clock.advance(0.5)
                await asyncio.gather(ledger.usage(ACCOUNT), ledger.usage(ACCOUNT))

        waits = [s.begin(s.pika.generate(f"running {number}", timeout=None)) for number in range(4)]
        await passes(2)
        s.host.hold()
        waits += [s.begin(s.pika.generate(f"sent {number}", timeout=None)) for number in range(4)]
        await passes(2)
        with closing(sqlite3.connect(tmp_path / "jobs.db", isolation_level=None)) as other:
            other.execute("BEGIN EXCLUSIVE")
            s.host.gate.set()
            waits += [s.begin(s.pika.generate(f"waiting {number}", timeout=None)) for number in range(4)]
            await passes(30)
            assert sum(wait.done() for wait in waits) == 8
            assert s.stats.outbox_age > 20
            other.execute("ROLLBACK")
        await passes(40)
        assert all(wait.result() for wait in waits)
        assert s.stats.outbox_age is None
        assert len(await s.pika.jobs(state="succeeded")) == len(s.host.billed) == 12
        assert set(s.host.billed.values()) == {1}
        assert (await ledger.usage(ACCOUNT)).slots == 0


async def test_an_idle_client_writes_nothing(tmp_path):
    """It has the file open and waits for nothing: less than once a second it asks what is new."""
    commits, wakes = [], []

    def commit(connection):
        commits.append(1)
        connection.execute("COMMIT")

    class Watched(FakeClock):
        def call_at(self, when, callback):
            return super().call_at(when, lambda: (wakes.append(when), callback()))

    clock = Watched()
    ledger = SqliteLedger(tmp_path / "jobs.db", commit=commit)
    async with scene(Scripted(), ledger=ledger, clock=clock):
        before = len(commits)
        for _ in range(60):
            await clock.advance(1)
            await ledger.usage(ACCOUNT)
        assert len(commits) == before
        assert 30 <= len(wakes) <= 60
