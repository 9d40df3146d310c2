"""Callbacks are hints: each is confirmed by a look-up, none is needed, and none can do harm."""

from __future__ import annotations

import pytest

from pika_async import Generate, State
from pika_async._transport import SendError
from pika_async.callbacks import CallbackEvent
from pika_async.errors import JobFailed
from pika_async.testing import FakeClock
from tests.engine.pushes.pushing import (
    DONE,
    SharedLedger,
    attempt_of,
    drain,
    finished,
    push,
    scene_with,
)
from tests.engine.scripted import Scripted

pytestmark = pytest.mark.anyio


async def test_a_callback_ends_its_job_with_one_look():
    """It is confirmed at once, and nothing was looked up before."""
    async with scene_with() as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(9)
        assert s.host.asked == []
        await finished(s)
        await s.clock.advance(0.05)
        assert wait.result().video_url == "https://media.test/t1.mp4"
        assert len(s.host.asked) == 1
        assert await s.engine.desk.ledger.inbox_pending() == []


async def test_what_a_callback_says_is_not_believed():
    """A forged success is looked up a few times and changes nothing."""
    async with scene_with() as s:
        s.host.render_time = 60
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        await push(s, {"id": "t1", **DONE})
        await s.clock.advance(12)
        assert not wait.done()
        assert 2 <= len(s.host.asked) <= 8
        await s.clock.advance(300)
        assert wait.result().video_url == "https://media.test/t1.mp4"


async def test_a_callback_ahead_of_the_look_up_is_asked_about_again():
    """A provider may push before its own look-ups know."""
    async with scene_with() as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(8.8)
        await push(s, {"id": "t1", **DONE})
        await s.clock.advance(3)
        assert wait.result().id == "t1"
        assert len(s.host.asked) <= 4


async def test_a_confirming_look_that_fails_is_made_again():
    """The net would come much later."""
    async with scene_with() as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(9)
        s.host.at_poll.append(SendError("the line is cut", sent=True))
        await finished(s)
        await s.clock.advance(1)
        assert wait.result().id == "t1"


async def test_callbacks_of_one_moment_share_a_look():
    """A hundred ends are confirmed by two batches of fifty."""
    async with scene_with(max_concurrency=200) as s:
        waits = [s.begin(s.pika.generate(str(n))) for n in range(100)]
        await s.clock.advance(9)
        for n in range(100):
            await finished(s, f"t{n + 1}", n)
        await s.clock.advance(0.2)
        assert all(wait.done() for wait in waits)
        assert [len(ids) for _, ids in s.host.asked] == [50, 50]


async def test_confirmed_ends_do_not_count_as_missed():
    """However many callbacks are confirmed, the other jobs are left to theirs."""
    async with scene_with() as s:
        for n in range(20):
            wait = s.begin(s.pika.generate(str(n)))
            await s.clock.advance(5)
            await finished(s, f"t{n + 1}")
            await s.clock.advance(0.2)
            assert wait.done()
        s.host.asked.clear()
        wait = s.begin(s.pika.generate("the last"))
        await s.clock.advance(6)
        assert not s.host.asked
        await s.clock.advance(60)
        assert wait.done()


async def test_polling_takes_over_when_callbacks_stop():
    """Nobody calls any more: the first jobs are found late, the later ones as if callbacks were off."""
    async with scene_with() as s:
        delays = []
        for n in range(12):
            wait = s.begin(s.pika.generate(str(n)))
            await s.clock.advance(10)
            while not wait.done():
                await s.clock.advance(0.1)
                delays.append(0) if len(delays) <= n else None
                delays[n] += 0.1
        assert max(delays[:3]) > 2
        assert max(delays[6:]) < 2


async def test_a_callback_brings_the_slow_net_back():
    """Once callbacks arrive again, looks are rare again."""
    async with scene_with() as s:
        for n in range(6):
            wait = s.begin(s.pika.generate(str(n)))
            await s.clock.advance(60)
            assert wait.done()
        wait = s.begin(s.pika.generate("called back"))
        await s.clock.advance(5)
        await finished(s, "t7")
        await s.clock.advance(1)
        assert wait.done()
        s.host.asked.clear()
        s.begin(s.pika.generate("afterwards")).add_done_callback(lambda task: task.exception())
        await s.clock.advance(9)
        assert not s.host.asked


async def test_a_call_without_our_address_is_polled_as_usual():
    """Its callback goes elsewhere, so none is waited for."""
    async with scene_with() as s:
        wait = s.begin(s.pika.generate("a cat", callback_url="https://elsewhere.test/"))
        await s.clock.advance(11)
        assert wait.done()


async def test_a_failure_is_confirmed_as_well():
    """The error says what the look-up said."""
    async with scene_with() as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(5)
        s.host.tasks["t1"]["state"] = "failed"
        await push(s, {"id": "t1", "state": "failed"})
        await s.clock.advance(0.1)
        with pytest.raises(JobFailed, match="bad luck"):
            wait.result()


async def test_a_repeat_costs_nothing():
    """Ten times the same is one look."""
    async with scene_with() as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(9)
        for _ in range(10):
            await finished(s)
        await s.clock.advance(1)
        assert wait.done()
        assert len(s.host.asked) == 1


async def test_a_late_callback_is_harmless():
    """The net had settled the job: nothing is looked up, nothing changes, nothing is kept."""
    ledger = SharedLedger()
    async with scene_with(ledger=ledger) as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(60)
        assert wait.done()
        before, asked = await ledger.jobs(), len(s.host.asked)
        await finished(s)
        await push(s, {"id": "other", **DONE})
        await push(s, {"id": "t1", "state": "failed"})
        await s.clock.advance(5)
        assert await ledger.jobs() == before
        assert len(s.host.asked) == asked
        assert await ledger.inbox_pending() == []


async def test_a_callback_while_submitting_waits_for_the_answer():
    """The POST's own answer says which task it is; then the callback is looked into."""
    async with scene_with() as s:
        s.host.render_time = 15
        s.host.hold()
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(9)
        await push(s, {"id": "t1", **DONE})
        await push(s, {"id": "t9", **DONE})
        await s.clock.advance(5)
        assert not s.host.asked
        s.host.gate.set()
        await s.clock.advance(0.1)
        assert [ids for _, ids in s.host.asked] == [("t1",)]
        await s.clock.advance(2)
        assert wait.result().id == "t1"


async def test_another_task_is_ignored(caplog):
    """A contradiction is nobody's evidence."""
    async with scene_with() as s:
        s.host.render_time = 30
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        s.host.tasks["t9"] = {"id": "t9", "done_at": 0}
        await push(s, s.host.tell("t9"))
        await s.clock.advance(1)
        assert not s.host.asked
        assert "names another task" in caplog.text
        await s.clock.advance(120)
        assert wait.result().id == "t1"


async def test_progress_becomes_events():
    """Signs of life are told at once, without a look; they never go back."""
    async with scene_with() as s:
        s.host.render_time = 100
        job = await s.pika.submit(Generate("a cat"))
        events, told = job.events(), []

        async def listen():
            told.extend([(e.state, e.progress) async for e in events])

        listening = s.begin(listen())
        await s.clock.advance(1)
        for progress, state in ((0.3, "running"), (0.2, "running"), (None, "queued"), (0.7, "running")):
            await push(s, {"id": "t1", "state": state, "progress": progress})
            await drain(s)
        assert not s.host.asked
        await finished(s)
        await s.clock.advance(1)
        await listening
        running = State.RUNNING
        assert told == [(running, None), (running, 0.3), (running, 0.7), (State.SUCCEEDED, None)]


async def test_progress_tells_nothing_but_itself():
    """Words of an unconfirmed callback are not taken for the provider's."""
    async with scene_with() as s:
        s.host.render_time = 100
        job = await s.pika.submit(Generate("a cat"))
        raw = job.raw
        await push(s, {"id": "t1", "state": "running", "progress": 0.5, "locator": {"url": "evil"}, "x": 1})
        await drain(s)
        assert (job.progress, job.raw) == (0.5, raw)
        assert s.engine.desk.flights[job.id].task.locator == {}


async def test_a_job_taken_up_is_looked_at_once():
    """Its callback may have been lost while nobody was here."""
    ledger, clock = SharedLedger(), FakeClock()
    async with scene_with(ledger=ledger, clock=clock) as s:
        token = (await s.pika.submit(Generate("a cat"))).token
        hosts = s.hosts
    await clock.advance(60)
    async with scene_with(ledger=ledger, clock=clock, hosts=hosts) as s:
        wait = s.begin(s.pika.job(token).wait())
        await clock.advance(0.5)
        assert wait.result().id == "t1"


@pytest.mark.parametrize("body", [b"", b"nonsense", b"[]", b"{}", b"\xff", b'{"id": null}'])
async def test_nonsense_is_put_away(body):
    """Whatever it is, it ends nothing, and is not read twice."""
    async with scene_with() as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        event = CallbackEvent(attempt_id=attempt_of(s), content_type="", headers={}, body=body)
        await s.engine.inbox.receive(event)
        await s.clock.advance(2)
        assert await s.engine.desk.ledger.inbox_pending() == []
        await s.clock.advance(60)
        assert wait.result().id == "t1"


async def test_a_provider_whose_callbacks_are_not_read_is_looked_up():
    """That somebody called is a hint, whatever was said."""
    async with scene_with(Scripted()) as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(8)
        await finished(s)
        await s.clock.advance(0.2)
        assert wait.result().id == "t1"
