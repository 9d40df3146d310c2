"""The inbox: what was received is worked off once, by whichever process has its job."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest

from pika_async import Generate
from pika_async._ledger.memory import MemoryLedger
from pika_async.callbacks.token import token_in
from pika_async.errors import LedgerError
from pika_async.testing import FakeClock
from tests.engine.pushes.pushing import (
    DONE,
    SharedLedger,
    attempt_of,
    finished,
    lost,
    push,
    scene_with,
)

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(("ledger", "kept"), [(SharedLedger, 1), (MemoryLedger, 0)])
async def test_a_callback_for_an_unknown_job_stays_visible_in_a_file(caplog, ledger, kept):
    """Memory has merely forgotten it; a file that does not know it is not the one that submitted."""
    async with scene_with(ledger=ledger()) as s:
        await push(s, {"id": "t1", **DONE}, attempt="nobody-1-xx")
        await s.clock.advance(5)
        assert len(await s.engine.desk.ledger.inbox_pending()) == kept
        assert ("does not know" in caplog.text) is bool(kept)
        assert not s.host.asked


async def test_a_callback_for_a_job_that_nobody_waits_for_is_processed_all_the_same():
    """It came while the script was down; whoever looks up the account's tasks takes it, and the next one to
    wait has the video at once.
    """
    ledger, clock = SharedLedger(), FakeClock()
    async with scene_with(ledger=ledger, clock=clock) as s:
        token = (await s.pika.submit(Generate("a cat"))).token
        hosts = s.hosts
        attempt, told = attempt_of(s), {"id": "t1", **DONE}
    async with scene_with(ledger=ledger, clock=clock, hosts=hosts) as s:
        await push(s, told, attempt=attempt)
        await clock.advance(90)
        assert await ledger.inbox_pending() == []
        wait = s.begin(s.pika.job(token).wait())
        await clock.advance(0.2)
        assert wait.result().id == "t1"
        await clock.advance(2)
        assert await ledger.inbox_pending() == []


async def test_a_callback_received_by_another_process_is_noticed():
    """Within a tenth of a second, the look-up included where there is no budget."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene_with(ledger=ledger, clock=clock) as s:
        wait = s.begin(s.pika.generate("a cat"))
        await clock.advance(9)
        s.host.tasks["t1"]["done_at"] = 0
        await ledger.inbox_put(attempt_of(s), json.dumps(s.host.tell("t1")).encode(), {})
        await clock.advance(0.1)
        assert wait.result().id == "t1"


async def test_every_process_that_waits_learns_of_the_end():
    """One works the callback off; the others see it too before it is put away."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene_with(ledger=ledger, clock=clock) as one:
        job = await one.pika.submit(Generate("a cat"))
        async with scene_with(ledger=ledger, clock=clock, hosts=one.hosts) as two:
            waits = [one.begin(job.wait()), two.begin(two.pika.job(job.token).wait())]
            await clock.advance(5)
            await finished(one)
            await clock.advance(0.5)
            assert [wait.result().id for wait in waits] == ["t1", "t1"]
    assert await ledger.inbox_pending() == []


async def test_a_process_that_waits_for_nothing_does_not_watch():
    """An idle client leaves the disk alone."""
    ledger = SharedLedger()
    async with scene_with(ledger=ledger) as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(60)
        assert wait.done()
        ledger.version = None
        await s.clock.advance(4)


async def test_what_cannot_be_committed_is_not_received():
    """The receiver hears of it and answers 503."""
    ledger = SharedLedger()
    async with scene_with(ledger=ledger) as s:
        s.begin(s.pika.generate("a cat")).add_done_callback(lambda task: task.exception())
        await s.clock.advance(1)
        ledger.failing = True
        with pytest.raises(LedgerError):
            await finished(s)


async def test_work_goes_on_after_the_ledger_has_failed(caplog):
    """What was received before is worked off as soon as it can be read."""
    ledger = SharedLedger()
    async with scene_with(ledger=ledger) as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(9)
        await finished(s)
        ledger.failing = True
        await s.clock.advance(3)
        assert not wait.done()
        assert "callbacks wait for the ledger" in caplog.text
        ledger.failing = False
        await s.clock.advance(2)
        assert wait.result().id == "t1"


async def test_closing_does_not_wait_for_callbacks():
    """A claim that nobody can confirm now stays in the ledger."""
    ledger, gate = SharedLedger(), asyncio.Event()
    async with scene_with(ledger=ledger) as s:
        await lost(s)

        async def never():
            await gate.wait()

        s.host.on_poll = lambda ids: never()
        await push(s, s.host.tell("t1"))
        await s.clock.advance(1)
    assert len(await ledger.inbox_pending()) == 1


async def test_no_token_is_logged(caplog):
    """Neither by good callbacks nor by bad ones."""
    caplog.set_level(logging.DEBUG, "pika_async")
    async with scene_with() as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        for told in ({"id": "t9", **DONE}, {"id": "t1", **DONE}, {"id": 1}):
            await push(s, told)
        await s.clock.advance(60)
        assert wait.done()
        mac = token_in(s.wire.submits[0].body.value["callback_url"].reveal()).rpartition(".")[2]
    assert mac not in caplog.text


async def test_callbacks_that_never_come_are_told_once(caplog):
    """An address that nobody reaches fails in silence otherwise."""
    async with scene_with() as s:
        for number in range(5):
            await s.after(60, s.pika.generate(f"cat {number}"))
    told = [r for r in caplog.records if "no callback has arrived" in r.getMessage()]
    assert len(told) == 1


async def test_a_callback_that_came_is_enough(caplog):
    """Whatever ends without one afterwards was late, or lost, and the address is right."""
    async with scene_with() as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(10)
        await finished(s)
        await s.clock.advance(1)
        assert wait.done()
        for number in range(5):
            await s.after(60, s.pika.generate(f"cat {number}"))
    assert "no callback has arrived" not in caplog.text
