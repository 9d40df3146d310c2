"""Which client looks up the tasks of an account: one, by a lease that outlives no client for long."""

from __future__ import annotations

import pytest

from pika_async._engine.clock import sleep
from pika_async._engine.looks import leader
from pika_async._engine.looks.leader import LEASE
from pika_async._ledger.records import AttemptState
from pika_async.errors import LedgerError
from pika_async.results import Task
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger
from tests.engine.scripted import Host, Scripted, capable, refusal, scene
from tests.ledger.records import attempt, job

pytestmark = pytest.mark.anyio
ACCOUNT = "scripted:default"
NAME = f"poll {ACCOUNT}"


async def test_alone_in_memory_nobody_needs_a_lease():
    """There is no one to share with."""
    async with scene() as s:
        assert s.stats.polls
        assert not s.engine.desk.ledger._accounts._leases


async def test_the_lease_is_taken_with_the_first_task_and_given_back_with_the_last():
    """An idle client leads nothing."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:
        assert not s.stats.polls
        job = await s.pika.submit("a cat")
        await s.clock.advance(1)
        assert s.stats.polls
        assert await s.after(30, job.wait())
        await s.clock.advance(LEASE)
        assert not s.stats.polls
        assert await ledger.lease(NAME, "another", 1.0)


async def test_what_a_closed_client_leaves_is_taken_over():
    """It gave its lease back, so there is no wait."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as first:
        first.host.render_time = 30
        await first.pika.submit("a cat")
        await clock.advance(1)
    async with scene(ledger=ledger, clock=clock, hosts=first.hosts) as s:
        assert s.stats.polls
        await clock.advance(40)
        assert (await s.pika.jobs())[0].results


async def test_the_lease_of_another_is_waited_for():
    """Until it is over; then the tasks are looked up here."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:
        await ledger.lease(NAME, "another", LEASE)
        s.host.render_time = 5
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(LEASE - 2)
        assert not s.wire.polls
        await s.clock.advance(4)
        assert wait.result()


async def test_a_lease_that_cannot_be_asked_for_costs_no_video(monkeypatch):
    """Paid tasks are looked up all the same."""
    ledger = SharedLedger()

    async def fails(*_):
        raise LedgerError("The disk is full.")

    async with scene(ledger=ledger) as s:
        monkeypatch.setattr(ledger, "lease", fails)
        assert await s.after(30, s.pika.generate("a cat"))


async def test_a_lease_that_came_after_an_outage_brings_the_tasks_of_others(monkeypatch):
    """While the ledger failed this process looked up its own; then it leads, and looks for all."""
    ledger, clock = SharedLedger(), FakeClock()
    hosts = {"scripted": Host(clock, render_time=60)}
    async with scene(ledger=ledger, clock=clock, hosts=hosts) as dead:
        await dead.pika.submit("a dog")
    await ledger.lease(NAME, "another", LEASE)
    lease = ledger.lease

    async def fails(*_):
        raise LedgerError("The disk is full.")

    async with scene(ledger=ledger, clock=clock, hosts=hosts) as s:
        await s.pika.submit("a cat")
        monkeypatch.setattr(ledger, "lease", fails)
        await clock.advance(LEASE + 5)
        assert len(s.engine.desk.flights) == 1
        monkeypatch.setattr(ledger, "lease", lease)
        await clock.advance(6)
        assert len(s.engine.desk.flights) == 2


async def test_a_task_of_which_nobody_was_told_is_looked_up_within_a_minute(monkeypatch):
    """Its process died between the commit and the news, and no other had read the job before."""
    ledger, clock = SharedLedger(), FakeClock()
    hosts = {"scripted": Host(clock, render_time=90)}
    async with scene(ledger=ledger, clock=clock, hosts=hosts) as s:
        await s.pika.submit("a cat")
        await clock.advance(1)
        assert s.stats.polls
        monkeypatch.setattr(ledger, "news", _no_news)
        await clock.advance(6)
        async with scene(ledger=ledger, clock=clock, hosts=hosts) as dead:
            await dead.pika.submit("a dog")
        await clock.advance(60)
        assert len(s.engine.desk.flights) == 2


async def _no_news():
    return ()


async def test_doubts_without_a_task_keep_no_lease():
    """They may be there for months; nothing is looked up for them, so nothing is written."""
    ledger = SharedLedger()
    await ledger.create(job(attempt(state=AttemptState.UNRESOLVED, account=ACCOUNT)))
    async with scene(ledger=ledger) as s:
        await s.clock.advance(20)
        assert not s.stats.polls
        assert await ledger.lease(NAME, "another", 1.0)


async def test_learned_times_go_to_the_next_leader():
    """Whoever looks next knows how long renders take."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as first:
        for number in range(3):
            await first.after(30, first.pika.generate(f"cat {number}"))
        first.host.render_time = 60
        await first.pika.submit("a dog")
        await clock.advance(1)
    learned = await ledger.learned("scripted:default")
    assert "Generate" in learned
    async with scene(ledger=ledger, clock=clock, hosts=first.hosts) as s:
        schedule = s.engine.desk.accounts["scripted:default"].schedule
        assert schedule.times.of("Generate").state()[3] == [3.0]


async def test_a_leader_looks_for_its_account_though_another_of_the_job_is_not_open_here():
    """The lease is an account's: were the job skipped, nobody would look up its task."""
    ledger, clock = SharedLedger(), FakeClock()
    first, second = Scripted(), Scripted(capabilities=capable("second"))
    hosts = {"scripted": Host(clock), "second": Host(clock, render_time=30)}
    shared = {"ledger": ledger, "clock": clock, "hosts": hosts}
    async with scene(second, **shared) as leads:
        leads.begin(leads.pika.generate("a dog"))
        await clock.advance(1)
        assert leads.stats.polls
        async with scene(first, second, **shared) as buys:
            hosts["scripted"].at_submit.append(refusal("InsufficientBalance", 402))
            wait = buys.begin(buys.pika.generate("a cat"))
            await clock.advance(40)
            assert wait.result()
            assert hosts["second"].billed == {"a dog": 1, "a cat": 1}
            assert not buys.wire.polls
        assert {key for _, ids in hosts["second"].asked for key in ids} == {"t1", "t2"}


async def test_a_leader_sends_no_attempt_of_an_account_that_is_not_open_here():
    """It has the job in flight to look up its task; the other attempt is another process's to send."""
    ledger, clock = SharedLedger(), FakeClock()
    lost = attempt(state=AttemptState.UNRESOLVED, task=Task("t1"), superseded=True, account="second:default")
    await ledger.create(job(lost, attempt(2, account=ACCOUNT)))
    hosts = {"second": Host(clock)}
    async with scene(Scripted(capabilities=capable("second")), ledger=ledger, clock=clock, hosts=hosts) as s:
        await clock.advance(5)
        assert [ids for _, ids in s.host.asked]
        assert [taken async for taken in s.pika.recover(queued=True)] == []
        assert await s.pika.jobs() == []
        await clock.advance(20)
        assert not s.wire.submits


async def theirs(ledger, count=1):
    """Put running tasks of a process that is dead into the ledger."""
    for number in range(count):
        running = attempt(
            job_id=f"j{number}",
            state=AttemptState.RUNNING,
            task=Task(f"t{90 + number}"),
            account=ACCOUNT,
            owner="dead",
        )
        await ledger.create(job(running, name=f"j{number}"))


async def test_a_lease_that_is_over_is_taken_within_a_second():
    """Whoever waits for a video must not wait for a dead process."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:
        await ledger.lease(NAME, "another", 12.0)
        s.host.render_time = 60
        await s.pika.submit("a cat")
        await s.clock.advance(11.5)
        assert not s.stats.polls
        await s.clock.advance(1.7)
        assert s.stats.polls


async def test_every_page_of_running_tasks_is_taken_over(monkeypatch):
    """A large fleet leaves more than one."""
    ledger = SharedLedger()
    monkeypatch.setattr(leader, "_PAGE", 2)
    async with scene(ledger=ledger):
        await theirs(ledger, 5)
    async with scene(ledger=ledger) as s:
        assert len(s.engine.desk.flights) == 5


@pytest.mark.parametrize("fails", [False, True])
async def test_a_leader_that_was_none_for_a_while_takes_over_what_came_meanwhile(fails, monkeypatch):
    """Whether another had the lease, or the ledger could not say."""
    ledger, lease = SharedLedger(), SharedLedger.lease

    async def lost(*_):
        if fails:
            raise LedgerError("The disk is full.")
        return False

    async def news():
        return ()

    async with scene(ledger=ledger) as s:
        s.host.render_time = 600
        await s.pika.submit("a cat")
        await s.clock.advance(1)
        monkeypatch.setattr(ledger, "news", news)
        monkeypatch.setattr(ledger, "lease", lost)
        await s.clock.advance(6)
        assert s.stats.polls is fails
        await theirs(ledger)
        monkeypatch.setattr(ledger, "lease", lambda *args: lease(ledger, *args))
        await s.clock.advance(7)
        assert s.stats.polls
        assert "j0" in s.engine.desk.flights


async def test_who_does_not_lead_leaves_the_tasks_of_others_alone():
    """Their leader looks; here nobody asked."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:
        await ledger.lease(NAME, "another", 1000.0)
        await theirs(ledger)
        s.engine._leader.notice(await ledger.get("j0"))
        assert "j0" not in s.engine.desk.flights


async def test_a_task_that_comes_while_the_lease_is_given_back_is_looked_up():
    """The ledger takes its time over that, and there is no other reason to try for the lease again."""
    ledger, clock = SharedLedger(), FakeClock()
    lease = ledger.lease

    async def slow(name, owner, seconds):
        if seconds == 0.0 and name == NAME:
            await sleep(clock, 4.0)
        return await lease(name, owner, seconds)

    async def no_news():
        return ()

    ledger.lease, ledger.news = slow, no_news
    async with scene(ledger=ledger, clock=clock) as s:
        wait = s.begin(s.pika.generate("a cat"))
        while not (wait.done() and s.engine._leader._trying):
            await clock.advance(0.5)
        job = await s.pika.submit("a dog")
        assert await s.after(60, job.wait())
        del ledger.lease
