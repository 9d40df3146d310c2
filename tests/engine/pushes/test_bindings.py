"""A callback about an attempt without a task: what binds it, and what never does."""

from __future__ import annotations

import pytest

from pika_async import Generate, State
from pika_async._ledger.records import AttemptState, JobState
from pika_async._transport import SendError
from pika_async.errors import SubmitRefused
from tests.engine.pushes.pushing import (
    DONE,
    Rememberer,
    SharedLedger,
    finished,
    lost,
    push,
    scene_with,
)
from tests.engine.scripted import refusal

pytestmark = pytest.mark.anyio


async def test_a_lost_answer_is_found_by_its_callback():
    """Where nothing echoes the token, the callback names the task, a look-up confirms it: the video comes."""
    ledger = SharedLedger()
    async with scene_with(ledger=ledger) as s:
        job = await lost(s)
        wait = s.begin(job.wait())
        await s.clock.advance(9)
        await push(s, {"id": "t1", "state": "running"})
        await s.clock.advance(0.5)
        (record,) = await ledger.jobs()
        assert (record.newest.state, record.newest.bound_by) == (AttemptState.RUNNING, "callback")
        await finished(s)
        await s.clock.advance(0.5)
        assert wait.result().id == "t1"
        assert s.host.billed == {"a cat": 1}


async def test_lost_answers_share_their_look():
    """Thirty callbacks about lost answers, one batch; each job gets its own video."""
    async with scene_with(max_concurrency=50) as s:
        jobs = [await lost(s, str(n)) for n in range(30)]
        waits = [s.begin(job.wait()) for job in jobs]
        await s.clock.advance(20)
        for n in range(30):
            await push(s, s.host.tell(f"t{n + 1}"), n)
        await s.clock.advance(1)
        assert [wait.result().id for wait in waits] == [f"t{n + 1}" for n in range(30)]
        assert [len(ids) for _, ids in s.host.asked] == [30]


async def test_an_echoed_token_counts_for_more_than_a_callback():
    """Where the history tells whose a task is, a callback only makes us look there at once."""
    ledger = SharedLedger()
    async with scene_with(Rememberer(), ledger=ledger) as s:
        job = await lost(s)
        s.host.tasks["t9"] = {"id": "t9", "done_at": 0}
        wait = s.begin(job.wait())
        await push(s, s.host.tell("t9"))
        await s.clock.advance(0.2)
        (record,) = await ledger.jobs()
        assert (record.newest.task.id, record.newest.bound_by) == ("t1", "echo")
        await s.clock.advance(60)
        assert wait.result().id == "t1"


async def test_a_history_that_is_silent_does_not_drop_evidence():
    """What only the callback tells of is bound by it, once a look-up has confirmed the task."""
    async with scene_with(Rememberer()) as s:
        job = await lost(s)
        del s.host.tasks["t1"]["callback_url"]
        wait = s.begin(job.wait())
        await s.clock.advance(20)
        await push(s, s.host.tell("t1"))
        await s.clock.advance(1)
        assert wait.result().id == "t1"


async def test_a_refused_attempt_is_believed_paid_only_by_the_history():
    """The refusal was none: the token in the history says so, and the video is there."""
    ledger = SharedLedger()
    async with scene_with(Rememberer(), ledger=ledger) as s:
        s.host.at_submit.append(refusal("SubmitRefused"))
        with pytest.raises(SubmitRefused):
            await s.pika.generate("a cat")
        (record,) = await ledger.jobs()
        await push(s, {"id": "t9", **DONE})
        await s.clock.advance(5)
        assert await ledger.jobs() == [record]
        url = s.wire.submits[-1].body.value["callback_url"].reveal()
        s.host.tasks["t1"] = {"id": "t1", "done_at": 0, "callback_url": url}
        await push(s, s.host.tell("t1"))
        await s.clock.advance(5)
        (record,) = await ledger.jobs()
        assert record.newest.state is AttemptState.SUCCEEDED
        assert [extra.task.id for extra in record.extras] == ["t1"]


async def test_a_refused_attempt_is_not_revived_by_a_bare_token(caplog):
    """Where nothing echoes it, the provider's own refusal stands."""
    async with scene_with(ledger=SharedLedger()) as s:
        s.host.at_submit.append(refusal("SubmitRefused"))
        with pytest.raises(SubmitRefused):
            await s.pika.generate("a cat")
        s.host.tasks["t9"] = {"id": "t9", "done_at": 0}
        await push(s, s.host.tell("t9"))
        await s.clock.advance(5)
        assert not s.host.asked
        assert "tells of a refused attempt" in caplog.text


async def test_a_task_that_the_provider_does_not_know_is_not_bound(caplog):
    """It is asked for a few times, in case the callback was early, then the callback is done with."""
    async with scene_with() as s:
        job = await lost(s)
        await push(s, {"id": "t9", **DONE})
        await s.clock.advance(60)
        assert [ids for _, ids in s.host.asked] == [("t9",)] * 3
        assert "does not know" in caplog.text
        assert job.state is State.QUEUED
        assert await s.engine.desk.ledger.inbox_pending() == []


async def test_evidence_waits_while_it_cannot_be_confirmed():
    """Look-ups fail for a minute; the callback is not dropped meanwhile."""
    async with scene_with() as s:
        job = await lost(s)
        wait = s.begin(job.wait())
        await s.clock.advance(20)
        s.host.on_poll = lambda ids: SendError("no route", sent=False)
        await push(s, s.host.tell("t1"))
        await s.clock.advance(60)
        assert not wait.done()
        s.host.on_poll = lambda ids: None
        await s.clock.advance(30)
        assert wait.result().id == "t1"


async def test_a_task_of_another_job_is_not_bound_twice(caplog):
    """A lost attempt's token with a known job's task: nobody gets the other's video."""
    async with scene_with() as s:
        s.host.render_time = 100
        job = await lost(s)
        other = await s.pika.submit(Generate("another"))
        await push(s, s.host.tell("t2"), 0)
        await s.clock.advance(1)
        assert "belongs to another job" in caplog.text
        assert job.raw is None
        assert job.state is State.QUEUED
        wait = s.begin(other.wait())
        await s.clock.advance(200)
        assert wait.result().id == "t2"


async def test_the_own_answer_takes_a_task_from_whom_a_callback_gave_it():
    """A callback names another's task before that one's answer is there: its job goes back to ambiguous."""
    ledger = SharedLedger()
    async with scene_with(ledger=ledger) as s:
        s.host.render_time = 100
        job = await lost(s)
        s.host.hold()
        other = s.begin(s.pika.submit(Generate("another")))
        await s.clock.advance(1)
        await push(s, s.host.tell("t2"), 0)
        await s.clock.advance(1)
        assert job.state is State.RUNNING
        s.host.gate.set()
        await s.clock.advance(1)
        record = await ledger.get(job.id)
        assert (record.newest.state, record.newest.task) == (AttemptState.AMBIGUOUS, None)
        assert job.state is not State.SUCCEEDED
        assert s.engine.desk.flights[job.id].record == record
        wait = s.begin((await other).wait())
        await s.clock.advance(200)
        assert wait.result().id == "t2"
        assert (await ledger.get(job.id)).state is JobState.OPEN


async def test_a_row_that_the_ledger_lost_is_made_again():
    """The ledger is older than the second attempt, whose callback comes: its task is known again."""
    ledger = SharedLedger()
    async with scene_with(ledger=ledger) as s:
        job = await lost(s)
        s.host.tasks["t9"] = {"id": "t9", "done_at": 0}
        await push(s, s.host.tell("t9"), attempt=f"{job.id}-2-zz")
        await s.clock.advance(1)
        record = await ledger.get(job.id)
        assert (record.newest.id, record.newest.task.id) == (f"{job.id}-2-zz", "t9")
        assert record.state is JobState.SUCCEEDED
        assert (await job).id == "t9"
