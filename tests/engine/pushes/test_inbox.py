"""Callbacks are hints: each is confirmed by a look-up, none is needed, and none can do harm."""

from __future__ import annotations

import asyncio
import json
import logging

import pytest
from attrs import Factory, define, frozen

import pika_async.provider as api
from pika_async import Generate, State
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.records import AttemptState, JobState
from pika_async._transport import SendError
from pika_async.callbacks import CallbackEvent, Callbacks
from pika_async.callbacks.token import token_in
from pika_async.errors import JobFailed, LedgerError, SubmitRefused, SubmitUnknown
from pika_async.testing import FakeClock
from tests.engine import ledgers
from tests.engine.scripted import LOST, Historian, Scripted, answer, capable, refusal, scene, snapshot

pytestmark = pytest.mark.anyio

CALLBACKS = Callbacks(public_url="https://app.test/pika", secret="a secret of the tests")
DONE = {"state": "done", "url": "https://forged.test/a.mp4"}
NO_BATCH = capable(poll_batch=1)


@frozen(kw_only=True)
class Pusher(Scripted):
    """Pushes what its look-ups answer; whoever reads a push cannot tell its token."""

    def read_callback(self, body, headers, received_at, keys, /):
        told = json.loads(body)
        return snapshot(told) if "id" in told else None


@frozen(kw_only=True)
class Rememberer(Historian, Pusher):
    """Pushes, and echoes the token in its history."""


@frozen(kw_only=True)
class Signer(Pusher):
    """Signs with a word that its keys have to hold."""

    def build_keys(self):
        return api.HttpRequest(method="GET", url=f"{self.base_url}/keys")

    def read_callback(self, body, headers, received_at, keys, /):
        if headers.get("signature") not in keys.decode().split():
            return None
        return snapshot(json.loads(body))


class SharedLedger(ledgers.SharedLedger):
    """Looks like a file that several processes share, and fails when it is told to."""

    failing = False

    async def inbox_put(self, attempt_id, body, headers):
        if self.failing:
            raise LedgerError("The disk is full.")
        return await super().inbox_put(attempt_id, body, headers)

    async def inbox_pending(self, limit=100, after=0):
        if self.failing:
            raise LedgerError("The disk is full.")
        return await super().inbox_pending(limit, after)


@define(eq=False)
class Keys:
    """The address of the signing keys: what it answers, and how often it was asked."""

    answers: list = Factory(list)
    asked: int = 0

    def __call__(self):
        self.asked += 1
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def scene_with(*providers, **options):
    """Open a client with callbacks on."""
    options = {"callbacks": CALLBACKS, "poll_rate": None, "poll_interval": 0.1, **options}
    return scene(*(providers or (Pusher(),)), **options)


def attempt_of(s, number=-1):
    """Return the attempt that a POST was for, by the callback address it bore."""
    url = s.wire.submits[number].body.value["callback_url"].reveal()
    return token_in(url).rpartition(".")[0]


async def push(s, told, number=-1, *, attempt=None, **headers):
    """Have a callback arrive about a POST."""
    body = json.dumps(told).encode()
    event = CallbackEvent(
        attempt_id=attempt or attempt_of(s, number),
        content_type="application/json",
        headers=headers,
        body=body,
    )
    await s.engine.inbox.receive(event)


async def finished(s, id_="t1", number=-1):
    """Let a render end, and its callback arrive."""
    s.host.tasks[id_]["done_at"] = s.clock.now()
    await push(s, s.host.tell(id_), number)


async def lost(s, prompt="a cat"):
    """Buy a video whose answer is lost, and give the job."""
    s.host.at_submit.append(LOST)
    with pytest.raises(SubmitUnknown) as caught:
        await s.pika.submit(Generate(prompt))
    return caught.value.job


async def drain(s):
    """Let the inbox come to rest."""
    await s.clock.advance(0.01)


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


def signing(keys):
    """Open a client of a provider that signs; *keys* answers the address of its keys."""
    context = scene_with(Signer())

    class Opened:
        async def __aenter__(self):
            s = await context.__aenter__()
            script = s.wire.script
            s.wire.script = lambda request: keys() if request.url.endswith("/keys") else script(request)
            return s

        async def __aexit__(self, *error):
            return await context.__aexit__(*error)

    return Opened()


def keyed(text):
    return api.HttpResponse(status=200, headers={}, body=text.encode())


async def test_signing_keys_are_fetched_once():
    """The first callback fetches them; they are kept for an hour, for all jobs."""
    keys = Keys([keyed("ours")])
    async with signing(keys) as s:
        for n in range(5):
            wait = s.begin(s.pika.generate(str(n)))
            await s.clock.advance(5)
            s.host.tasks[f"t{n + 1}"]["done_at"] = 0
            await push(s, s.host.tell(f"t{n + 1}"), signature="ours")
            await s.clock.advance(0.2)
            assert wait.result().id == f"t{n + 1}"
        assert keys.asked == 1
        await s.clock.advance(3600)
        wait = s.begin(s.pika.generate("later"))
        await s.clock.advance(5)
        s.host.tasks["t6"]["done_at"] = 0
        await push(s, s.host.tell("t6"), signature="ours")
        await s.clock.advance(0.2)
        assert wait.done()
        assert keys.asked == 2


async def test_a_wrong_signature_is_no_hint():
    """Nothing is looked up because of it, and the keys are not asked for every time."""
    keys = Keys([keyed("ours")])
    async with signing(keys) as s:
        s.host.render_time = 100
        s.begin(s.pika.generate("a cat")).add_done_callback(lambda task: task.exception())
        await s.clock.advance(1)
        for n in range(20):
            await push(s, {"id": "t1", **DONE, "n": n}, signature="forged")
            await s.clock.advance(0.1)
        assert not s.host.asked
        assert keys.asked == 1
        assert await s.engine.desk.ledger.inbox_pending() == []


async def test_rotated_keys_are_fetched_anew():
    """A signature that does not fit is tried with fresh keys, at most once a minute."""
    keys = Keys([keyed("old"), keyed("old new")])
    async with signing(keys) as s:
        s.host.render_time = 1000
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        await push(s, {"id": "t1", "state": "running", "progress": 0.1}, signature="old")
        await s.clock.advance(100)
        s.host.tasks["t1"]["done_at"] = 0
        await push(s, s.host.tell("t1"), signature="new")
        await s.clock.advance(0.2)
        assert wait.result().id == "t1"
        assert keys.asked == 2


@pytest.mark.parametrize("trouble", [SendError("no route", sent=False), answer(500, {}), ValueError("odd")])
async def test_a_callback_waits_for_keys_that_cannot_be_fetched(trouble):
    """An answer that is no 200 is no key either."""
    keys = Keys([trouble, trouble, keyed("ours")])
    async with signing(keys) as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(1)
        s.host.tasks["t1"]["done_at"] = 0
        await push(s, s.host.tell("t1"), signature="ours")
        await s.clock.advance(4)
        assert (wait.done(), keys.asked) == (False, 1)
        await s.clock.advance(8)
        assert wait.result().id == "t1"
        assert keys.asked == 3


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
