"""Nothing paid goes out of sight: whoever stops waiting is told the token, and jobs can be listed."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import signal
import subprocess
import sys
from contextlib import asynccontextmanager

import anyio
import pytest

from pika_async import Generate, JobTimeout, Pika, State
from pika_async._ledger.memory import MemoryLedger
from pika_async._ledger.sqlite import SqliteLedger
from pika_async.errors import ContentBlocked
from pika_async.sandbox import Sandbox
from tests.engine.ledgers import SharedLedger
from tests.engine.scripted import refusal, scene

pytestmark = pytest.mark.anyio

PROGRAM = """
import asyncio, sys
from pika_async import Pika

async def main():
    async with Pika("acedata", poll_rate=None, poll_interval=0.05) as pika:
        await pika.generate("a cat", on_event=lambda event: print(event.state, flush=True))

try:
    asyncio.run(main())
except KeyboardInterrupt:
    pass
"""


@pytest.fixture(params=["memory", "sqlite"])
def ledger(request, tmp_path):
    """Return a ledger of each kind."""
    return MemoryLedger() if request.param == "memory" else SqliteLedger(tmp_path / "jobs.db")


def tokens(caplog):
    """Return the tokens in warnings."""
    told = [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]
    return [token for line in told for token in re.findall(r"pika1\.\S+", line)]


async def until(s, awaitable):
    """Let time pass until *awaitable* has ended, with a file's thread beside it; return what it gives."""
    task = s.begin(awaitable)
    for _ in range(500):
        if task.done():
            return task.result()
        await s.clock.advance(0.5)
        await s.engine.desk.ledger.usage("scripted:default")
    raise AssertionError("still waiting")


async def test_one_refused_prompt_among_twenty_leaves_the_tokens_of_the_others(caplog, ledger):
    """README's gather: nineteen accepted jobs, and nineteen tokens where a person sees them."""
    async with scene(ledger=ledger) as s:
        s.host.render_time = 50

        async def all_of_them():
            good = [s.pika.generate(f"cat {number}") for number in range(19)]
            await asyncio.gather(*good, refused())

        async def refused():
            await asyncio.sleep(0.01)
            s.host.at_submit.append(refusal("ContentBlocked"))
            await s.pika.generate("a bad cat")

        async def nineteen_run():
            while [job.state for job in await s.pika.jobs()].count(State.RUNNING) != 19:
                await s.engine.desk.ledger.usage("scripted:default")

        with pytest.raises(ContentBlocked):
            await until(s, all_of_them())
        await until(s, nineteen_run())
    assert len(set(tokens(caplog))) == s.host.billed.total() == 19


async def test_a_cancelled_group_is_told_each_token_twice(caplog):
    """On the cancellation itself, for whoever catches it, and by the closing client."""
    async with scene() as s:
        s.host.render_time = 50
        notes = []

        async def order(prompt):
            try:
                await s.pika.generate(prompt)
            except asyncio.CancelledError as error:
                notes.extend(error.__notes__)
                raise

        async def group():
            async with asyncio.TaskGroup() as tasks:
                for number in range(3):
                    tasks.create_task(order(f"cat {number}"))
                await asyncio.sleep(0.05)
                raise ZeroDivisionError

        wait = s.begin(group())
        await asyncio.sleep(0.1)
        assert wait.done()
    told = {token for note in notes for token in re.findall(r"pika1\.[^'\"\s]+", note)}
    assert len(told) == 3
    assert told == set(tokens(caplog))


@pytest.mark.parametrize("wait", ["generate", "submit", "job", "events", "map"])
async def test_every_wait_that_is_cancelled_bears_the_token(wait):
    """On the exception itself, where whoever catches it sees it."""
    async with scene() as s:
        s.host.render_time = 50
        job = None if wait in {"generate", "submit", "map"} else await s.pika.submit("a cat")
        s.host.hold()
        waits = {
            "generate": lambda: s.pika.generate("a cat"),
            "submit": lambda: s.pika.submit("a cat"),
            "job": lambda: s.pika.job(job.token).wait(),
            "events": lambda: last_of(job.events()),
            "map": lambda: anext(s.pika.map(["a cat"])),
        }
        cancelled = s.begin(waits[wait]())
        await s.clock.advance(1)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await cancelled
        assert len(re.findall(r"pika.job\('(pika1\S+)'\)", "".join(caught.value.__notes__))) == 1


async def last_of(things):
    """Return the last of *things*."""
    return [thing async for thing in things][-1]


async def test_a_map_that_is_cancelled_names_twenty_and_counts_the_rest():
    """No traceback is flooded."""
    async with scene(max_concurrency=30) as s:
        s.host.render_time = 50
        cancelled = s.begin(last_of(s.pika.map(map(str, range(30)))))
        await s.clock.advance(1)
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await cancelled
        assert len(caught.value.__notes__) == 21
        assert caught.value.__notes__[-1].startswith("10 more jobs")


async def test_wait_for_leaves_the_token(caplog):
    """A time limit from outside is a cancellation too."""
    async with scene() as s:
        s.host.render_time = 50
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(s.pika.generate("a cat"), 0.05)
    assert len(tokens(caplog)) == 1


async def test_a_map_that_is_broken_off_leaves_the_tokens(caplog):
    """What was taken is the caller's; the rest is told."""
    async with scene(max_concurrency=5) as s:
        mapping = s.pika.map([f"cat {number}" for number in range(5)])
        first = s.begin(anext(mapping))
        await s.clock.advance(20)
        assert first.result().result
        del mapping
    assert len(set(tokens(caplog))) == 4


async def test_a_job_that_ended_unseen_is_told(caplog):
    """It was paid, and its video waits; that nobody looked is no reason to forget it."""
    async with scene() as s:
        wait = s.begin(s.pika.generate("a cat"))
        await s.clock.advance(5)
        wait.cancel()
        await s.clock.advance(60)
        (job,) = await s.pika.jobs()
        assert job.state is State.SUCCEEDED
    assert tokens(caplog) == [job.token]


async def test_what_was_seen_is_not_told(caplog):
    """Neither a video that was given, nor an error that was raised, nor what costs nothing."""
    async with scene() as s:
        await s.after(30, s.pika.generate("a cat"))
        s.host.at_submit.append(refusal("ContentBlocked"))
        with pytest.raises(ContentBlocked):
            await s.pika.generate("a bad cat")
    assert not tokens(caplog)


async def test_tokens_that_are_held_are_only_counted_where_the_ledger_outlives_the_process(caplog, tmp_path):
    """Whoever submits has the token; memory's jobs end with it, so there it is told all the same."""
    caplog.set_level(logging.INFO, "pika_async")
    async with scene(ledger=SqliteLedger(tmp_path / "jobs.db")) as s:
        s.host.render_time = 50
        await s.pika.submit(Generate("a cat"))
    assert not tokens(caplog)
    assert any("1 jobs go on" in record.getMessage() for record in caplog.records)
    async with scene() as s:
        s.host.render_time = 50
        job = await s.pika.submit(Generate("a cat"))
    assert tokens(caplog) == [job.token]


@asynccontextmanager
async def closing(ledger):
    """Open a scene with one job running and the POST of another one unanswered."""
    async with scene(ledger=ledger) as s:
        s.host.render_time = 50
        waits = [s.begin(s.pika.generate("a cat"))]
        await asyncio.sleep(0.05)
        s.host.hold()
        waits.append(s.begin(s.pika.generate("a dog")))
        await asyncio.sleep(0.05)
        yield s
    await asyncio.gather(*waits, return_exceptions=True)
    assert s.host.billed == {"a cat": 1, "a dog": 1}


async def test_closing_in_a_cancelled_scope_of_anyio_waits_and_tells(ledger, caplog):
    """Such a scope cancels every await anew; web servers run their handlers in one."""
    async with closing(ledger) as s:
        with anyio.CancelScope() as scope:
            asyncio.get_running_loop().call_later(0.1, s.host.gate.set)
            scope.cancel()
            await s.pika.aclose()
    assert len(set(tokens(caplog))) == 2
    assert not any("unknown" in record.getMessage() for record in caplog.records)


async def test_closing_that_is_cancelled_tells_all_the_same(ledger, caplog):
    """Ctrl-C for the second time: the POST is cut short, and its token is told."""
    async with closing(ledger) as s:
        wait = asyncio.ensure_future(s.pika.aclose())
        await asyncio.sleep(0.05)
        wait.cancel()
        with pytest.raises(asyncio.CancelledError):
            await wait
    assert len(set(tokens(caplog))) == 2


async def test_jobs_whose_tokens_are_held_are_not_kept_in_memory():
    """A server submits, keeps the tokens and never waits: the ledger knows how they ended."""
    async with scene(ledger=SharedLedger()) as s:
        tokens = []
        for number in range(20):
            tokens.append((await s.pika.submit(f"cat {number}")).token)
            await s.clock.advance(20)
        assert not s.engine.desk.flights.ended
        assert not s.engine.desk.flights
        assert {s.pika.job(token).state for token in tokens} == {State.SUCCEEDED}


async def test_many_are_told_in_twenty_lines_and_one(caplog):
    """No terminal is flooded, and no token is left out where nothing else knows it."""
    async with scene(max_concurrency=30) as s:
        s.host.render_time = 50
        waits = [s.begin(s.pika.generate(f"cat {number}")) for number in range(30)]
        await s.clock.advance(5)
        for wait in waits:
            wait.cancel()
    lines = [r for r in caplog.records if r.levelno == logging.WARNING and "may be paid" in r.getMessage()]
    assert len(lines) == 21
    assert len(set(tokens(caplog))) == 30


async def test_what_is_known_of_a_token_is_shown_at_once(ledger):
    """A job that this client or its ledger knows as succeeded is not called running."""
    async with scene(ledger=ledger) as s:
        job = await s.pika.submit(Generate("a cat"))
        token = job.token
        await until(s, job.wait())
        again = s.pika.job(token)
        assert again.state is State.SUCCEEDED
        assert [video.id for video in again.results] == ["t1"]


async def test_another_client_shows_what_the_file_knows(tmp_path):
    """Without a request, and without waiting."""
    path = tmp_path / "jobs.db"
    async with scene(ledger=SqliteLedger(path)) as s:
        job = await s.pika.submit(Generate("a cat"))
        await until(s, job.wait())
    async with scene(ledger=SqliteLedger(path), clock=s.clock, hosts=s.hosts) as other:
        again = other.pika.job(job.token)
        assert again.results[0].video_url
        assert not other.wire.polls


async def test_a_video_leads_back_to_its_job():
    """The result keeps its five fields; the client knows where it came from."""
    async with scene() as s:
        video = await s.after(30, s.pika.generate("a cat"))
        origin = s.pika.origin(video)
        assert origin.trace_id == "trace"
        assert origin.results == (video,)


async def test_the_error_of_a_time_limit_holds_the_job():
    """As before; and closing tells its token only while nobody has seen the end."""
    async with scene() as s:
        s.host.render_time = 50
        with pytest.raises(JobTimeout) as caught:
            await s.after(30, s.pika.generate("a cat", timeout=5))
        assert caught.value.token


async def test_ctrl_c_in_the_five_line_program_prints_the_token(tmp_path):
    """Without logging set up, on stderr, once the provider has the job."""
    async with Sandbox(render_time=30.0) as sandbox:
        environment = {**os.environ, "ACEDATA_API_KEY": "sandbox-key", "ACEDATA_BASE_URL": sandbox.url}
        process = await anyio.open_process(
            [sys.executable, "-c", PROGRAM],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            cwd=tmp_path,
        )
        async with process:
            with anyio.fail_after(30):
                said = b""
                while b"running" not in said:
                    said += await process.stdout.receive()
                process.send_signal(signal.SIGINT)
                told = b"".join([chunk async for chunk in process.stderr]).decode()
                await process.wait()
        assert sandbox.billed == {"a cat": 1}
    assert len(re.findall(r"pika1\.\S+", told)) == 1


async def test_the_token_that_was_printed_brings_the_video(tmp_path):
    """In another process, with no ledger."""
    async with Sandbox(render_time=0.2) as sandbox:
        options = {
            "api_key": "sandbox-key",
            "base_url": sandbox.url,
            "poll_rate": None,
            "poll_interval": 0.05,
        }
        async with Pika("acedata", **options) as pika:
            job = await pika.submit("a cat")
        async with Pika("acedata", **options) as pika:
            assert (await pika.job(job.token)).url
        assert sandbox.billed == {"a cat": 1}
