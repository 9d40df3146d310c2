"""What other clients did to a shared ledger, seen by those who wait."""

from __future__ import annotations

import pytest
from attrs import evolve

from pika_async._engine.looks.leader import LEASE
from pika_async._ledger.events import Evidence
from pika_async._ledger.records import AttemptState, Usage
from pika_async.errors import LedgerError
from pika_async.results import Task
from pika_async.testing import FakeClock
from tests.engine.ledgers import SharedLedger
from tests.engine.scripted import Host, scene
from tests.ledger.records import attempt, job, succeeded

pytestmark = pytest.mark.anyio


async def test_memory_is_not_asked(monkeypatch):
    """Nobody else writes there."""
    async with scene() as s:
        monkeypatch.setattr(s.engine.desk.ledger, "news", None)
        await s.clock.advance(60)


async def test_an_end_that_another_found_is_told_here():
    """With the same effects as our own."""
    ledger, clock = SharedLedger(), FakeClock()
    hosts = {"scripted": Host(clock)}
    shared = {"ledger": ledger, "clock": clock, "hosts": hosts}
    async with scene(**shared) as one, scene(**shared) as two:
        waits = [one.begin(one.pika.generate("a cat")), two.begin(two.pika.generate("a dog"))]
        await clock.advance(30)
        assert sorted(wait.result().id for wait in waits) == ["t1", "t2"]


async def test_a_ledger_that_tells_is_asked_at_once(monkeypatch):
    """Once for all that comes together, and not again before the next."""
    asked: list[float] = []
    calls = []

    class Telling(SharedLedger):
        def tells(self, call):
            calls.append(call)

        async def news(self):
            asked.append(clock.now())
            return ()

    clock = FakeClock()
    async with scene(ledger=Telling(), clock=clock) as s:
        (call,) = calls
        await s.clock.advance(10)
        asked.clear()
        told_at = clock.now()
        for _ in range(3):
            call()
        await s.clock.advance(0.1)
        assert [round(at - told_at, 3) for at in asked] == [0.005]


async def test_only_what_was_named_is_read(monkeypatch):
    """Reading everything on each change would stop a large fleet."""
    ledger, read = SharedLedger(), []
    named = []

    async def news():
        return tuple(named)

    async def get(job_id):
        read.append(job_id)
        return ledger.known(job_id)

    async with scene(ledger=ledger) as s:
        await s.pika.submit("a cat")
        monkeypatch.setattr(ledger, "news", news)
        monkeypatch.setattr(ledger, "get", get)
        await s.clock.advance(5)
        assert not read
        named.append("somebody")
        await s.clock.advance(5)
        assert set(read) == {"somebody"}


async def test_what_could_not_be_read_is_read_the_next_time(monkeypatch):
    """Named once: if it were forgotten, whoever waits for the job would wait for ever."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as s:
        job = await s.pika.submit("a cat")
        wait = s.begin(job.wait())
        await clock.advance(0)
        told = Evidence(attempt=job._flight.record.newest.id, snapshot=succeeded("t1"), source="answer")
        named, failing, get = [[job.id]], [LedgerError("The disk is full.")], ledger.get
        await ledger.apply(job.id, told)

        async def news():
            return named.pop() if named else ()

        async def broken(job_id):
            if failing:
                raise failing.pop()
            return await get(job_id)

        monkeypatch.setattr(ledger, "news", news)
        monkeypatch.setattr(ledger, "get", broken)
        await clock.advance(0.6)
        assert wait.result().id == "v"


async def test_a_leader_that_missed_news_reads_all_running_tasks_again(monkeypatch):
    """The job is another process's, which does not look: nobody else would find its end."""
    ledger, clock = SharedLedger(), FakeClock()
    hosts = {"scripted": Host(clock, render_time=100)}
    shared = {"ledger": ledger, "clock": clock, "hosts": hosts}
    async with scene(**shared) as one, scene(**shared) as two:
        missed = [()]

        async def news():
            return missed[0]

        monkeypatch.setattr(ledger, "news", news)
        await one.pika.submit("a cat")
        await clock.advance(2)
        job = await two.pika.submit("a dog")
        await clock.advance(LEASE)
        assert job.id not in one.engine.desk.flights
        missed[0] = None
        await clock.advance(LEASE)
        assert job.id in one.engine.desk.flights


async def test_it_is_asked_often_only_while_there_are_jobs(monkeypatch):
    """Whoever waits hears of it soon; an idle client sleeps."""
    ledger, asked = SharedLedger(), []

    async def news():
        asked.append(1)
        return ()

    async with scene(ledger=ledger) as s:
        monkeypatch.setattr(ledger, "news", news)
        await s.clock.advance(60)
        assert 28 <= len(asked) <= 32
        await s.pika.submit("a cat")
        await s.clock.advance(2)
        asked.clear()
        await s.clock.advance(2)
        assert len(asked) == 8


async def test_a_ledger_that_fails_is_asked_again(monkeypatch, caplog):
    """The log says so."""
    ledger, asked = SharedLedger(), []

    async def fails():
        asked.append(1)
        raise LedgerError("The disk is full.")

    async with scene(ledger=ledger) as s:
        monkeypatch.setattr(ledger, "news", fails)
        await s.clock.advance(20)
        assert len(asked) > 3
    assert "cannot be watched" in caplog.text


async def test_a_row_that_stays_damaged_keeps_no_other_waiting(monkeypatch):
    """A long absence is read a part at a time, and what fails goes behind the rest."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as s:
        job = await s.pika.submit("a cat")
        wait = s.begin(job.wait())
        await clock.advance(1)
        told = Evidence(attempt=job._flight.record.newest.id, snapshot=succeeded("t1"), source="answer")
        await ledger.apply(job.id, told)
        named, read, get = [(*map(str, range(1200)), job.id)], [], ledger.get

        async def news():
            return named.pop() if named else ()

        async def broken(job_id):
            read.append(job_id)
            if job_id != job.id:
                raise ValueError(job_id)
            return await get(job_id)

        monkeypatch.setattr(ledger, "news", news)
        monkeypatch.setattr(ledger, "get", broken)
        await clock.advance(0.25)
        assert len(read) == 500
        await clock.advance(0.5)
        assert wait.result().id == "v"


async def test_a_defect_does_not_end_the_watch(monkeypatch, caplog):
    """Whoever waits would wait for ever, and nobody would know why."""
    ledger, asked = SharedLedger(), []

    async def breaks():
        asked.append(1)
        raise ValueError("a defect")

    async with scene(ledger=ledger) as s:
        monkeypatch.setattr(ledger, "news", breaks)
        await s.clock.advance(20)
        assert len(asked) > 3
    assert "broke the engine" in caplog.text


async def named(monkeypatch, ledger, *ids):
    """Have the ledger name *ids* once, from now on."""
    told = [ids]

    async def news():
        return told.pop() if told else ()

    monkeypatch.setattr(ledger, "news", news)


async def test_what_changed_before_is_no_news(monkeypatch):
    """It is asked for once, and thrown away, when the client opens."""
    ledger, asked = SharedLedger(), []

    async def news():
        asked.append(1)
        return ()

    monkeypatch.setattr(ledger, "news", news)
    async with scene(ledger=ledger):
        assert len(asked) == 1


async def test_who_does_not_lead_reads_only_its_own_jobs(monkeypatch):
    """In a large fleet each process would read what every other one does."""
    ledger, read = SharedLedger(), []

    async def get(job_id):
        read.append(job_id)

    async with scene(ledger=ledger) as s:
        await named(monkeypatch, ledger, "somebody's")
        monkeypatch.setattr(ledger, "get", get)
        await s.clock.advance(3)
        assert not s.stats.polls
        assert not read


@pytest.mark.parametrize("what", ["its name", "that something was missed"])
async def test_who_hears_of_others_tasks_looks_them_up_should_nobody_else(what, monkeypatch):
    """Their process may have died in the next moment."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene(ledger=ledger, clock=clock) as s:
        await named(monkeypatch, ledger)
        await clock.advance(30)
        theirs = {"task": Task("t9"), "account": "scripted:default", "owner": "dead"}
        await ledger.create(job(attempt(state=AttemptState.RUNNING, **theirs)))
        if what == "its name":
            await named(monkeypatch, ledger, "j")
        else:
            monkeypatch.undo()
        await clock.advance(4)
        assert s.stats.polls
        assert "j" in s.engine.desk.flights


async def test_what_others_use_of_the_account_is_read_with_the_news(monkeypatch):
    """A slot that they freed is used here."""
    ledger = SharedLedger()

    async def usage(_):
        return Usage(slots=7)

    async with scene(ledger=ledger) as s:
        await named(monkeypatch, ledger, "somebody's")
        monkeypatch.setattr(ledger, "usage", usage)
        await s.clock.advance(3)
        assert s.stats.in_flight == 7


async def test_a_job_that_is_being_recorded_is_not_news(monkeypatch):
    """Its record is on its way from here."""
    ledger = SharedLedger()
    async with scene(ledger=ledger) as s:
        flight = (await s.pika.submit("a cat"))._flight
        record, flight.recorded = flight.record, False
        ledger._jobs[flight.id] = evolve(record, version=record.version + 1)
        await named(monkeypatch, ledger, flight.id)
        await s.clock.advance(1)
        assert flight.record is record
        flight.recorded = True


async def test_a_leader_without_jobs_of_its_own_is_told_at_once(monkeypatch):
    """The tasks of others end as well."""
    ledger, asked = SharedLedger(), []

    async def news():
        asked.append(1)
        return ()

    async with scene(ledger=ledger) as s:
        monkeypatch.setattr(ledger, "news", news)
        await s.clock.advance(20)
        s.engine.looks["scripted:default"].lead(leading=True)
        await s.clock.advance(2)
        asked.clear()
        await s.clock.advance(2)
        assert len(asked) == 8
